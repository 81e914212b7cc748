"""A real mail server on this machine, for the tests."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

Hook = Callable[[str], str | None]


def accept(address: str) -> None:
    """Neither refuse nor delay anything."""


class MailServer:
    """Keeps the mails it gets, as their receivers would see them.

    ``at_address`` may answer for an address: ``550 No such user``. ``after_mail`` is
    asked when a mail has been kept and not yet been acknowledged. Both may take their
    time: other mails are taken meanwhile.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.at_address: Hook = accept
        self.after_mail: Hook = accept
        self.port = 0

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[Any],
    ) -> str:
        answer = await asyncio.to_thread(self.at_address, address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        answer = await asyncio.to_thread(self.after_mail, envelope.rcpt_tos[0])
        return answer or "250 OK"


@contextmanager
def running() -> Iterator[MailServer]:
    server = MailServer()
    controller = _Controller(server, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop()


class _Controller(Controller):
    """Takes any free port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]
