from __future__ import annotations

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.models import Action, Agent, Event, Status, User
from tests.approvals.factories import QUEUE, browser, form_for, make_request, page_of
from tests.cast import REFUND, make_user

pytestmark = pytest.mark.django_db
BUTTON = 'name="verdict"'
CHEAPER = json.dumps({**REFUND, "amount": 60})


def decide(
    person: User, shown: ApprovalRequest, verdict: str = "approve", **fields: Any
) -> HttpResponse:
    form = form_for(shown, verdict, **fields)
    return browser(person).post(page_of(shown), form)  # type: ignore[return-value]


def status_of(request: ApprovalRequest) -> str:
    return Action.objects.get(pk=request.action_id).status


def refused(answer: HttpResponse, words: str) -> bool:
    """Whether the page said no in these words, and nobody's vote was counted."""
    text = answer.content.decode().replace("&#x27;", "'")
    return answer.status_code >= 400 and words in text and not Vote.objects.exists()


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("approve", Status.APPROVED),
        ("reject", Status.REJECTED),
        ("request_changes", Status.CHANGES_REQUESTED),
    ],
)
def test_a_verdict_counts(
    refund: ApprovalRequest, alice: User, verdict: str, status: str
) -> None:
    answer = decide(alice, refund, verdict, comment="Seen the photos.")

    assert (answer.status_code, answer["Location"]) == (302, QUEUE)
    assert status_of(refund) == status
    vote = Vote.objects.get()
    assert (vote.by, vote.comment, vote.via) == ("alice", "Seen the photos.", "console")


def test_conditions_are_one_per_line(refund: ApprovalRequest, alice: User) -> None:
    decide(alice, refund, conditions="Before noon.\r\n\r\nOnce only.\r\n")

    assert Vote.objects.get().conditions == ["Before noon.", "Once only."]


