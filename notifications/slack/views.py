"""Where does Slack tell us what people press? One address, open to Slack alone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from governance.errors import Malformed, Refused
from notifications.slack import interactions, payloads, signatures
from notifications.slack.payloads import Pressed

LONGEST_BODY = 64 * 1024
FORM = "application/x-www-form-urlencoded"


class NoForm(Refused):
    code = "unsupported_media_type"
    status = 415


class TooLarge(Refused):
    code = "body_too_large"
    status = 413


# Whoever has signed it needs no other proof that they meant to send it.
@csrf_exempt
@require_POST
def interact(request: HttpRequest) -> HttpResponse:
    """Take what somebody pressed in Slack. 200 whatever has come of it: they are told.

    Anything that Slack has not signed is refused before it is read: 401, or 503 as long
    as there is no secret to check it by; 409 for what has arrived before.
    """
    try:
        return _answer(request)
    except Refused as refusal:
        problem = {"code": refusal.code, "detail": str(refusal)}
        return JsonResponse(problem, status=refusal.status)


def _answer(request: HttpRequest) -> HttpResponse:
    told = payloads.read(_signed(request))
    if isinstance(told, Pressed):
        interactions.press(told)
    elif told is not None:
        return JsonResponse(interactions.send(told))
    return HttpResponse()


def _signed(request: HttpRequest) -> bytes:
    """Return the body as it came, if Slack has signed it."""
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal():
        raise Malformed("The length of the body is no number.")
    if int(length) > LONGEST_BODY:
        raise TooLarge("Slack sends less than that.")
    signatures.check(
        request.body,
        request.headers.get("X-Slack-Request-Timestamp", ""),
        request.headers.get("X-Slack-Signature", ""),
    )
    if request.headers.get("Content-Type", "").partition(";")[0].strip() != FORM:
        raise NoForm(f"Send it as {FORM}.")
    return request.body
