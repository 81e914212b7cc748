from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from governance.errors import Refused
from governance.models import Event, User
from policies import history, proposals, services
from policies.bodies import Subject
from policies.models import Flow, Policy, ProposedChange, Revision
from tests.approvals.factories import browser
from tests.policies.making import asking, flow, policy

pytestmark = pytest.mark.django_db
PROPOSALS = "/admin/policies/proposedchange/"


@pytest.fixture(autouse=True)
def _four_eyes(settings: Settings) -> None:
    settings.POLICY_FOUR_EYES = True


def may_confirm(person: User) -> User:
    names = ["confirm_proposedchange", "view_proposedchange", "change_policy"]
    person.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return User.objects.get(pk=person.pk)


@pytest.fixture
def author(alice: User) -> User:
    return may_confirm(alice)


@pytest.fixture
def second(bob: User) -> User:
    return may_confirm(bob)


@pytest.fixture
def proposed(author: User) -> ProposedChange:
    done = services.save(Subject.POLICY, policy(), author=author, note="Small ones.")
    assert done.proposed
    return done.proposed


def test_a_change_only_waits(proposed: ProposedChange) -> None:
    assert not Policy.objects.exists()
    assert not Revision.objects.exists()
    event = Event.objects.get()
    assert (event.kind, event.actor_name) == ("change_proposed", "alice")
    assert event.data["lines"][0] == "+ policy small"


def test_a_second_person_puts_it_in_force(
    proposed: ProposedChange, author: User, second: User
) -> None:
    services.confirm(proposed, second, comment="Fine.")

    assert Policy.objects.get().name == "small"
    revision = Revision.objects.get()
    assert (revision.author, revision.confirmed_by) == (author, second)
    assert revision.note == "Small ones."
    kinds = [event.kind for event in Event.objects.order_by("id")]
    assert kinds == ["change_proposed", "change_confirmed", "policy_changed"]
    assert Event.objects.latest("id").data["confirmed_by"] == "bob"


def test_nobody_confirms_their_own(proposed: ProposedChange, author: User) -> None:
    with pytest.raises(proposals.OwnChange):
        services.confirm(proposed, author)
    with pytest.raises(proposals.OwnChange):
        proposals.decline(proposed, author)

    assert not Policy.objects.exists()


def test_not_even_the_database_takes_the_same_person_twice(
    proposed: ProposedChange, author: User
) -> None:
    proposed.outcome, proposed.decided_by = "confirmed", author
    proposed.decided_at = proposed.created_at
    with pytest.raises(IntegrityError), transaction.atomic():
        proposed.save(update_fields=["outcome", "decided_by", "decided_at"])


def test_what_is_proposed_cannot_be_changed(proposed: ProposedChange) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ProposedChange.objects.update(changes=[])


def test_it_takes_the_permission(proposed: ProposedChange, charlie: User) -> None:
    with pytest.raises(proposals.MayNotConfirm):
        services.confirm(proposed, charlie)


def test_declined_it_changes_nothing(proposed: ProposedChange, second: User) -> None:
    proposals.decline(proposed, second, comment="No.")

    assert not Policy.objects.exists()
    with pytest.raises(proposals.NotProposed, match="was declined by bob before"):
        services.confirm(proposed, second)


def test_only_its_author_withdraws_it(
    proposed: ProposedChange, author: User, second: User
) -> None:
    with pytest.raises(proposals.MayNotConfirm):
        proposals.withdraw(proposed, second)

    proposals.withdraw(proposed, author)
    with pytest.raises(proposals.NotProposed):
        services.confirm(proposed, second)


def test_it_takes_effect_on_the_rules_it_was_made_for_or_not_at_all(
    author: User, second: User
) -> None:
    one = services.save(Subject.POLICY, policy(reason="One."), author=author).proposed
    other = services.save(Subject.POLICY, policy(reason="Two."), author=author).proposed
    assert one
    assert other
    services.confirm(one, second)

    with pytest.raises(proposals.Stale, match="policy small"):
        services.confirm(other, second)

    assert Policy.objects.get().reason == "One."
    other.refresh_from_db()
    assert other.outcome == ""


def test_changes_of_different_rules_do_not_stand_in_each_others_way(
    author: User, second: User
) -> None:
    waiting = [
        services.save(Subject.FLOW, flow(name), author=author).proposed
        for name in ("a", "b")
    ]
    for proposed in reversed(waiting):
        assert proposed
        services.confirm(proposed, second)

    assert set(Flow.objects.values_list("name", flat=True)) == {"a", "b"}


