from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command

from governance.models import Event, User
from policies import history, rows, services
from policies.bodies import Subject
from policies.models import Policy, Revision, Version
from tests.approvals.factories import browser
from tests.policies.making import asking, factor, flow, lookback, policy

pytestmark = pytest.mark.django_db
REVISIONS = "/admin/policies/revision/"


@pytest.fixture
def changed(alice: User) -> list[dict[Subject, object]]:
    """Five changes, and the rules after each of them."""
    states = []
    for subject, body in (
        (Subject.FLOW, flow()),
        (Subject.POLICY, asking(when="params.amount > 50")),
        (Subject.LOOKBACK, lookback()),
        (Subject.POLICY, asking(when="history.customer_refunds.count > 0")),
        (Subject.RISK_FACTOR, factor()),
    ):
        services.save(subject, body, author=alice, note=f"Add {body['name']}.")
        states.append(rows.read_all())
    return states  # type: ignore[return-value]


def test_it_knows_the_rules_of_every_revision(
    changed: list[dict[Subject, object]],
) -> None:
    numbers = Revision.objects.order_by("number").values_list("number", flat=True)

    assert [history.rules_at(number) for number in numbers] == changed


def test_a_revision_says_what_it_changed(changed: object) -> None:
    fourth = Revision.objects.get(number=4)

    (change,) = history.changed_by(fourth)
    assert change.lines == [
        "~ policy large",
        "    when: params.amount > 50 → history.customer_refunds.count > 0",
    ]


def test_two_revisions_are_compared_in_either_direction(changed: object) -> None:
    forth, back = history.compare(3, 5), history.compare(5, 3)

    assert [str(change.name) for change in forth.changes] == ["repeat", "large"]
    assert [(c.sign, c.name) for c in back.changes] == [("~", "large"), ("-", "repeat")]


def test_going_back_restores_every_rule(
    changed: list[dict[Subject, object]], alice: User
) -> None:
    done = history.restore(3, author=alice)

    assert rows.read_all() == changed[2]
    assert done.versions[0].revision.note == "Back to revision 3."
    assert Revision.objects.count() == 6


def test_what_came_later_is_retired_with_what_it_needs(alice: User) -> None:
    services.save(Subject.RISK_FACTOR, factor())
    services.save(Subject.FLOW, flow())
    services.save(Subject.POLICY, asking())

    history.restore(1)

    assert Policy.objects.get().mode == "retired"
    assert history.preview(1).changes == []


def test_going_back_and_forth_leaves_the_same_rules(
    changed: list[dict[Subject, object]],
) -> None:
    history.restore(4)
    history.restore(5)

    assert rows.read_all() == changed[4]


def test_an_order_is_restored_too() -> None:
    services.save(Subject.FLOW, flow("a"))
    services.save(Subject.FLOW, flow("b"))
    services.reorder(Subject.FLOW, ["b", "a"])

    history.restore(2)

    assert list(rows.read_all()[Subject.FLOW]) == ["a", "b"]


def test_one_rule_goes_back_to_a_version_of_its_own(alice: User) -> None:
    services.save(Subject.POLICY, policy(reason="First."))
    services.save(Subject.POLICY, policy(reason="Second."))

    history.restore_rule(Subject.POLICY, "small", 1, author=alice)

    assert Policy.objects.get().reason == "First."
    assert Version.objects.latest("id").number == 3


def test_there_is_no_going_back_to_what_never_was() -> None:
    with pytest.raises(history.UnknownRevision, match="There is no revision 9"):
        history.restore(9)
    with pytest.raises(history.UnknownRevision, match="There is no version 1"):
        history.restore_rule(Subject.POLICY, "small", 1)


def test_going_back_to_what_no_longer_fits_is_refused() -> None:
    services.save(Subject.CALENDAR, {"name": "office"})
    services.save(Subject.FLOW, flow(calendar="office"))
    services.save(Subject.FLOW, flow())
    services.remove(Subject.CALENDAR, "office")

    with pytest.raises(services.Unfitting, match="There is no calendar office"):
        history.restore_rule(Subject.FLOW, "managers", 1)


def run(*arguments: object, **options: Any) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out, **options)
    return out.getvalue()


def test_the_commands_list_show_compare_and_restore(changed: object) -> None:
    listed = run("rule_history", limit=2).splitlines()
    assert [line.split()[0] for line in listed] == ["5", "4"]
    assert "Add repeat." in listed[0]
    assert "~ policy large" in run("rule_history", 4)
    assert "- risk factor repeat" in run("rule_history", 5, 4)

    assert "- risk factor repeat" in run("restore_rules", 4, dry_run=True)
    assert Revision.objects.count() == 5
    assert "The rules are those of revision 4 again." in run("restore_rules", 4)
    assert "Nothing to change" in run("restore_rules", 4)
    with pytest.raises(CommandError, match="There is no revision 99"):
        run("restore_rules", 99)


def test_the_page_of_a_revision_shows_and_restores(
    changed: object, alice: User, charlie: User
) -> None:
    fourth = Revision.objects.get(number=4)
    page = f"{REVISIONS}{fourth.pk}/change/"
    alice.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_revision", "restore_revision"])
    )

    assert browser(charlie).get(page).status_code == 403
    shown = browser(alice).get(page).content.decode()
    assert "history.customer_refunds.count &gt; 0" in shown
    assert "Return to these rules" in shown
    compared = browser(alice).get(f"{page}?with=1").content.decode()
    assert "Between revisions 1 and 4" in compared

    browser(alice).post(page, {"comment": "Too strict."})
    assert Revision.objects.latest("number").note == "Too strict."
    assert Event.objects.latest("id").actor_name == "alice"


def test_only_who_may_restore_can(changed: object, bob: User) -> None:
    bob.user_permissions.add(Permission.objects.get(codename="view_revision"))
    page = f"{REVISIONS}{Revision.objects.get(number=1).pk}/change/"

    assert "Return to these rules" not in browser(bob).get(page).content.decode()
    assert browser(bob).post(page).status_code == 403
    assert Revision.objects.count() == 5


def test_the_page_of_a_rule_returns_to_a_version(alice: User) -> None:
    services.save(Subject.POLICY, policy(reason="First."))
    services.save(Subject.POLICY, policy(reason="Second."))
    rule = Policy.objects.get()
    page = f"/admin/policies/policy/{rule.pk}/version/1/"
    assert browser(alice).get(page).status_code == 403
    names = ["change_policy", "view_policy"]
    alice.user_permissions.add(*Permission.objects.filter(codename__in=names))

    versions = browser(alice).get(f"/admin/policies/policy/{rule.pk}/change/")
    assert page in versions.content.decode()
    shown = browser(alice).get(page).content.decode()
    assert "reason: Second. → First." in shown
    assert Policy.objects.get().reason == "Second."

    browser(alice).post(page, {"note": "It was better."})
    assert Policy.objects.get().reason == "First."
    assert Revision.objects.latest("number").note == "It was better."
