from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from approvals import conditions, proposed, services
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from approvals.services.review import find
from governance import clock
from governance.errors import Refused
from governance.models import Action, Status, User
from governance.text_safety import visible_line

VERDICTS = {
    "approve": Vote.Verdict.APPROVE,
    "reject": Vote.Verdict.REJECT,
    "request-changes": Vote.Verdict.REQUEST_CHANGES,
}
SAID = {
    Vote.Verdict.APPROVE: "approved",
    Vote.Verdict.REJECT: "rejected",
    Vote.Verdict.REQUEST_CHANGES: "asked for changes to",
}


class Command(BaseCommand):
    help = "Give one person's verdict: same rules and refusals as in the console."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the action's id")
        parser.add_argument("verdict", choices=VERDICTS)
        parser.add_argument("--as", required=True, dest="person", metavar="USERNAME")
        parser.add_argument("--comment", default="", metavar="TEXT")
        parser.add_argument(
            "--condition",
            action="append",
            default=[],
            dest="conditions",
            metavar="TEXT",
            help="what the agent must keep to; may be given several times",
        )
        parser.add_argument(
            "--check",
            action="append",
            default=[],
            dest="checks",
            metavar="EXPRESSION",
            help="what must hold when it runs, in CEL; may be given several times",
        )
        parser.add_argument(
            "--before",
            metavar="TIME",
            help="it must run before that: 18:00, or 2026-11-25 18:00",
        )
        parser.add_argument(
            "--propose",
            metavar="JSON",
            help="with request-changes: the parameters to send instead",
        )
        parser.add_argument(
            "--digest", help="what the person was shown; refused if it has changed"
        )

    def handle(self, **options: Any) -> None:
        request = self.request(options["id"])
        person = self.person(options["person"])
        verdict = VERDICTS[options["verdict"]]
        try:
            checks = said_checks(options["checks"], options["before"])
            course = services.decide(
                request,
                person,
                verdict,
                digest=options["digest"] or request.digest,
                comment=options["comment"],
                conditions=options["conditions"],
                checks=checks,
                proposed_params=said_params(options["propose"]),
                via="cli",
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(sentence(course, person, verdict))
        self.warn(course.action, options["conditions"], checks)

    def warn(
        self, action: Action, sentences: list[str], checks: list[dict[str, str]]
    ) -> None:
        """Say what an approval may not have meant. It counts all the same."""
        for text in filter(conditions.reads_as_check, sentences):
            shown = visible_line(text)
            self.stderr.write(
                f"Warning: “{shown}” is a sentence to the agent, which nobody checks. "
                "To have it checked, write --check."
            )
        for unmet in conditions.unmet(action, checks, clock.now()):
            words = f"This condition does not hold for what waits now: {unmet}"
            self.stderr.write(f"Warning: {words}")

    def request(self, pk: str) -> ApprovalRequest:
        try:
            request = find(UUID(pk))
        except ValueError:
            raise CommandError(f"{pk} is not an id of an action.") from None
        if request is None:
            raise CommandError(f"Nobody is asked about {pk}: no such action waits.")
        return request

    def person(self, username: str) -> User:
        try:
            return User.objects.get(username=username)
        except User.DoesNotExist:
            raise CommandError(f"There is no user named {username}.") from None


def said_checks(expressions: list[str], before: str | None) -> list[dict[str, str]]:
    checks = [conditions.stated({"expression": each}) for each in expressions]
    if before is not None:
        checks.append(conditions.before(before, clock.now()))
    return checks


def said_params(text: str | None) -> dict[str, Any] | None:
    return None if text is None else proposed.read(text)


def sentence(course: Course, person: User, verdict: Vote.Verdict) -> str:
    """Say what happened, and what is still missing."""
    action = course.action
    said = f"{person.get_username()} {SAID[verdict]} {action} ({action.pk})."
    if action.status == Status.PENDING:
        return f"{said} It still waits for others."
    return f"{said} It is {Status(action.status).label.lower()}."
