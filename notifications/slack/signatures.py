"""Did Slack send this, just now, and to us?

By https://docs.slack.dev/authentication/verifying-requests-from-slack, over the bytes
as they came. Every request is asked, whatever it says it is for.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta

from django.conf import settings

from governance import clock
from governance.errors import Refused
from notifications.slack.models import Spent

OLDEST = timedelta(minutes=5)
# Servers join headers that come twice with a comma: those match neither.
_MOMENT = re.compile(r"[0-9]{1,11}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class NotSetUp(Refused):
    code = "slack_not_set_up"
    status = 503


class NotFromSlack(Refused):
    code = "not_from_slack"
    status = 401


class Replayed(Refused):
    code = "replayed"


def check(body: bytes, moment: str, signature: str) -> None:
    """Refuse what Slack has not signed, has signed too long ago, or has sent before."""
    secret = settings.SLACK_SIGNING_SECRET.strip()
    if not secret:
        raise NotSetUp("SLACK_SIGNING_SECRET is not set: nothing can be checked.")
    if not _MOMENT.fullmatch(moment) or not _SIGNATURE.fullmatch(signature):
        raise NotFromSlack("Send one timestamp and one signature.")
    if not hmac.compare_digest(sign(secret, moment, body), signature):
        raise NotFromSlack("The signature does not fit.")
    now = clock.now()
    if not is_fresh(moment, now):
        raise NotFromSlack("It was signed too long ago, or in the future.")
    if not Spent.objects.spend(signature, now):
        raise Replayed("This has arrived before.")


def sign(secret: str, moment: str, body: bytes) -> str:
    """Return the signature that Slack would give to this body at this moment."""
    said = b"v0:" + moment.encode() + b":" + body
    return f"v0={hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()}"


def is_fresh(moment: str, now: datetime) -> bool:
    return abs(now.timestamp() - int(moment)) <= OLDEST.total_seconds()
