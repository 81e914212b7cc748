from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        if settings.WORKER == "celery":
            # Becomes the current app, which governance.queue sends its nudges through.
            from config import celery  # noqa: F401
