"""Telling agents: work the clock brings. Safe to run twice, or twice at once.

Receivers are called in threads; everything that touches the database stays in this one.
"""

from __future__ import annotations

import logging
import time

from django.db import DatabaseError

from governance import clock
from governance.sealing import Unreadable
from notifications.crew import Crew
from notifications.transports.base import DeliveryError
from notifications.webhooks import sending
from notifications.webhooks.models import Webhook
from notifications.webhooks.sending import Post
from notifications.webhooks.wire import Answer

logger = logging.getLogger(__name__)

AT_ONCE = 32
# No attempt begins later: with the longest one a run still ends before a worker's time.
SECONDS = 12.0
# Who has failed last time is called at the beginning only. So at the end of a run the
# others do not wait for receivers of whom nothing good is to be expected.
SECONDS_FOR_DOUBTFUL = 1.0
# While somebody is slow, others' new messages are looked for this often.
LOOK = 0.25


def send_webhooks(limit: int = 1000) -> int:
    """Attempt what is due. Return how many attempts were made."""
    sending.give_up_stale()
    attempts = 0
    started = time.monotonic()
    with Crew[Post, Answer](AT_ONCE) as crew:
        while (passed := time.monotonic() - started) < SECONDS and attempts < limit:
            begun = _begin(crew, passed < SECONDS_FOR_DOUBTFUL)
            attempts += begun
            if not begun and not crew.under_way:
                break
            if not begun or crew.is_full():
                _note_ended(crew, LOOK)
            else:
                _note_ended(crew, 0)
        while crew.under_way:
            _note_ended(crew)
    return attempts


def _begin(crew: Crew[Post, Answer], also_doubtful: bool) -> int:
    """Begin an attempt for each webhook that has none under way.

    One at a time: so nothing overtakes, and a worker that is killed has at most one
    message come twice to each.
    """
    busy = {post.message.webhook_id for post in crew.under_way.values()}
    begun = 0
    for webhook in Webhook.objects.ready(clock.now()):
        if crew.is_full():
            break
        if webhook.pk in busy or (webhook.failures and not also_doubtful):
            continue
        if post := sending.take(webhook):
            crew.start(post, post.send)
            begun += 1
    return begun


def _note_ended(crew: Crew[Post, Answer], seconds: float | None = None) -> None:
    for post, future in crew.ended(seconds):
        problem = future.exception()
        try:
            if problem is None:
                _note_answer(post, future.result())
            else:
                _note_problem(post, problem)
        except DatabaseError:
            # It goes out again, under the same id.
            logger.exception("Could not write down the message %s", post.message)


def _note_answer(post: Post, answer: Answer) -> None:
    if answer.is_success():
        sending.succeed(post, answer)
    else:
        sending.fail(post, f"The receiver answered {answer.status}.", answer)


def _note_problem(post: Post, problem: BaseException) -> None:
    match problem:
        case DeliveryError():
            words = str(problem)
        case Unreadable():
            words = f"Its secret cannot be read, rotate it. {problem}"
        case _:
            logger.error("Cannot send %s", post.message, exc_info=problem)
            words = repr(problem)
    sending.fail(post, words)