def test_the_next_request_follows(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    following = make_request(agent, customer_id="C-9")

    assert decide(alice, refund)["Location"] == page_of(following)


def test_it_says_what_came_of_it(refund: ApprovalRequest, alice: User) -> None:
    refund.stages.update(needed=2)
    answer = browser(alice).post(page_of(refund), form_for(refund), follow=True)

    led_to = f'Your word counts, 1 of 2, waiting for Manager: <a class="underline" href="{page_of(refund)}">'
    assert led_to in answer.content.decode()


def test_those_who_may_decide_see_buttons(refund: ApprovalRequest, alice: User) -> None:
    assert BUTTON in browser(alice).get(page_of(refund)).content.decode()


def test_outsiders_see_why_not_and_are_refused(refund: ApprovalRequest) -> None:
    root = make_user("root", is_superuser=True)
    page = browser(root).get(page_of(refund)).content.decode()

    assert BUTTON not in page
    assert "You are not among the people asked to decide this." in page
    assert refused(decide(root, refund), "You are not among the people asked")


def test_the_owner_is_refused(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    agent.owner = alice
    agent.save(update_fields=["owner"])

    assert BUTTON not in browser(alice).get(page_of(refund)).content.decode()
    assert refused(decide(alice, refund), "You own this agent")


def test_whoever_left_the_group_is_refused(
    refund: ApprovalRequest, alice: User
) -> None:
    visitor = browser(alice)
    assert BUTTON in visitor.get(page_of(refund)).content.decode()
    alice.groups.clear()

    visitor.post(page_of(refund), form_for(refund))
    assert not Vote.objects.exists()


def test_other_parameters_than_those_shown_are_refused(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = decide(alice, refund, digest=f"sha256:{'0' * 64}")

    assert answer.status_code == 409
    assert refused(answer, "What you saw is not what is waiting now.")


def test_a_form_of_another_request_is_refused(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    other = make_request(agent, customer_id="C-9")
    answer = decide(alice, refund, request=str(other.pk), digest=other.digest)

    assert refused(answer, "This form was made for another request.")


def test_a_page_that_is_out_of_date_says_who_decided(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    services.decide(refund, bob, Vote.Verdict.REJECT, digest=refund.digest)
    answer = decide(alice, refund)

    assert answer.status_code == 409
    assert "rejected already: bob decided at" in answer.content.decode()
    assert BUTTON not in answer.content.decode()


def test_it_is_too_late_after_the_deadline(
    refund: ApprovalRequest, alice: User
) -> None:
    with clock.shifted(timedelta(hours=9)):
        answer = decide(alice, refund)

    assert answer.status_code == 410
    assert refused(answer, "The time to decide is over")


def test_nobody_decides_twice(refund: ApprovalRequest, alice: User) -> None:
    refund.stages.update(needed=2)
    decide(alice, refund)
    answer = decide(alice, refund, "reject")

    assert "You have decided on this revision already." in answer.content.decode()
    assert Vote.objects.count() == 1


def test_changes_need_a_word_about_what(refund: ApprovalRequest, alice: User) -> None:
    assert refused(decide(alice, refund, "request_changes"), "Say what should change.")


def test_a_rejection_carries_no_conditions(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = decide(alice, refund, "reject", conditions="Never again.")

    assert refused(answer, "Only an approval can carry conditions.")


def test_what_was_written_is_not_lost_on_a_refusal(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = decide(alice, refund, digest="", comment="A long thought.")

    assert "A long thought.</textarea>" in answer.content.decode()


def test_what_cannot_be_undone_needs_a_confirmation(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = decide(alice, refund, confirmed="")

    assert answer.status_code == 422
    assert refused(answer, "Confirm that you checked it")
    assert decide(alice, refund, "reject", confirmed="").status_code == 302


def test_what_can_be_undone_needs_none(refund: ApprovalRequest, alice: User) -> None:
    Action.objects.update(reversible=True)

    assert decide(alice, refund, confirmed="").status_code == 302


@pytest.mark.parametrize("field", ["verdict", "request", "digest"])
@pytest.mark.parametrize("value", ["", "nonsense", "\0", "1" * 5000])
def test_a_form_that_makes_no_sense_decides_nothing(
    refund: ApprovalRequest, alice: User, field: str, value: str
) -> None:
    answer = decide(alice, refund, **{field: value})

    assert 400 <= answer.status_code < 500
    assert status_of(refund) == Status.PENDING


def test_a_form_without_the_token_is_refused(
    refund: ApprovalRequest, alice: User
) -> None:
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(alice, "django.contrib.auth.backends.ModelBackend")

    assert forger.post(page_of(refund), form_for(refund)).status_code == 403
    assert status_of(refund) == Status.PENDING


def test_looking_changes_nothing_but_the_record(
    refund: ApprovalRequest, alice: User
) -> None:
    before = list(Action.objects.values()), list(ApprovalRequest.objects.values())
    visitor = browser(alice)
    visitor.get(page_of(refund), {"verdict": "approve", "digest": refund.digest})
    visitor.get(page_of(refund))

    assert before == (
        list(Action.objects.values()),
        list(ApprovalRequest.objects.values()),
    )
    looks = Event.objects.filter(kind="viewed", actor_name="alice")
    assert [look.data["request"] for look in looks] == [str(refund.pk)]


def test_a_look_counts_again_after_a_while(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    browser(alice).get(page_of(refund))
    browser(bob).get(page_of(refund))
    with clock.shifted(timedelta(minutes=6)):
        browser(alice).get(page_of(refund))

    assert Event.objects.filter(kind="viewed").count() == 3


def test_scanners_leave_no_trace(refund: ApprovalRequest, alice: User) -> None:
    visitor = browser(alice)
    before = Event.objects.count()

    assert visitor.head(page_of(refund)).status_code == 200
    assert Event.objects.count() == before


# Conditions that are checked


def test_checks_are_one_per_line(refund: ApprovalRequest, alice: User) -> None:
    decide(alice, refund, checks="params.amount <= 75\r\n\r\n risk < 99 \r\n")

    checks = Vote.objects.get().checks
    assert [each["expression"] for each in checks] == [
        "params.amount <= 75",
        "risk < 99",
    ]


def test_a_time_becomes_a_check(refund: ApprovalRequest, alice: User) -> None:
    decide(alice, refund, before="23:59")

    (check,) = Vote.objects.get().checks
    assert check["text"].startswith("Only before 23:59 (UTC) on ")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"checks": "amount <= 60"}, "There is no 'amount' here"),
        ({"checks": "risk < 9\nrisk <"}, "Line 2: The condition does not compile"),
        ({"checks": "risk < 9\n" * 11}, "Give at most 10 conditions to be checked."),
        ({"before": "noon"}, "Write a time like 18:00"),
        ({"conditions": "Fine.\nparams.amount <= 60."}, "Nobody would check"),
        ({"conditions": "Fine.\n" * 51}, "Give at most 50 conditions."),
        ({"conditions": "Fine.\n" + "x" * 4001}, "Line 2: Keep it under 4000"),
        ({"comment": "x" * 4001}, "Keep it under 4000 characters."),
        ({"proposal": CHEAPER}, "goes back with “Request changes” only"),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    refund: ApprovalRequest, alice: User, fields: dict[str, str], words: str
) -> None:
    answer = decide(alice, refund, **fields)
    page = unescape(answer.content.decode())

    assert refused(answer, words)
    (name,) = fields
    _, _, after = page.partition(f'id="id_{name}_error"')
    assert words in after.partition("</ul>")[0]
    assert fields[name].splitlines()[0] in page.partition(f'name="{name}"')[2]


def test_a_mistake_leaves_no_refusal_on_record(
    refund: ApprovalRequest, alice: User
) -> None:
    decide(alice, refund, checks="amount <= 60")

    assert not Event.objects.filter(kind="decision_refused").exists()


def test_hostile_conditions_are_shown_and_do_nothing(
    refund: ApprovalRequest, alice: User
) -> None:
    nasty = "<script>alert(1)</script> \u202eoh no"
    decide(alice, refund, conditions=nasty, checks='"<b>\u202e" != "x" && risk < 99')
    page = browser(alice).get(page_of(refund)).content.decode()

    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Checked when it runs: " in page


def test_what_does_not_hold_now_is_said_at_once(
    refund: ApprovalRequest, alice: User
) -> None:
    form = form_for(refund, checks="params.amount <= 60")
    page = browser(alice).post(page_of(refund), form, follow=True).content.decode()

    assert "This condition does not hold for what waits now:" in page
    assert status_of(refund) == Status.APPROVED


# Parameters that are proposed


def prefilled(person: User, request: ApprovalRequest) -> str:
    page = browser(person).get(page_of(request))
    found: str = page.context["form"]["proposal"].value()
    return found


def test_what_was_proposed_goes_back(refund: ApprovalRequest, alice: User) -> None:
    text = prefilled(alice, refund).replace("75", "60").replace("\n", "\r\n")
    answer = decide(alice, refund, "request_changes", proposal=text)

    assert answer.status_code == 302
    assert Vote.objects.get().proposed_params == {**refund.params, "amount": 60}


@pytest.mark.parametrize("verdict", ["approve", "reject", "request_changes"])
@pytest.mark.parametrize("spelling", ["as it was", "75.00"])
def test_what_was_not_changed_is_no_proposal(
    refund: ApprovalRequest, alice: User, verdict: str, spelling: str
) -> None:
    text = prefilled(alice, refund)
    text = text if spelling == "as it was" else text.replace("75", spelling)
    decide(alice, refund, verdict, comment="So be it.", proposal=text)

    assert Vote.objects.get().proposed_params is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ('{"amount": 1e16}', "1e16"),
        ('{"amount": 1, "amount": 2}', "Send the key"),
        ('{"amount": "60"}', "is a required property"),
    ],
)
def test_a_proposal_is_read_as_strictly_as_what_agents_send(
    refund: ApprovalRequest, alice: User, text: str, words: str
) -> None:
    answer = decide(alice, refund, "request_changes", comment="Less.", proposal=text)

    assert refused(answer, words)
    assert text in unescape(answer.content.decode())


def test_hidden_characters_are_escapes_in_what_is_filled_in(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    request = make_request(agent, note="a\u202eb\U000e0041 é\u2028")
    text = prefilled(alice, request)

    assert '"a\\u202eb\\udb40\\udc41 é\\u2028"' in text
    decide(alice, request, "request_changes", comment="No.", proposal=text)
    assert Vote.objects.get().proposed_params is None


def test_more_than_anybody_edits_is_not_filled_in(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    request = make_request(agent, rows=list(range(9000)))

    assert prefilled(alice, request) == ""
    assert decide(alice, request).status_code == 302
