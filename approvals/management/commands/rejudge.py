from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from approvals import drift, services
from approvals.models import ApprovalRequest
from approvals.services.review import find
from governance.errors import Refused
from governance.models import Status, User


class Command(BaseCommand):
    help = "Have waiting requests judged by the rules of now. Approvals start anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="ID", help="an action's id")
        parser.add_argument(
            "--drifted",
            action="store_true",
            help="all to which the rules of now say something else",
        )
        parser.add_argument("--as", required=True, dest="person", metavar="USERNAME")

    def handle(self, **options: Any) -> None:
        if bool(options["ids"]) == options["drifted"]:
            raise CommandError("Name the ids of actions, or give --drifted.")
        person = self.person(options["person"])
        requests = self.drifted() if options["drifted"] else self.named(options["ids"])
        refused = sum(not self.judge(request, person) for request in requests)
        said = f"{len(requests) - refused} judged again, {refused} refused."
        if refused:
            raise CommandError(said)
        self.stdout.write(said)

    def judge(self, request: ApprovalRequest, person: User) -> bool:
        try:
            action = services.rejudge(request, person).action
        except Refused as refusal:
            self.stderr.write(f"{request.action_id}: {refusal}")
            return False
        status = Status(action.status).label.lower()
        self.stdout.write(f"{request} ({action.pk}) is {status}.")
        return True

    def drifted(self) -> list[ApprovalRequest]:
        """Return what has drifted by now, whether or not a worker has looked."""
        while drift.check():
            pass
        return list(ApprovalRequest.objects.drifted().order_by("pk"))

    def named(self, ids: list[str]) -> list[ApprovalRequest]:
        return [self.request(pk) for pk in ids]

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
