"""Downloads of the audit log: on record from their beginning to their end, and seen."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from governance import clock, downloads, export, ledger
from governance.ledger import SYSTEM, Kind
from governance.models import Download, Event, User
from tests.cast import make_user
from tests.pages import browser, permit

EXPORT = "/admin/governance/event/export/"


@pytest.fixture
def auditor(db: None) -> User:
    person = make_user("auditor")
    permit(person, "governance.view_event", "governance.export_event")
    return person


@pytest.fixture
def several(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine events, read three at a time."""
    monkeypatch.setattr(export, "PAGE", 3)
    for number in range(9):
        ledger.record(Kind.USER_CHANGED, at=clock.now(), actor=SYSTEM, number=number)


def ended() -> dict[str, Any]:
    return Event.objects.get(kind=Kind.EXPORT_ENDED).data


def progress(client: Client, asked: str = "") -> str:
    answer = client.get(f"{EXPORT}progress/", {"asked": asked})
    assert answer.status_code == 200
    return answer.content.decode()


def test_its_end_is_on_record_with_its_rows(several: None, auditor: User) -> None:
    client = browser(auditor)
    wanted = f"{EXPORT}?kind=user_changed"

    list(client.post(wanted, {"format": "jsonl"}))

    started = Event.objects.get(kind=Kind.EXPORTED)
    assert ended() == {"export": started.pk, "rows": 9, "complete": True}
    assert "complete, 9 rows" in progress(client)


def test_one_that_is_cut_short_says_so(several: None, auditor: User) -> None:
    pieces = downloads.start(Event.objects.all(), auditor, "csv", {})
    for _ in range(3):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]

    assert (ended()["rows"], ended()["complete"]) == (6, False)
    assert "cut short after 6 rows" in progress(browser(auditor))


def test_it_is_followed_while_it_runs(
    several: None, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "EVERY", 0)
    pieces = downloads.start(Event.objects.all(), auditor, "csv", {})
    for _ in range(3):
        next(pieces)

    page = progress(browser(auditor))

    assert "3 rows so far" in page
    assert "every 1s" in page


def test_what_no_longer_moves_has_stopped(several: None, auditor: User) -> None:
    pieces = downloads.start(Event.objects.all(), auditor, "csv", {})
    next(pieces)
    stopped = clock.now() - downloads.PATIENCE - timedelta(seconds=1)
    Download.objects.update(moved_at=stopped)

    [found] = downloads.of(auditor, clock.now())

    assert found.is_cut_short
    assert not Event.objects.filter(kind=Kind.EXPORT_ENDED).exists()


def test_the_page_goes_on_asking_until_a_download_had_time_to_begin(
    auditor: User,
) -> None:
    client = browser(auditor)

    assert "every 1s" in progress(client, "0")
    assert "every 1s" not in progress(client, "4")
    assert "every 1s" not in progress(client, "1 or 1=1")


def test_nobody_sees_the_downloads_of_others(several: None, auditor: User) -> None:
    list(browser(auditor).post(EXPORT, {"format": "csv"}))
    other = make_user("other")

    assert browser(other).get(f"{EXPORT}progress/").status_code == 403
    permit(other, "governance.view_event", "governance.export_event")
    assert "complete" not in progress(browser(other))


def test_a_commands_export_is_on_record_to_its_end(several: None) -> None:
    call_command("export_audit", stdout=StringIO())

    assert (ended()["rows"], ended()["complete"]) == (9, True)
