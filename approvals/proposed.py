"""May a reviewer propose these parameters instead of those that wait?

They go back to the agent as data, so they must be what the agent could have sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from governance import canonical, strict_json, text_safety
from governance.errors import Malformed, Problem
from governance.models import Action
from policies import engine, store

PATH = "proposed_params"


def read(text: str) -> dict[str, Any]:
    """Read an object as strictly as an agent's body, or raise ``Malformed``."""
    return strict_json.loads(text.encode(errors="surrogatepass"), what="proposal")


def problems(action: Action, params: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps these parameters from being proposed, each with its place."""
    try:
        read(json.dumps(params))
    except Malformed as bad:
        return [_placed(problem) for problem in bad.errors]
    if unreadable := text_safety.check_texts(dict(params), (PATH,)):
        return [unreadable]
    if is_same(action, params):
        words = "This is what waits already: propose something else."
        return [Problem(f"/{PATH}", "proposal_unchanged", words)]
    return _misfits(action, params)


def is_same(action: Action, params: Mapping[str, Any]) -> bool:
    """Whether these are the parameters that wait, however they are written."""
    digest = canonical.digest(action.name, dict(params), action.resource)
    return digest == action.digest


def _misfits(action: Action, params: Mapping[str, Any]) -> list[Problem]:
    kind = store.current().action_types.get(action.name)
    found = engine.schema_errors(kind, params) if kind else []
    return [
        Problem(
            f"/{PATH}{problem.path.removeprefix('/params')}",
            problem.code,
            f"{problem.path.lstrip('/').replace('/', '.')}: {problem.detail}.",
        )
        for problem in found
    ]


def _placed(problem: Problem) -> Problem:
    return Problem(f"/{PATH}{problem.path}", problem.code, problem.detail)
