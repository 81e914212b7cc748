"""Print the JSON Schema of policy files."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from policies import file_schema


class Command(BaseCommand):
    help = (
        "Print the JSON Schema (2020-12) of policy files, with which editors complete and "
        "check them."
    )

    def handle(self, **options: Any) -> None:
        text = json.dumps(file_schema.schema(), ensure_ascii=False, indent=2)
        self.stdout.write(text)
