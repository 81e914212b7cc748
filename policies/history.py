"""What were the rules then, what has changed since, and how do we get back?"""

from __future__ import annotations

from governance.errors import Refused
from governance.models import User
from policies import bodies, checks, plan, rules, services
from policies.bodies import State, Subject
from policies.models import Revision, Version


class UnknownRevision(Refused):
    code = "unknown_revision"
    status = 404


def rules_at(number: int) -> State:
    """Return all rules as they were from this revision on, in their order then."""
    revision = Revision.objects.filter(number=number).first()
    if revision is None:
        raise UnknownRevision(f"There is no revision {number} of the rules.")
    state = bodies.empty()
    versions = Version.objects.filter(revision__number__lte=number).order_by("id")
    for subject, name, body in versions.values_list("subject", "name", "body"):
        named = state[Subject(subject)]
        named.pop(name, None)
        if body is not None:
            named[name] = body
    for subject, names in revision.orders.items():
        known = state[Subject(subject)]
        state[Subject(subject)] = {name: known[name] for name in names if name in known}
    return state


def changed_by(revision: Revision) -> list[plan.Change]:
    """Return what one revision changed, rule by rule."""
    return [
        plan.Change(Subject(each.subject), each.name, _before(each), each.body)
        for each in revision.versions.order_by("id")
    ]


def _before(version: Version) -> bodies.Body | None:
    former = Version.objects.filter(
        subject=version.subject, name=version.name, number=version.number - 1
    )
    body: bodies.Body | None = former.values_list("body", flat=True).first()
    return body


def compare(old: int, new: int) -> plan.Plan:
    """Return what lies between two revisions, in either direction."""
    return plan.between(rules_at(old), rules_at(new))


def restore(
    number: int, *, author: User | None = None, note: str = ""
) -> services.Done:
    """Make all rules what they were from this revision on. That is a change as any other.

    A policy that came later is retired: it stays on record.
    """
    then = rules_at(number)
    note = note or f"Back to revision {number}."
    return services.change(lambda state: _back(state, then), author=author, note=note)


def preview(number: int) -> plan.Plan:
    """Return what ``restore`` would change."""
    then = rules_at(number)
    return services.preview(lambda state: _back(state, then))


def _back(state: State, then: State) -> State:
    wanted = bodies.copy(then)
    for name, body in state[Subject.POLICY].items():
        if name not in wanted[Subject.POLICY]:
            wanted[Subject.POLICY][name] = {**body, "mode": str(rules.Mode.RETIRED)}
    # What a policy that stays on record still names has to stay with it.
    for subject in (Subject.FLOW, Subject.CALENDAR):
        for name, body in state[subject].items():
            if name not in wanted[subject] and any(
                checks.users_of(subject, name, wanted)
            ):
                wanted[subject][name] = body
    return wanted


def restore_rule(
    subject: Subject,
    name: str,
    number: int,
    *,
    author: User | None = None,
    note: str = "",
) -> services.Done:
    """Make one rule what its version of this number said."""
    body = _body(subject, name, number)
    note = note or f"Back to version {number}."
    return services.save(subject, body, author=author, note=note)


def preview_rule(subject: Subject, name: str, number: int) -> plan.Plan:
    """Return what ``restore_rule`` would change."""
    body = _body(subject, name, number)

    def with_it(state: State) -> State:
        wanted = bodies.copy(state)
        wanted[subject][name] = body
        return wanted

    return services.preview(with_it)


def _body(subject: Subject, name: str, number: int) -> bodies.Body:
    versions = Version.objects.filter(subject=subject, name=name, number=number)
    version = versions.first()
    if version is None or version.body is None:
        raise UnknownRevision(
            f"There is no version {number} of {subject.label.lower()} {name} to return to."
        )
    body: bodies.Body = version.body
    return body
