from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config import ticker


class Command(BaseCommand):
    help = "Gives every job its turns. Part of `serve`; needed once per installation."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        ticker.tick_for_ever()
