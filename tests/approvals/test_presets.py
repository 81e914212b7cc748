"""Reasons that are chosen rather than typed, and who keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from approvals import services
from approvals.models import ApprovalRequest, PresetReason, Vote
from governance.ledger import Kind
from governance.models import Event, User
from tests.approvals.factories import browser, form_for, page_of
from tests.pages import permit

pytestmark = pytest.mark.django_db
PAGE = "/admin/approvals/presetreason/"
VERBS = ("add", "change", "delete", "view")


def preset(text: str, verdict: str = "reject", pattern: str = "*") -> PresetReason:
    return services.save_preset(
        PresetReason(text=text, verdict=verdict, pattern=pattern), None
    )


def decide(
    person: User, request: ApprovalRequest, chosen: Any, verdict: str, **fields: Any
) -> Any:
    form = form_for(request, verdict, preset=str(chosen), **fields)
    return browser(person).post(page_of(request), form)


def changes() -> list[dict[str, Any]]:
    events = Event.objects.filter(kind=Kind.PRESET_CHANGED).order_by("id")
    return [event.data for event in events]


# When deciding


def test_without_any_there_is_nothing_to_choose(
    refund: ApprovalRequest, alice: User
) -> None:
    assert "id_preset" not in browser(alice).get(page_of(refund)).content.decode()


def test_those_that_fit_can_be_chosen(refund: ApprovalRequest, alice: User) -> None:
    preset("Out of time.", pattern="refund.*")
    preset("Looks right.", "approve", "refund.create")
    preset("About e-mail.", pattern="email.*")
    html = browser(alice).get(page_of(refund)).content.decode()

    assert '<optgroup label="To reject"><option value=' in html
    assert html.index("Looks right.") < html.index("Out of time.")
    assert "About e-mail." not in html
    assert 'label="To request changes"' not in html


def test_it_becomes_the_comment(refund: ApprovalRequest, alice: User) -> None:
    decide(alice, refund, preset("Out of time.").pk, "reject")

    assert Vote.objects.get().comment == "Out of time."


@pytest.mark.parametrize(
    ("written", "comment"),
    [
        ("By a day.", "Out of time.\nBy a day."),
        ("Out of time. By a day.", "Out of time. By a day."),
    ],
)
def test_what_was_written_is_kept_beside_it(
    refund: ApprovalRequest, alice: User, written: str, comment: str
) -> None:
    decide(alice, refund, preset("Out of time.").pk, "reject", comment=written)

    assert Vote.objects.get().comment == comment


def test_it_says_enough_to_request_changes(
    refund: ApprovalRequest, alice: User
) -> None:
    chosen = preset("Refund half.", "request_changes")
    decide(alice, refund, chosen.pk, "request_changes")

    assert Vote.objects.get().comment == "Refund half."


def test_a_reason_for_something_else_is_a_slip(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = decide(alice, refund, preset("Fraud.").pk, "approve")

    assert answer.status_code == 422
    assert "is a reason to reject. Choose another one." in answer.content.decode()
    assert not Vote.objects.exists()


@pytest.mark.parametrize("chosen", ["", "x", "999", "1'"])
def test_a_reason_that_is_gone_is_none(
    refund: ApprovalRequest, alice: User, chosen: str
) -> None:
    decide(alice, refund, chosen, "reject", comment="No.")

    assert Vote.objects.get().comment == "No."


def test_a_reason_for_other_actions_is_none(
    refund: ApprovalRequest, alice: User
) -> None:
    decide(alice, refund, preset("Fraud.", pattern="email.*").pk, "reject")

    assert Vote.objects.get().comment == ""


# Keeping them


def test_every_change_is_on_record(alice: User) -> None:
    permit(alice, *(f"approvals.{verb}_presetreason" for verb in VERBS))
    visitor = browser(alice)
    said = {"verdict": "reject", "pattern": "refund.*", "text": "Out  of time."}
    visitor.post(f"{PAGE}add/", said)
    kept = PresetReason.objects.get()
    visitor.post(f"{PAGE}{kept.pk}/change/", {**said, "text": "Too late."})
    visitor.post(f"{PAGE}{kept.pk}/change/", {**said, "text": "Too late."})
    visitor.post(f"{PAGE}{kept.pk}/delete/", {"post": "yes"})

    added, changed, removed = changes()
    assert added["changes"]["text"] == {"old": None, "new": "Out of time."}
    assert changed["changes"] == {"text": {"old": "Out of time.", "new": "Too late."}}
    assert (removed["removed"], removed["changes"]["text"]["old"]) == (
        True,
        "Too late.",
    )
    assert (
        Event.objects.filter(kind=Kind.PRESET_CHANGED, actor_name="alice").count() == 3
    )
    assert not PresetReason.objects.exists()


def test_several_are_removed_one_by_one(alice: User) -> None:
    permit(alice, *(f"approvals.{verb}_presetreason" for verb in VERBS))
    keys = [preset("One.").pk, preset("Two.").pk]
    chosen = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    browser(alice).post(PAGE, chosen)

    assert not PresetReason.objects.exists()
    assert [each["removed"] for each in changes()] == [False, False, True, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "Refund"},
        {"pattern": "refund*"},
        {"pattern": ""},
        {"text": "hid\u202eden"},
        {"text": " "},
        {"text": "x" * 301},
        {"verdict": "maybe"},
    ],
)
def test_what_makes_no_sense_is_refused(alice: User, wrong: dict[str, str]) -> None:
    permit(alice, *(f"approvals.{verb}_presetreason" for verb in VERBS))
    said = {"verdict": "reject", "pattern": "*", "text": "No.", **wrong}

    assert browser(alice).post(f"{PAGE}add/", said).status_code == 200
    assert not PresetReason.objects.exists()


def test_the_same_twice_is_refused() -> None:
    preset("No.")
    with pytest.raises(ValidationError):
        preset("No.")
    assert len(changes()) == 1


def test_only_those_who_may_keep_them(alice: User) -> None:
    kept = preset("No.")
    visitor = browser(alice)

    assert visitor.get(PAGE).status_code == 403
    assert visitor.post(f"{PAGE}add/", {}).status_code == 403
    permit(alice, "approvals.view_presetreason")
    visitor = browser(alice)
    assert "Preset reasons" in visitor.get(PAGE).content.decode()
    assert visitor.post(f"{PAGE}{kept.pk}/delete/", {"post": "yes"}).status_code == 403
    assert PresetReason.objects.exists()
