"""Does the body say something that may be said? Every problem is named, with its place.

The loader has read the JSON; here its fields are checked, before any rule of the
business is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from approvals.services import Proposal
from governance import text_safety
from governance.errors import Invalid, Problem
from governance.models import Status

ACTION = re.compile(r"\A[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")
MAX_NAME = 100
MAX_RESOURCE_ID = 200
MAX_EXPIRES_IN = 30 * 24 * 3600
READ_ONLY = {"id"}
SUBMISSION = ("action", "params", "resource", "reason", "context", "expires_in")
REVISION = ("params", "resource", "reason", "context")
OUTCOMES = (Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN)


def proposal(body: dict[str, Any]) -> Proposal:
    """Return the submission, or raise ``Invalid`` with everything that is wrong."""
    problems = unknown_fields(body, SUBMISSION)
    problems += _action(body)
    problems += _content(body)
    problems += _expires_in(body)
    problems += _texts(body, "params", "context", "reason")
    refuse(problems)
    return Proposal(**body)


def revision(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a changed version brings. What is left out is kept as it was."""
    problems = unknown_fields(body, REVISION)
    problems += _content(body)
    problems += _texts(body, "params", "context", "reason")
    refuse(problems)
    return body


def _content(body: dict[str, Any]) -> list[Problem]:
    problems = []
    if "params" not in body:
        problems.append(
            Problem("/params", "params_required", "Send params, an object.")
        )
    problems += _optional(body, "params", dict)
    problems += _resource(body)
    problems += _optional(body, "reason", str)
    problems += _optional(body, "context", dict)
    return problems


def outcome(body: dict[str, Any]) -> tuple[Status, dict[str, Any] | None]:
    problems = unknown_fields(body, ("status", "detail"))
    if body.get("status") not in OUTCOMES:
        words = "Send status: succeeded, failed or unknown."
        problems.append(Problem("/status", "outcome_status", words))
    problems += _optional(body, "detail", dict)
    problems += _texts(body, "detail")
    refuse(problems)
    return Status(body["status"]), body.get("detail")


def only(body: dict[str, Any], *fields: str) -> None:
    refuse(unknown_fields(body, fields))


def refuse(problems: list[Problem]) -> None:
    if problems:
        first = problems[0]
        raise Invalid(first.detail, code=first.code, errors=problems)


def unknown_fields(body: dict[str, Any], known: Collection[str]) -> list[Problem]:
    problems = []
    for name in body.keys() - set(known):
        path = text_safety.pointer([name])
        if name in READ_ONLY:
            detail = f"The server chooses {name}: leave it out."
            problems.append(Problem(path, "read_only_field", detail))
        else:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            shown = text_safety.excerpt(name)
            detail = f"There is no field {shown}.{hint}"
            problems.append(Problem(path, "unknown_field", detail))
    return sorted(problems, key=lambda problem: problem.path)


def _action(body: dict[str, Any]) -> list[Problem]:
    path, pattern = "/action", ACTION.pattern[2:-2]
    if "action" not in body:
        return [Problem(path, "action_required", f"Name the action, like {pattern}.")]
    name = body["action"]
    if not isinstance(name, str):
        return [Problem(path, "type_error", "Send action as a string.")]
    if problem := text_safety.check_identifier(name, path):
        return [problem]
    if not name.strip():
        return [Problem(path, "action_blank", f"Name the action, like {pattern}.")]
    if len(name) > MAX_NAME:
        words = f"Keep the action's name to {MAX_NAME} characters."
        return [Problem(path, "action_too_long", words)]
    if not ACTION.match(name):
        words = f"Write the action in lower case, with dots: {pattern}."
        return [Problem(path, "action_pattern", words)]
    return []


def _resource(body: dict[str, Any]) -> list[Problem]:
    resource = body.get("resource")
    if resource is None:
        return []
    if not isinstance(resource, dict):
        words = "Send resource as an object with type and id."
        return [Problem("/resource", "type_error", words)]
    problems = [
        Problem(f"/resource{p.path}", p.code, p.detail)
        for p in unknown_fields(resource, ("type", "id"))
    ]
    for name, longest in (("type", MAX_NAME), ("id", MAX_RESOURCE_ID)):
        problems += _identifier(resource.get(name), f"/resource/{name}", longest)
    return problems


def _identifier(text: object, path: str, longest: int) -> list[Problem]:
    if not isinstance(text, str):
        return [Problem(path, "type_error", f"Send {path} as a string.")]
    if problem := text_safety.check_identifier(text, path):
        return [problem]
    if not text.strip() or len(text) > longest:
        words = f"Send {path} with 1 to {longest} characters."
        return [Problem(path, "resource_length", words)]
    return []


def _optional(body: dict[str, Any], name: str, kind: type) -> list[Problem]:
    if name not in body or isinstance(body[name], kind):
        return []
    words = "a string" if kind is str else "an object"
    return [Problem(f"/{name}", "type_error", f"Send {name} as {words}.")]


def _expires_in(body: dict[str, Any]) -> list[Problem]:
    if "expires_in" not in body:
        return []
    seconds = body["expires_in"]
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    if whole and 1 <= seconds <= MAX_EXPIRES_IN:
        return []
    words = f"Send expires_in as whole seconds, 1 to {MAX_EXPIRES_IN} (30 days)."
    return [Problem("/expires_in", "expires_in", words)]


def _texts(body: dict[str, Any], *names: str) -> list[Problem]:
    found = (text_safety.check_texts(body.get(name), (name,)) for name in names)
    return [problem for problem in found if problem]
