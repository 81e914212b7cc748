from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from governance import triggers


class GovernanceConfig(AppConfig):
    name = "governance"
    verbose_name = "Agents and the record"

    def ready(self) -> None:
        post_migrate.connect(
            triggers.install_after_migrate, dispatch_uid="countersign_triggers"
        )
        # Needs the models, which are not there yet when this module is imported.
        from governance import sessions

        sessions.watch()
