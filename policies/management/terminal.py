"""How do commands read a policy file, and say what is wrong with it?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from django.core.management.base import BaseCommand, CommandError

from governance import text_safety
from policies.documents import Mistaken
from policies.yaml_tree import MAX_BYTES


def read(name: str) -> bytes:
    """Read no more than one byte too many: the parser says the rest."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None


def refuse(command: BaseCommand, name: str, mistaken: Mistaken) -> NoReturn:
    """Name every mistake with its line, and end with exit code 1."""
    for mistake in mistaken.mistakes:
        command.stderr.write(text_safety.visible_line(f"{name}:{mistake}"))
    count = len(mistaken.mistakes)
    what = "1 mistake" if count == 1 else f"{count} mistakes"
    raise CommandError(f"{what} in {name}: nothing was changed.")