def test_what_no_longer_fits_is_refused(author: User, second: User) -> None:
    services.confirm(_of(services.save(Subject.FLOW, flow(), author=author)), second)
    asks = _of(services.save(Subject.POLICY, asking(), author=author))
    gone = _of(services.remove(Subject.FLOW, "managers", author=author))
    services.confirm(gone, second)

    with pytest.raises(services.Unfitting, match="There is no flow managers"):
        services.confirm(asks, second)


def _of(done: services.Done) -> ProposedChange:
    assert done.proposed
    return done.proposed


def test_going_back_is_proposed_too(author: User, second: User) -> None:
    services.confirm(
        _of(services.save(Subject.POLICY, policy(), author=author)), second
    )
    change = policy(reason="Because.")
    services.confirm(_of(services.save(Subject.POLICY, change, author=author)), second)

    back = _of(history.restore(1, author=author))

    services.confirm(back, second)
    assert Policy.objects.get().reason == ""


def test_somebody_has_to_propose_it() -> None:
    with pytest.raises(proposals.NoAuthor, match="say who proposes it"):
        services.save(Subject.POLICY, policy())


def test_a_file_is_proposed_as_one_change(
    tmp_path: Path, author: User, second: User
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("policies: [{name: p, actions: ['*'], decision: BLOCK}]")
    with pytest.raises(CommandError, match="say who proposes it"):
        call_command("load_policies", str(file), stdout=StringIO())

    out = StringIO()
    call_command("load_policies", str(file), author="alice", stdout=out)

    waiting = ProposedChange.objects.get()
    assert f"Proposed as change {waiting.pk}. Nothing has changed yet" in out.getvalue()
    assert not Policy.objects.exists()
    call_command("confirm_rules", waiting.pk, person="bob", stdout=StringIO())
    assert Policy.objects.get().name == "p"


def test_the_command_lists_and_declines(proposed: ProposedChange, second: User) -> None:
    out = StringIO()
    call_command("confirm_rules", stdout=out)
    assert "+ policy small" in out.getvalue()

    with pytest.raises(CommandError, match="You proposed this change"):
        call_command("confirm_rules", proposed.pk, person="alice", stdout=StringIO())
    with pytest.raises(CommandError, match="Say who"):
        call_command("confirm_rules", proposed.pk, stdout=StringIO())

    call_command(
        "confirm_rules", proposed.pk, person="bob", decline=True, stdout=StringIO()
    )
    proposed.refresh_from_db()
    assert proposed.outcome == "declined"


def test_saving_in_the_console_proposes(author: User) -> None:
    names = ["add_policy", "view_policy", "change_policy"]
    author.user_permissions.add(*Permission.objects.filter(codename__in=names))
    form = {
        "name": "small",
        "actions": "refund.create",
        "when": "",
        "decision": "ALLOW",
        "flow": "",
        "reason": "",
        "mode": "enforce",
        "meant": "on",
        "note": "At last.",
    }
    answer = browser(author).post("/admin/policies/policy/add/", form)

    waiting = ProposedChange.objects.get()
    assert answer["Location"] == f"{PROPOSALS}{waiting.pk}/change/"
    assert not Policy.objects.exists()
    page = browser(author).get(answer["Location"]).content.decode()
    assert "somebody else has to confirm it" in page
    assert "Confirm, and put it in force" not in page


def test_the_page_confirms_declines_and_refuses(
    proposed: ProposedChange, author: User, second: User, charlie: User
) -> None:
    page = f"{PROPOSALS}{proposed.pk}/change/"
    assert browser(charlie).get(page).status_code == 403
    assert browser(author).post(page, {"verdict": "confirm"}).status_code == 403
    assert "Confirm, and put it in force" in browser(second).get(page).content.decode()

    browser(second).post(page, {"verdict": "confirm", "comment": "Fine."})

    assert Policy.objects.get().name == "small"
    assert browser(second).post(page, {"verdict": "confirm"}).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_does(
    proposed: ProposedChange, second: User, carol: User
) -> None:
    third = may_confirm(carol)

    def attempt(act: Callable[[], object]) -> bool:
        try:
            act()
        except Refused:
            return False
        finally:
            connection.close()
        return True

    acts: list[Callable[[], object]] = [
        lambda: services.confirm(proposed, second),
        lambda: proposals.decline(proposed, third),
    ]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(attempt, acts))

    assert sorted(done) == [False, True]
    proposed.refresh_from_db()
    assert Policy.objects.exists() == (proposed.outcome == "confirmed")
