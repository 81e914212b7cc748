"""Which rules are in force right now? One cheap query tells, in every process.

Compiled rules are kept as long as their stamp is the one in the database, so that a
change is in force everywhere with the next submission.
"""

from __future__ import annotations

from threading import Lock
from uuid import UUID

from policies import engine, rows, rules, rulesets
from policies.models import Policy, RuleSet

_compiling = Lock()
_kept: tuple[UUID, engine.CompiledRules] | None = None


def current() -> engine.CompiledRules:
    """Return the rules in force, compiled.

    Inside a transaction that holds the lock of the rules they stay in force until it
    ends.
    """
    stamp = _stamp()
    kept = _kept
    if kept and kept[0] == stamp:
        return kept[1]
    # One thread compiles, the others wait for what it finds.
    with _compiling:
        return _compiled()


def rule_set() -> rules.RuleSet:
    """Return the rules in the database as plain data."""
    revision = RuleSet.objects.filter(pk=1).values_list("revision", flat=True).first()
    versions = dict(Policy.objects.values_list("name", "version"))
    return rulesets.rule_set(rows.read_all(), versions, revision or 0)


def _compiled() -> engine.CompiledRules:
    global _kept
    stamp = _stamp()
    while not (_kept and _kept[0] == stamp):
        found = rule_set()
        before, stamp = stamp, _stamp()
        if before != stamp:
            # Somebody changed the rules meanwhile: this may be a bit of both.
            continue
        compiled = engine.compile_rules(found)
        if stamp is None:
            return compiled
        _kept = (stamp, compiled)
    return _kept[1]


def _stamp() -> UUID | None:
    return RuleSet.objects.filter(pk=1).values_list("stamp", flat=True).first()
