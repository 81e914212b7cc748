"""Why can't I? Every answer there is, from the one function that gives them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from approvals import authority, services
from approvals.authority import Standing
from approvals.models import ApprovalRequest, Delegation, Vote
from approvals.roles import grant_console
from approvals.services import storage
from governance import clock
from governance.errors import Refused
from governance.models import Action, Agent, User
from tests.approvals.factories import browser, page_of
from tests.approvals.test_deciding import ask, decide
from tests.cast import make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def request_(agent: Agent, managers: Group, finance: Group) -> ApprovalRequest:
    """A request that two managers, then finance, must agree to."""
    Group.objects.create(name="directors")
    return ask(
        agent,
        {
            "name": "Manager",
            "groups": [managers.name],
            "approvals": 2,
            "on_timeout": "escalate",
            "escalate_to": ["directors"],
        },
        {"name": "Finance", "groups": [finance.name]},
    )


def ask_why(request: ApprovalRequest, who: User) -> Standing:
    course = storage.read(request.action_id)
    at = clock.now()
    course.lapse(at)
    return authority.standing(course, request, User.objects.get(pk=who.pk), at)


def lend(person: User, to: User) -> None:
    services.delegate(person, to, ends_at=clock.now() + HOUR)


Scene = Callable[[ApprovalRequest], User]


def user(name: str) -> User:
    return User.objects.get(username=name)


def settled(request: ApprovalRequest) -> User:
    decide(request, user("alice"), Vote.Verdict.REJECT)
    return user("bob")


def superseded(request: ApprovalRequest) -> User:
    Action.objects.update(revision=2)
    return user("alice")


def owner(request: ApprovalRequest) -> User:
    Agent.objects.update(owner=user("alice"))
    return user("alice")


def outsider(request: ApprovalRequest) -> User:
    return user("charlie")


def auditor(request: ApprovalRequest) -> User:
    group = Group.objects.create(name="auditors")
    grant_console(group, everything=True)
    return make_user("ann", group)


def later(request: ApprovalRequest) -> User:
    return user("carol")


def earlier(request: ApprovalRequest) -> User:
    decide(request, user("alice"))
    decide(request, user("bob"))
    return make_user("mia", Group.objects.get(name="customer-service-managers"))


def voted(request: ApprovalRequest) -> User:
    decide(request, user("alice"))
    return user("alice")


def lapsed(request: ApprovalRequest) -> User:
    decide(request, user("alice"))
    user("alice").groups.clear()
    return user("alice")


def replaced(request: ApprovalRequest) -> User:
    lend(user("alice"), user("charlie"))
    decide(request, user("charlie"))
    return user("alice")


def nothing_left(request: ApprovalRequest) -> User:
    lend(user("alice"), user("charlie"))
    decide(request, user("alice"))
    return user("charlie")


def through_the_owner(request: ApprovalRequest) -> User:
    lend(user("alice"), user("charlie"))
    Agent.objects.update(owner=user("alice"))
    lend(user("bob"), user("alice"))
    return user("charlie")


def inactive(request: ApprovalRequest) -> User:
    User.objects.filter(username="alice").update(is_active=False)
    return user("alice")


def withdrawn(request: ApprovalRequest) -> User:
    request.requestgrouppermission_set.all().delete()
    return user("alice")


def on_silence(request: ApprovalRequest) -> User:
    return make_user("dora", Group.objects.get(name="directors"))


def nobody(request: ApprovalRequest) -> User:
    user("alice").groups.clear()
    user("bob").groups.clear()
    return user("carol")


def absent(request: ApprovalRequest) -> User:
    lend(user("alice"), user("charlie"))
    return user("carol")


ALREADY = "You have decided on this revision already."
CASES: list[tuple[Scene, str, str]] = [
    (settled, "already_decided", "rejected already: alice decided at 20"),
    (superseded, "changed", "The agent has sent revision 2 since. Look at that one."),
    (owner, "not_allowed", "You own this agent: somebody else has to decide. bob can."),
    (outsider, "not_allowed", "You are not among the people asked to decide this."),
    (auditor, "not_allowed", "asked to decide this. alice and bob can."),
    (later, "not_allowed", "Finance is asked after Manager. alice and bob can."),
    (
        earlier,
        "not_allowed",
        "Manager has agreed already. It waits for Finance now. carol can.",
    ),
    (voted, "already_voted", f"{ALREADY} bob can."),
    (lapsed, "already_voted", f"{ALREADY} It does not count any more: the right"),
    (replaced, "already_voted", "charlie has decided for you. bob can."),
    (nothing_left, "not_allowed", "Whom you stand in for has decided already. bob"),
    (through_the_owner, "not_allowed", "handed to you came through the agent's owner"),
    (inactive, "not_allowed", "This account is switched off."),
    (withdrawn, "not_allowed", "Your right to decide this was withdrawn."),
    (on_silence, "not_allowed", "directors is asked if nobody decides by 20"),
    (nobody, "not_allowed", "Nobody can decide it at the moment."),
    (absent, "not_allowed", "asked after Manager. bob and charlie for alice can."),
]


@pytest.mark.parametrize(
    ("scene", "code", "why"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_it_says_why_not_and_who_can(
    request_: ApprovalRequest,
    alice: User,
    bob: User,
    carol: User,
    charlie: User,
    scene: Scene,
    code: str,
    why: str,
) -> None:
    who = scene(request_)
    found = ask_why(request_, who)

    assert (found.may, found.code) == (False, code)
    assert why in found.why
    # Deciding says the same, word by word
    with pytest.raises(Refused) as refusal:
        decide(request_, who, Vote.Verdict.REQUEST_CHANGES, comment="No.")
    assert str(refusal.value) == found.why


def test_those_who_may_may(
    request_: ApprovalRequest, alice: User, charlie: User
) -> None:
    found = ask_why(request_, alice)
    assert (found.may, found.code, found.why, found.for_whom) == (True, "", "", "")
    assert found.stage
    assert (found.stage.name, found.seat) == ("Manager", alice.pk)

    lend(alice, charlie)
    assert ask_why(request_, charlie).for_whom == "alice"


def test_it_is_too_late_though_no_worker_ran(
    agent: Agent, managers: Group, alice: User
) -> None:
    request = ask(agent, {"name": "Manager", "groups": [managers.name]})
    with clock.shifted(5 * HOUR):
        found = ask_why(request, alice)

    assert (found.code, found.may) == ("expired", False)
    assert "this request expired at 20" in found.why


def test_whom_silence_asks_may_though_no_worker_ran(
    request_: ApprovalRequest, alice: User
) -> None:
    dora = on_silence(request_)
    with clock.shifted(4 * HOUR + HOUR / 60):
        assert ask_why(request_, dora).may


def test_those_who_may_not_see_it_hear_no_names(
    request_: ApprovalRequest, alice: User, bob: User, charlie: User
) -> None:
    found = ask_why(request_, charlie)

    assert found.who_can == ()
    assert "alice" not in found.why


def test_many_names_are_counted(request_: ApprovalRequest, managers: Group) -> None:
    for number in range(9):
        make_user(f"m{number}", managers)

    assert "m4, m5 and 3 more can." in ask_why(request_, later_person()).why


def later_person() -> User:
    return make_user("fay", Group.objects.get(name="finance"))


def test_the_page_says_it_too(
    request_: ApprovalRequest, alice: User, bob: User, carol: User
) -> None:
    page = browser(carol).get(page_of(request_)).content.decode()

    assert "Finance is asked after Manager. alice and bob can." in page


# From a terminal


def why(request: ApprovalRequest, who: str) -> str:
    out = StringIO()
    call_command("why", str(request.action_id), "--as", who, stdout=out)
    return out.getvalue()


def test_the_command_says_that_somebody_may(
    request_: ApprovalRequest, alice: User, charlie: User
) -> None:
    assert why(request_, "alice") == "alice may decide this. It counts for Manager.\n"

    lend(alice, charlie)
    assert why(request_, "charlie").startswith(
        "charlie may decide this, in place of alice."
    )


def test_the_command_exits_1_if_not(
    request_: ApprovalRequest, carol: User, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("why", str(request_.pk), "--as", "carol")

    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert said.startswith("carol may not decide this. Finance is asked after Manager.")


@pytest.mark.parametrize("arguments", [["x", "--as", "carol"], ["ID", "--as", "zed"]])
def test_the_command_exits_2_when_it_cannot_say(
    request_: ApprovalRequest, carol: User, arguments: list[str]
) -> None:
    given = [str(request_.pk) if each == "ID" else each for each in arguments]
    with pytest.raises(CommandError) as error:
        call_command("why", *given)

    assert error.value.returncode == 2


def test_delegate_hands_over_and_ends(
    request_: ApprovalRequest, alice: User, charlie: User
) -> None:
    out = StringIO()
    day = f"{clock.now() + 48 * HOUR:%Y-%m-%d}"
    call_command("delegate", "alice", "charlie", "--until", day, stdout=out)
    assert out.getvalue().startswith("charlie decides in place of alice from 20")
    assert ask_why(request_, charlie).may

    call_command("delegate", "alice", "charlie", "--end", stdout=out)
    assert not ask_why(request_, charlie).may
    assert Delegation.objects.get().ended_by is None
    with pytest.raises(CommandError, match="does not stand in"):
        call_command("delegate", "alice", "charlie", "--end", stdout=out)
    with pytest.raises(CommandError, match="somebody else"):
        call_command("delegate", "alice", "alice", "--until", day, stdout=out)
