"""The mail about a refund, as it arrives: complete, and nothing in it is alive."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from pytest_django import Settings

from approvals import services
from approvals.jobs import settle_due
from approvals.models import ApprovalRequest
from governance import clock
from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.transports.base import DeliveryError, Message
from notifications.transports.email import Email
from tests.cast import AgentClient
from tests.notifications.mailserver import MailServer

pytestmark = pytest.mark.django_db

EVIL = (
    '<a href="https://evil.example">Approve</a><img src="https://evil.example/b.png">'
    "<script>alert(1)</script> http://evil.example www.evil.example "
    "javascript:alert(1) =cmd|' /C calc'!A0 \u202egnp.exe\u200b\u2066 <!channel>\r\n"
    "Bcc: victim@example.com\r\n\r\nREAD IT HERE: https://evil.example/approve"
)


@pytest.fixture
def mail(
    api: AgentClient, alice: User, refund_rules: None, mail_server: MailServer
) -> EmailMessage:
    """The mail about the running example."""
    return received(
        mail_server,
        api,
        resource={"type": "order", "id": "A-1001"},
        reason="Customer reports a cracked screen.",
        context={"order_total": 129},
    )


@pytest.fixture
def evil_mail(
    api: AgentClient, alice: User, refund_rules: None, mail_server: MailServer
) -> EmailMessage:
    """A mail in which the agent has written all it can."""
    return received(
        mail_server,
        api,
        params={"order_id": EVIL, "note": EVIL},
        resource={"type": "order", "id": "https://evil.example/a"},
        reason=EVIL,
        context={EVIL[:60]: [EVIL]},
    )


def received(server: MailServer, api: AgentClient, **fields: Any) -> EmailMessage:
    answer = api.submit(**fields)
    assert answer["status"] == "pending", answer
    publish_events()
    send_due()
    [mail] = server.mails
    return mail


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


class Reader(HTMLParser):
    """Notes what a mail program would act on, and what its reader would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [text for name, text in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_its_headers_say_what_and_who(mail: EmailMessage) -> None:
    subject = "Approval needed: Refund 75 USD to customer C-7 for order A-1001"

    assert mail["Subject"] == subject
    assert mail["To"] == "alice@example.com"
    assert mail["From"] == "countersign@localhost"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_both_parts_tell_everything(mail: EmailMessage) -> None:
    assert mail.get_content_type() == "multipart/alternative"

    for words in (text_of(mail), Reader(html_of(mail)).text):
        for fact in (
            "Refund 75 USD to customer C-7 for order A-1001",
            "refund-bot (production)",
            "Refunds from $50 to $200 need a manager.",
            "order A-1001",
            "30 of 100",
            "Cannot be undone",
            "finance will be asked as well",
            '"customer_id": "C-7"',
            "Customer reports a cracked screen.",
            '"order_total": 129',
            "UTC",
        ):
            assert fact in words


def test_its_only_link_opens_the_review_page(
    mail: EmailMessage, settings: Settings
) -> None:
    pk = ApprovalRequest.objects.get().pk
    page = f"http://localhost:8000/admin/approvals/approvalrequest/{pk}/change/"

    assert Reader(html_of(mail)).links == [page]
    assert re.findall(r"https?://\S+", text_of(mail)) == [page]


def test_everything_about_one_request_is_one_conversation(
    api: AgentClient, alice: User, refund_rules: None, mail_server: MailServer
) -> None:
    api.submit()
    for minutes in (0, 16):
        with clock.shifted(timedelta(minutes=minutes)):
            settle_due()
            publish_events()
            send_due()

    first, second = mail_server.mails
    assert second["Subject"] == f"Re: {first['Subject']}"
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]


def test_hostile_text_adds_no_header(evil_mail: EmailMessage) -> None:
    assert evil_mail["Bcc"] is None
    assert evil_mail["Subject"].strip().startswith("Approval needed: Refund 75 USD")
    assert "evil.example" not in evil_mail["Subject"]


def test_hostile_text_is_no_markup(evil_mail: EmailMessage) -> None:
    html = html_of(evil_mail)
    seen = Reader(html)

    assert seen.tags.isdisjoint({"img", "script", "iframe", "form", "style", "link"})
    assert len(seen.links) == 1
    assert '<a href="https://evil.example">Approve</a>' in seen.text


def test_hostile_text_holds_nothing_a_program_would_link(
    evil_mail: EmailMessage,
) -> None:
    for source in (html_of(evil_mail), text_of(evil_mail)):
        assert "://evil" not in source
        assert "evil.example" not in source
        assert "victim@example" not in source or "example[.]com" in source


def test_hostile_text_hides_nothing(evil_mail: EmailMessage) -> None:
    for words in (text_of(evil_mail), Reader(html_of(evil_mail)).text):
        assert not re.search("[\u200b\u202e\u2066]", words)
        assert "⟨U+202E⟩gnp" in words


def test_hostile_text_cannot_step_out_of_its_quote(evil_mail: EmailMessage) -> None:
    forged = [line for line in text_of(evil_mail).split("\n") if "READ IT HERE" in line]

    assert forged
    assert all(line.startswith((">", "    ", "Refund 75")) for line in forged)


def test_what_is_too_long_is_left_out_and_never_cut(
    api: AgentClient, alice: User, refund_rules: None, mail_server: MailServer
) -> None:
    mail = received(mail_server, api, params={"notes": ["x" * 1000] * 30})

    for words in (text_of(mail), Reader(html_of(mail)).text):
        assert "Too long for a message" in words
        assert "xxx" not in words


def test_looking_at_the_link_decides_nothing(
    mail: EmailMessage, alice: User, client: Any
) -> None:
    [page] = Reader(html_of(mail)).links
    path = str(page).removeprefix("http://localhost:8000")
    for method in (client.get, client.head, client.options):
        assert method(path).status_code == 302
    client.force_login(alice)
    for method in (client.get, client.head, client.options):
        method(path)

    request = ApprovalRequest.objects.get()
    assert request.closed_at is None
    assert not request.votes.exists()
    assert services.settle(request.action_id).action.status == "pending"


MESSAGE = Message(
    to="alice@example.com",
    id="<1@localhost>",
    thread="<0@localhost>",
    title="Approval needed",
    headline="Approval needed",
    summary="",
    body="",
    url="http://localhost:8000/",
    facts=(),
    why=(),
    parameters="{}",
    words="",
    context="",
)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("title", "Refund\nBcc: victim@example.com"),
        ("to", "alice@example.com\r\nBcc: victim@example.com"),
        ("to", "alice@example.com, victim@example.com"),
    ],
)
def test_what_would_forge_headers_is_refused_for_good(
    field: str, text: str, mail_server: MailServer
) -> None:
    changes: Any = {field: text}
    with pytest.raises(DeliveryError) as refusal:
        Email().send(replace(MESSAGE, **changes))

    assert refusal.value.permanent
    assert mail_server.mails == []
