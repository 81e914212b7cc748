from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # They register with Django and with the schema by being imported.
        from config import checks, openapi  # noqa: F401

        if settings.WORKER == "celery":
            # Becomes the current app, which governance.queue sends its nudges through.
            from config import celery  # noqa: F401
