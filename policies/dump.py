"""How are the rules written down, for people to read and to be loaded again?

Loading what is written here changes nothing. What holds its default is left out, what is
short stands on one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import indent
from typing import Any

from policies import bodies, rules, yaml_text
from policies.bodies import FORMS, Body, State, Subject
from policies.fields import REQUIRED, Form
from policies.files import SECTIONS, VERSION

WIDTH = 88
# Whole rules that read best on one line each.
_LINES = {Subject.CALENDAR, Subject.RESOURCE, Subject.DEFAULT, Subject.TEST}


def text(state: State, schema: str = "", *, retired: bool = True) -> str:
    """Return a policy file that loads to exactly these rules.

    ``schema`` is where editors find what the file may say. Without ``retired`` the
    policies that no longer apply are left out: loading does not bring them back, and
    does not take them away.
    """
    first = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    return first + "\n".join(_parts(state, retired))


def _parts(state: State, retired: bool) -> Iterator[str]:
    top: Body = {"version": VERSION}
    for body in state[Subject.DEFAULT].values():
        top["default"] = short(Subject.DEFAULT, body)
    yield yaml_text.written(top, width=WIDTH)
    for section, subject in SECTIONS.items():
        written = [
            _item(subject, short(subject, body))
            for body in state[subject].values()
            if retired or body.get("mode") != rules.Mode.RETIRED
        ]
        if written:
            gap = "" if all(each.count("\n") == 1 for each in written) else "\n"
            yield f"{section}:\n{gap.join(written)}"


def short(subject: Subject, body: Body) -> Body:
    """Return the rule without what goes without saying."""
    found = _without_defaults(FORMS[subject], body)
    if subject is Subject.FLOW:
        found["stages"] = list(_stages(body["stages"]))
    if subject is Subject.TEST:
        return _test(body, found)
    return found


def _without_defaults(form: Form, body: Mapping[str, Any]) -> Body:
    return {
        name: body[name]
        for name, field in form.items()
        if field.default is REQUIRED or body[name] != field.default
    }


def _stages(stages: list[Body]) -> Iterator[Body]:
    for position, stage in enumerate(stages, start=1):
        found = _without_defaults(bodies.STAGE, stage)
        if stage["step"] == position:
            del found["step"]
        if stage["silence"]:
            found["silence"] = [
                _without_defaults(bodies.SILENCE, step) for step in stage["silence"]
            ]
        yield found


def _test(body: Body, found: Body) -> Body:
    if body["name"] == bodies.name_of_test(body):
        del found["name"]
    if "agent" in found:
        found["agent"] = _without_defaults(bodies.AGENT, body["agent"])
    expected = _without_defaults(bodies.EXPECT, body["expect"])
    decision = list(expected) == ["decision"]
    return {**found, "expect": expected["decision"] if decision else expected}


def _item(subject: Subject, body: Body) -> str:
    written = yaml_text.written([body], width=WIDTH - 2, whole=subject in _LINES)
    return indent(written, "  ")
