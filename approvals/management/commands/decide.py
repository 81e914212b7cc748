from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from approvals import services
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from approvals.services.review import find
from governance.errors import Refused
from governance.models import Status, User

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
            "--digest", help="what the person was shown; refused if it has changed"
        )

    def handle(self, **options: Any) -> None:
        request = self.request(options["id"])
        person = self.person(options["person"])
        verdict = VERDICTS[options["verdict"]]
        try:
            course = services.decide(
                request,
                person,
                verdict,
                digest=options["digest"] or request.digest,
                comment=options["comment"],
                conditions=options["conditions"],
                via="cli",
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(sentence(course, person, verdict))

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


def sentence(course: Course, person: User, verdict: Vote.Verdict) -> str:
    """Say what happened, and what is still missing."""
    action = course.action
    said = f"{person.get_username()} {SAID[verdict]} {action} ({action.pk})."
    if action.status == Status.PENDING:
        return f"{said} It still waits for others."
    return f"{said} It is {Status(action.status).label.lower()}."
