"""Which draft does a command line mean? A policy file, policies in draft, or both."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from governance import text_safety
from governance.errors import Refused
from policies import drafts, files
from policies.documents import Mistaken
from policies.drafts import Draft
from policies.rules import Mode
from policies.yaml_tree import MAX_BYTES


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="A policy file: the draft is the rules in force with what it changes.",
    )
    parser.add_argument(
        "--drafts",
        action="store_true",
        help="Take policies in mode draft as enforced.",
    )
    parser.add_argument(
        "--monitored",
        action="store_true",
        help="Take policies in mode monitor as enforced.",
    )
    parser.add_argument("--json", action="store_true", help="Answer in JSON.")


def draft_of(options: dict[str, Any], complain: Callable[[str], None]) -> Draft:
    """Return the draft. Raises ``CommandError`` in sentences, mistakes one by one."""
    wish = drafts.live
    name = options["file"]
    try:
        if name:
            wish = files.parse(read(name)).wish
        modes = {Mode.DRAFT} if options["drafts"] else set()
        if options["monitored"]:
            modes.add(Mode.MONITOR)
        return drafts.of(drafts.enforcing(wish, modes) if modes else wish)
    except Mistaken as mistaken:
        for mistake in mistaken.mistakes:
            complain(text_safety.visible_line(f"{name}:{mistake}"))
        count = len(mistaken.mistakes)
        what = "1 mistake" if count == 1 else f"{count} mistakes"
        raise CommandError(f"{what} in {name}: nothing was tried.") from None
    except Refused as refused:
        raise CommandError(str(refused)) from None


def read(name: str) -> bytes:
    """Read a file, or stdin for ``-``: no more than one byte too many."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
