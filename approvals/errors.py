"""Why the gate or the console says no."""

from __future__ import annotations

from governance.errors import Invalid, Malformed, Refused


class NotOpen(Refused):
    code = "already_decided"


class NothingChanged(Refused):
    code = "nothing_changed"


class Expired(Refused):
    code = "expired"
    status = 410


class Changed(Refused):
    code = "changed"


class NotAllowed(Refused):
    code = "not_allowed"
    status = 403


class AlreadyVoted(Refused):
    code = "already_voted"


class NotFound(Refused):
    code = "not_found"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such action, or it is not yours.")


class KeyReused(Invalid):
    code = "idempotency_key_reused"


class TooManyPending(Refused):
    code = "too_many_pending"
    status = 429


class UnknownAction(Invalid):
    code = "unknown_action"


class SchemaMismatch(Invalid):
    code = "schema"


class NotCancellable(Refused):
    code = "not_cancellable"


class NotRevisable(Refused):
    code = "not_revisable"


class NotApproved(Refused):
    code = "not_approved"


class AlreadyConsumed(Refused):
    code = "already_consumed"


class DigestMismatch(Refused):
    code = "digest_mismatch"


class BadDigest(Malformed):
    code = "digest_invalid"


class GrantExpired(Refused):
    code = "grant_expired"
    status = 410


class BlockedNow(Refused):
    code = "blocked_now"
    status = 403


class ConditionNotMet(Refused):
    code = "condition_not_met"
    status = 403


class NotConsumed(Refused):
    code = "not_consumed"


class OutcomeConflict(Refused):
    code = "outcome_conflict"
