"""Which agent is calling? The key in the Authorization header answers, nothing else."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from django.core.cache import cache
from django.db import transaction
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from governance import clock, keys, ledger
from governance.errors import Malformed, Refused
from governance.ledger import Actor, Kind
from governance.models import AgentKey

CHALLENGE = 'Bearer realm="countersign"'
KEY_PARAMETERS = {"api_key", "apikey", "key", "token", "access_token", "authorization"}
BEARER = re.compile(r"\ABearer +([^\s,]+) *\Z", re.IGNORECASE)


class AuthenticationRequired(Refused):
    code = "authentication_required"
    status = 401


class KeyInURL(Malformed):
    code = "key_in_url"


class AgentKeyAuthentication(BaseAuthentication):
    """Authenticates an agent by its key, ``request.auth``. ``request.user`` stays empty, so that
    nothing an agent holds can open the console."""

    def authenticate(self, request: Request) -> tuple[None, AgentKey]:
        _refuse_key_in_url(request)
        return None, key_of(request.META.get("HTTP_AUTHORIZATION", ""))

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def key_of(header: str) -> AgentKey:
    """Return the live key, with its agent, that this header carries, or refuse."""
    bearer = BEARER.match(header)
    if bearer is None:
        raise AuthenticationRequired(
            "Send the agent's key once, as: Authorization: Bearer agk_…"
        )
    try:
        return keys.verify(bearer[1])
    except Refused as refusal:
        _record_refusal(bearer[1], Kind.KEY_REFUSED, refusal.code)
        raise


def _refuse_key_in_url(request: Request) -> None:
    for name, value in parse_qsl(request.META.get("QUERY_STRING", "")):
        if name.lower() in KEY_PARAMETERS or keys.LOOKS_LIKE_A_KEY.search(value):
            _record_refusal(value, Kind.KEY_IN_URL, "key_in_url")
            raise KeyInURL(
                "A key in an address ends up in logs. Send it in the Authorization "
                "header, and rotate this key."
            )


def _record_refusal(raw: str, kind: Kind, code: str) -> None:
    """Name the key on record, at most once a minute. A made-up key leaves no trace, or
    anybody could fill the ledger."""
    key = keys.find(raw)
    if key is None or not cache.add(f"{kind}:{key.prefix}", value=True, timeout=60):
        return
    with transaction.atomic():
        ledger.record(
            kind,
            at=clock.now(),
            actor=Actor.agent(key.agent),
            agent=key.agent,
            stream=f"agent:{key.agent.name}",
            prefix=key.prefix,
            code=code,
            why=_why(key),
        )


def _why(key: AgentKey) -> str:
    if key.revoked_at:
        return "revoked"
    if not key.is_live(clock.now()):
        return "expired"
    return "suspended" if key.agent.suspended else "live"
