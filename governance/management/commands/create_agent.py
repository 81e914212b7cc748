from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from governance import services
from governance.errors import Refused
from governance.models import User


class Command(BaseCommand):
    help = "Create an agent and print its key, once, as the only line on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", metavar="USERNAME")
        parser.add_argument("--environment", default="production")
        parser.add_argument("--tag", action="append", default=[], dest="tags")

    @transaction.atomic
    def handle(self, **options: Any) -> None:
        try:
            agent = services.create_agent(
                options["name"],
                owner=self.owner(options["owner"]),
                environment=options["environment"],
                tags=options["tags"],
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(services.issue_key(agent))

    def owner(self, username: str | None) -> User | None:
        if username is None:
            return None
        try:
            return User.objects.get(username=username)
        except User.DoesNotExist:
            raise CommandError(f"There is no user named {username}.") from None
