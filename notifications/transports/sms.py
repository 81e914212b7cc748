"""SMS, through Twilio's API: https://www.twilio.com/docs/messaging/api/message-resource

One POST with a form is all of it that is needed; Twilio's own library is 51 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from django.conf import settings

from notifications.transports.base import DeliveryError, Message, Transport
from notifications.transports.short import line

SECONDS = 10


@dataclass(frozen=True)
class Sms(Transport):
    """One short text per message: no parameters unless SMS_SUMMARIES is set."""

    def send(self, message: Message) -> str:
        said = line(message, with_summary=settings.SMS_SUMMARIES)
        try:
            answer = httpx.post(
                f"{settings.TWILIO_API_URL}/2010-04-01/Accounts"
                f"/{settings.TWILIO_ACCOUNT_SID}/Messages.json",
                data={
                    "To": message.to,
                    "From": settings.TWILIO_FROM,
                    "Body": f"{said}. {message.url}",
                },
                auth=(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN),
                timeout=SECONDS,
            )
        except httpx.HTTPError as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return _told(answer, "sid")
        raise _problem(answer)


def _problem(answer: httpx.Response) -> DeliveryError:
    """Say why. A number that is none will not become one; all else may be mended."""
    words = _told(answer, "message") or answer.reason_phrase
    return DeliveryError(
        f"Twilio said: {answer.status_code} {words}",
        permanent=answer.status_code == httpx.codes.BAD_REQUEST,
        wait=seconds_of(answer.headers.get("Retry-After", "")),
    )


def seconds_of(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdecimal() else 0


def _told(answer: httpx.Response, name: str) -> str:
    try:
        told = answer.json()
    except ValueError:
        return ""
    return str(told.get(name, "")) if isinstance(told, dict) else ""
