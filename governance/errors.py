"""How the product says no: every refusal has a stable code and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One place in the input and what is wrong there. ``path`` is a JSON pointer."""

    path: str
    code: str
    detail: str


class Refused(Exception):
    """A request the rules turn down. Subclasses name the situation.

    ``code`` is stable and machine-readable, ``str(refusal)`` is a sentence that says
    what to do, ``status`` is the HTTP status the agents' API answers with.
    """

    code = "refused"
    status = 409

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        errors: Sequence[Problem] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.errors = tuple(errors)
        self.retry_after = retry_after


class Malformed(Refused):
    """The request cannot be read at all."""

    code = "malformed"
    status = 400


class Invalid(Refused):
    """The request can be read, and says something that may not be said."""

    code = "invalid"
    status = 422
