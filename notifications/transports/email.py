"""E-mail, through whichever of Django's backends is configured."""

from __future__ import annotations

from dataclasses import dataclass
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
)

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from notifications.templatetags.inert import bracketed
from notifications.transports.base import DeliveryError, Message, Transport

LONGEST_SUBJECT = 150


@dataclass(frozen=True)
class Email(Transport):
    """One mail per message, as HTML and as plain text."""

    # Without one, settings.DEFAULT_FROM_EMAIL.
    sender: str | None = None

    def send(self, message: Message) -> str:
        try:
            self._mail(message).send()
        except SMTPRecipientsRefused as error:
            answers = list(error.recipients.values())
            gone = all(code >= 500 for code, _ in answers)
            raise DeliveryError(_said(*answers[0]), permanent=gone) from error
        except SMTPDataError as error:
            reason = _said(error.smtp_code, error.smtp_error)
            raise DeliveryError(reason, permanent=error.smtp_code >= 500) from error
        except (SMTPNotSupportedError, ValueError) as error:
            # A line break in a header, an address that is none, letters in it that
            # the server does not know.
            raise DeliveryError(f"Cannot be sent: {error}", permanent=True) from error
        except (SMTPException, OSError) as error:
            # The server is away, or will not have us: somebody is going to mend that.
            raise DeliveryError(f"{type(error).__name__}: {error}") from error
        return message.id

    def _mail(self, message: Message) -> EmailMultiAlternatives:
        mail = EmailMultiAlternatives(
            subject=_subject(message.title),
            body=render_to_string("notifications/email.txt", {"message": message}),
            from_email=self.sender,
            to=[message.to],
            headers={
                "Message-ID": message.id,
                **_threaded(message),
                # Nobody's holiday notice should answer us.
                "Auto-Submitted": "auto-generated",
                "X-Auto-Response-Suppress": "All",
            },
        )
        html = render_to_string("notifications/email.html", {"message": message})
        mail.attach_alternative(html, "text/html")
        return mail


def _threaded(message: Message) -> dict[str, str]:
    """Let what is about one request be one conversation."""
    if not message.thread:
        return {}
    return {"In-Reply-To": message.thread, "References": message.thread}


def _subject(title: str) -> str:
    text = bracketed(title)
    return text if len(text) <= LONGEST_SUBJECT else f"{text[:LONGEST_SUBJECT]}…"


def _said(code: int, words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return f"The mail server said: {code} {text}"
