"""Every way a preset reason can change. Each change is one event on the record."""

from __future__ import annotations

from django.db import transaction

from approvals.models import PresetReason
from governance import clock, ledger
from governance.ledger import Kind
from governance.models import User
from governance.services import by

FIELDS = ("verdict", "pattern", "text")


@transaction.atomic
def save_preset(preset: PresetReason, author: User | None) -> PresetReason:
    """Add a reason people can choose, or change one. Saved as it is: no event.

    Raises ``ValidationError`` for what the fields do not allow.
    """
    kept = PresetReason.objects.select_for_update().filter(pk=preset.pk).first()
    preset.full_clean()
    before, after = describe(kept), describe(preset)
    if before != after:
        preset.save()
        _record(preset, before, after, author)
    return preset


@transaction.atomic
def remove_preset(preset: PresetReason, author: User | None) -> None:
    """Take a reason away. What was said with it stays. Twice is the same as once."""
    kept = PresetReason.objects.select_for_update().filter(pk=preset.pk).first()
    if kept:
        _record(kept, describe(kept), {}, author)
        kept.delete()


def describe(preset: PresetReason | None) -> dict[str, str]:
    return {name: str(getattr(preset, name)) for name in FIELDS} if preset else {}


def _record(
    preset: PresetReason,
    before: dict[str, str],
    after: dict[str, str],
    author: User | None,
) -> None:
    changes = {
        name: {"old": before.get(name), "new": after.get(name)}
        for name in FIELDS
        if before.get(name) != after.get(name)
    }
    ledger.record(
        Kind.PRESET_CHANGED,
        at=clock.now(),
        actor=by(author),
        stream=f"preset:{preset.pk}",
        removed=not after,
        changes=changes,
    )
