"""The stop buttons: who may press them, what they take, and what is on record."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from governance import freezes
from governance.errors import Invalid
from governance.ledger import Kind
from governance.models import Event, Freeze, User
from tests.cast import make_user
from tests.pages import permit

pytestmark = pytest.mark.django_db


@pytest.fixture
def dora(db: None) -> User:
    """May press the stop buttons."""
    dora = make_user("dora")
    permit(dora, "governance.freeze_actions")
    return dora


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def test_it_says_who_froze_what_and_why(dora: User) -> None:
    frozen = freezes.freeze("refund.*", reason=" Double refunds. ", author=dora)

    assert (frozen.pattern, frozen.reason) == ("refund.*", "Double refunds.")
    event = Event.objects.get(kind=Kind.FROZEN)
    assert (event.actor_name, event.stream) == ("dora", "freeze:refund.*")
    assert event.data == {"pattern": "refund.*", "reason": "Double refunds."}


def test_freezing_twice_is_the_same_as_once(dora: User) -> None:
    first = freezes.freeze("*", reason="Stop.", author=dora)

    assert freezes.freeze("*", reason="Stop!", author=dora) == first
    assert kinds() == ["frozen"]


def test_thawing_says_who_and_why(dora: User) -> None:
    frozen = freezes.freeze("refund.create", reason="Double refunds.", author=dora)
    freezes.thaw(frozen, reason="Mended.", author=dora)

    assert not Freeze.objects.active().exists()
    frozen.refresh_from_db()
    assert (frozen.thawed_by, frozen.thaw_reason) == (dora, "Mended.")
    assert kinds() == ["frozen", "thawed"]


def test_what_is_thawed_cannot_be_thawed_again(dora: User) -> None:
    frozen = freezes.freeze("*", reason="Stop.", author=dora)
    freezes.thaw(frozen, reason="Mended.", author=dora)

    with pytest.raises(freezes.NotFrozen):
        freezes.thaw(frozen, reason="Mended.", author=dora)
    assert kinds() == ["frozen", "thawed"]


def test_others_may_neither_freeze_nor_thaw(dora: User, charlie: User) -> None:
    with pytest.raises(freezes.MayNotFreeze):
        freezes.freeze("*", reason="Stop.", author=charlie)
    frozen = freezes.freeze("*", reason="Stop.", author=dora)
    with pytest.raises(freezes.MayNotFreeze):
        freezes.thaw(frozen, reason="Go on.", author=charlie)

    assert kinds() == ["frozen"]


def test_a_right_taken_away_meanwhile_is_gone(dora: User) -> None:
    assert dora.has_perm(freezes.FREEZE)
    User.objects.get(pk=dora.pk).user_permissions.clear()

    with pytest.raises(freezes.MayNotFreeze):
        freezes.freeze("*", reason="Stop.", author=dora)


@pytest.mark.parametrize("pattern", ["", "Refund", "refund.", "re*", "*.create", "a b"])
def test_it_takes_a_pattern_as_policies_write_them(pattern: str) -> None:
    with pytest.raises(Invalid):
        freezes.freeze(pattern, reason="Stop.")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_it_takes_a_reason(reason: str) -> None:
    with pytest.raises(Invalid):
        freezes.freeze("*", reason=reason)


def test_what_is_on_record_about_a_freeze_stays(dora: User) -> None:
    frozen = freezes.freeze("*", reason="Stop.", author=dora)

    with pytest.raises(DatabaseError, match="is refused"):
        Freeze.objects.filter(pk=frozen.pk).update(reason="Another.")


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_commands_freeze_tell_and_thaw(dora: User) -> None:
    assert run("freeze", "--list") == "Nothing is frozen.\n"
    run("freeze", "refund.*", "--reason", "Double refunds.", "--as", "dora")
    run("freeze", "*", "--reason", "Everything is odd.")

    told = run("freeze", "--list")
    assert "by dora: Double refunds." in told
    assert "by the operator: Everything is odd." in told
    assert run("thaw", "*", "--reason", "Fine.") == "* is thawed.\n"
    assert list(Freeze.objects.active().values_list("pattern", flat=True)) == [
        "refund.*"
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["freeze"], "Name what to freeze"),
        (["freeze", "*"], "Say why."),
        (["freeze", "*", "--reason", "Stop.", "--as", "charlie"], "may not freeze"),
        (["freeze", "*", "--reason", "Stop.", "--as", "nobody"], "no user named"),
        (["thaw", "*", "--reason", "Go on."], "is not frozen"),
    ],
)
def test_the_commands_say_why_not(charlie: User, words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*words)
    assert not Freeze.objects.exists()
