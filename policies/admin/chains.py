"""How does a person write a chain of silence? One step a line, and read back alike.

``30m remind``, ``2h escalate finance, legal``, ``8h reject``, ``8h hold``,
``8h approve up to 20``. A group with a comma in its name stands in quotation marks.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.auth.models import Group

from policies import fields
from policies.admin.forms import code
from policies.rules import Do

HELP = (
    "Instead of the time to decide: one step a line, counted from when the stage opens. "
    "30m remind, 2h escalate finance, 8h reject. The last step is reject, hold or "
    "approve up to 20 (its risk)."
)
EXAMPLE = "30m remind\n2h escalate finance, legal\n8h reject"


def written(steps: Iterable[dict[str, Any]]) -> str:
    """Return a chain as a person writes it."""
    return "\n".join(map(_line, steps))


def _line(step: dict[str, Any]) -> str:
    line = f"{step['after']} {step['do']}"
    match step["do"]:
        case Do.ESCALATE:
            return f"{line} {', '.join(map(_quoted, step['to']))}"
        case Do.APPROVE:
            return f"{line} up to {step['max_risk']}"
        case _:
            return line


def _quoted(name: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([name])
    return out.getvalue()


def read(text: str) -> list[dict[str, Any]]:
    """Return the chain as a policy file would write it.

    Raises ValidationError with a sentence for each step that is none. Times and the
    order of the steps are left to the checks that every rule goes through.
    """
    steps, wrong = [], []
    lines = (line.strip() for line in text.split("\n"))
    for number, line in enumerate(filter(None, lines), start=1):
        try:
            steps.append(_step(line))
        except ValueError as error:
            wrong.append(at_step(number, str(error)))
    if wrong:
        raise forms.ValidationError(wrong)
    return steps


def at_step(number: int, detail: str) -> str:
    return f"Step {number}: {detail}"


def _step(line: str) -> dict[str, Any]:
    after, do, rest, *_ = [*line.split(maxsplit=2), "", ""]
    if not do:
        raise ValueError("Write a time and what happens then, like 30m remind.")
    match do:
        case Do.ESCALATE:
            return {"after": after, "do": do, "to": _groups(rest)}
        case Do.APPROVE:
            if not (found := re.fullmatch(r"up to (\d{1,3})", " ".join(rest.split()))):
                raise ValueError("Say up to which risk, like approve up to 20.")
            return {"after": after, "do": do, "max_risk": int(found[1])}
        case _ if rest and do in list(Do):
            raise ValueError(f"Nothing can stand behind {do}.")
        case _:
            return {"after": after, "do": do}


def _groups(text: str) -> list[str]:
    try:
        [names] = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        names = []
    found = [name.strip() for name in names]
    if not found or "" in found:
        raise ValueError("Name the groups to ask as well, with commas between them.")
    return found


class ChainField(forms.CharField):
    """A chain of silence as text. Groups must exist: a typing error would ask nobody."""

    def __init__(self, **options: Any) -> None:
        widget = code(rows=4)
        widget.attrs["placeholder"] = EXAMPLE
        super().__init__(required=False, widget=widget, help_text=HELP, **options)

    def prepare_value(self, value: Any) -> Any:
        return written(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        steps = read(str(value or "").replace("\r\n", "\n"))
        named = {name for step in steps for name in step.get("to", ())}
        known = Group.objects.order_by("name").values_list("name", flat=True)
        if missing := named - set(known.filter(name__in=named)):
            raise forms.ValidationError(
                [
                    f"There is no group {name}. {fields.nearest(name, known)}"
                    for name in sorted(missing)
                ]
            )
        return steps

    def has_changed(self, initial: Any, data: Any) -> bool:
        before = str(self.prepare_value(initial) or "")
        return before.split() != str(data or "").split()
