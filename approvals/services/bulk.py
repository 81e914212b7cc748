"""Several requests, one word: each is decided by itself, and says what came of it.

Nothing ties them together: what has been decided stays decided when a later one is
refused, and sending the same again does nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from approvals import bulk, remarks
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from approvals.services.review import decide
from governance.errors import Invalid, Refused
from governance.models import User

logger = logging.getLogger(__name__)

MOST = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one of them: its course, or why not."""

    request: ApprovalRequest
    course: Course | None = None
    refusal: Refused | None = None


def decide_each(
    shown: Sequence[tuple[ApprovalRequest, str]],
    person: User,
    verdict: Vote.Verdict,
    *,
    comment: str = "",
    via: str = "console",
) -> list[Answer]:
    """Give the same verdict on each request, with the digest that was shown of it.

    Return an answer for each, in their order. Each is a decision in a transaction of
    its own. ``approve`` takes only what is safe (``approvals.bulk``), and of one kind of
    action: the one that most of them are. ``reject`` needs a comment. More than ``MOST``
    are refused altogether, with ``Invalid``.
    """
    if len(shown) > MOST:
        raise Invalid(f"Decide at most {MOST} at once.", code="too_many_at_once")
    if verdict == Vote.Verdict.REJECT and not comment.strip():
        raise Invalid("Say why, once for all of them.", code="reason_required")
    for problem in remarks.problems(comment, []):
        raise Invalid(problem.detail, code=problem.code)
    batch = bulk.Batch(bulk.kind_of(request.action for request, _ in shown))

    def answered(request: ApprovalRequest, digest: str) -> Answer:
        try:
            course = decide(
                request,
                person,
                verdict,
                digest=digest,
                comment=comment,
                via=via,
                batch=batch,
            )
        except Refused as refusal:
            return Answer(request, refusal=refusal)
        except Exception:
            # One that fails must not keep quiet about the others.
            logger.exception("Could not decide the request %s", request.pk)
            return Answer(request, refusal=Refused("It failed. Look at it by itself."))
        return Answer(request, course)

    return [answered(request, digest) for request, digest in shown]
