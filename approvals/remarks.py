"""Can what a person wrote with their verdict be kept, and shown to others?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from governance import text_safety
from governance.errors import Problem
from governance.text_safety import NONCHARACTERS, SURROGATES

MAX_COMMENT = 4000
MAX_CONDITIONS = 50

# What a database, or a JSON reader at the other end, would choke on.
_UNFIT = re.compile(
    rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{SURROGATES}{NONCHARACTERS}]"
)


def problems(comment: str, conditions: Sequence[str]) -> list[Problem]:
    """Return what is wrong with a comment and sentences, each with its place."""
    found = _problems("/comment", comment)
    if len(conditions) > MAX_CONDITIONS:
        words = f"Give at most {MAX_CONDITIONS} conditions."
        return [*found, Problem("/conditions", "too_many_conditions", words)]
    for position, text in enumerate(conditions):
        found += _problems(f"/conditions/{position}", text)
    return found


def _problems(path: str, text: str) -> list[Problem]:
    if len(text) > MAX_COMMENT:
        words = f"Keep it under {MAX_COMMENT} characters."
        return [Problem(path, "too_long", words)]
    return unfit(path, text)


def unfit(path: str, text: str) -> list[Problem]:
    """Return what makes a text unfit to be kept, whatever its length."""
    if found := _UNFIT.search(text):
        words = f"Remove {text_safety.name_of(found[0])}: it is not part of a text."
        return [Problem(path, "unsafe_text", words)]
    problem = text_safety.check_text(text, path)
    return [problem] if problem else []
