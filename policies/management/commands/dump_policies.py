"""Write the rules down as a policy file."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from governance import locks
from policies import dump, rows
from policies.bodies import State
from policies.yaml_tree import MAX_BYTES

_TOO_LARGE = (
    f"Warning: The file is larger than the {MAX_BYTES // 1024} KiB that load_policies takes "
    "at once: split it."
)


class Command(BaseCommand):
    help = (
        "Write all rules as a policy file: loading it changes nothing, and in an empty "
        "database it makes the same rules."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--output", metavar="FILE", help="Where to write; without it, on stdout."
        )
        parser.add_argument(
            "--retired",
            action=BooleanOptionalAction,
            default=True,
            help="Whether to write retired policies as well, as mode: retired.",
        )

    def handle(self, **options: Any) -> None:
        schema = f"{settings.PUBLIC_URL}{reverse('policy-file-schema')}"
        text = dump.text(_rules(), schema, retired=options["retired"])
        if len(text.encode()) > MAX_BYTES:
            self.stderr.write(self.style.WARNING(_TOO_LARGE))
        if options["output"] in (None, "-"):
            self.stdout.write(text, ending="")
        else:
            _write(Path(options["output"]), text)


def _rules() -> State:
    """Read all of them as they are between two changes."""
    with transaction.atomic():
        locks.shared(locks.RULES)
        return rows.read_all()


def _write(path: Path, text: str) -> None:
    """Write all of the file, or leave what is there."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
