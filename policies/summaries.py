"""What does an action say in one line? Only the server's own words and parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from governance.text_safety import visible_line
from policies.situation import MISSING, find

LONGEST = 200
NOTHING = "–"  # noqa: RUF001

_PLACE = re.compile(r"\{\s*([A-Za-z_][\w.-]*)\s*\}")


def summary(
    template: str,
    action: str,
    params: Mapping[str, Any],
    resource: Mapping[str, str] | None = None,
) -> str:
    """Fill ``{params.amount}``, ``{resource.id}`` and ``{action}`` into a template.

    Names are looked up and nothing else: no attribute, index or format is reachable.
    Without a template the line is the action and its resource. People decide on the
    complete parameters; this one line alone is cut when it is too long.
    """
    facts = {"action": action, "params": params, "resource": resource or {}}
    if not template:
        place = f" {resource['type']} {resource['id']}" if resource else ""
        return _cut(visible_line(f"{action}{place}"))
    return _cut(visible_line(fill(template, facts)))


def fill(template: str, facts: Mapping[str, Any]) -> str:
    """Put what is at each name into its place; a dash where nothing is."""
    return _PLACE.sub(lambda place: _shown(find(facts, place[1].split("."))), template)


def _shown(value: Any) -> str:
    if value is MISSING:
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
