"""When was a page shown, and to whom? A stamp in its form that nobody can forge.

It says how long somebody looked before they decided, and what has happened since. A
stamp that was forged, or made for another request, revision or person, says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core import signing

from approvals.models import ApprovalRequest
from governance.models import User

SALT = "countersign.review.shown"


@dataclass(frozen=True, slots=True)
class Shown:
    """When somebody was shown a request, and the last step that was on record then."""

    at: datetime
    seen: int


def stamp(request: ApprovalRequest, person: User, shown: Shown) -> str:
    """Return what the form carries."""
    said = [*_subject(request, person), shown.at.isoformat(), shown.seen]
    return signing.dumps(said, salt=SALT)


def read(text: str, request: ApprovalRequest, person: User) -> Shown | None:
    """Return what a form says about this request and person, None if it is not theirs."""
    try:
        *subject, at, seen = signing.loads(text, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if subject != _subject(request, person):
        return None
    return Shown(datetime.fromisoformat(at), seen)


def _subject(request: ApprovalRequest, person: User) -> list[str]:
    return [str(request.pk), request.digest, str(person.pk)]
