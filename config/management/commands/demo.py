"""How does a newcomer see the whole story in a minute? On data of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from approvals import services as approvals
from approvals.models import Vote
from approvals.services import review
from governance import roles, services
from governance.models import Action, User

DATABASE = settings.VAR_DIR / "demo.sqlite3"
# What the server prints, and the mails to approvers.
LOG = settings.VAR_DIR / "demo.log"
PASSWORD = "demo"  # noqa: S105
MARK = "COUNTERSIGN_DEMO"
PEOPLE = {
    "manager": ("Mara Manager", ["customer-service-managers"]),
    "finance": ("Finn Finance", ["finance"]),
    "compliance": ("Cora Compliance", ["Role: compliance"]),
    "admin": ("Ada Admin", []),
}
# What the approvers of AUTO=1 say to which order, and where each refund must end.
VERDICTS = {
    "A-1001": ("manager", Vote.Verdict.APPROVE, "Clear photo, inside the window. Go."),
    "A-1002": ("finance", Vote.Verdict.APPROVE, "Carrier confirmed the loss."),
    "A-1003": ("manager", Vote.Verdict.REJECT, "Ask for a photo first."),
}
EXPECTED = {
    "A-1000": "succeeded",
    "A-1001": "succeeded",
    "A-1002": "succeeded",
    "A-1003": "rejected",
    "A-1004": "blocked",
}


class Command(BaseCommand):
    help = "Play the refund story on a database of its own."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument(
            "--auto", action="store_true", help="Play the approvers as well, then end."
        )

    def handle(self, **options: Any) -> None:
        port, auto = options["port"], options["auto"]
        if MARK not in os.environ:
            start_over(port, auto)
        key = self.prepare()
        url = f"http://localhost:{port}"
        with Running(port) as server:
            server.wait_until_ready()
            self.welcome(url, auto)
            self.play(server, url, key, auto)

    def prepare(self) -> str:
        """Make the database, the people, the rules and the agent. Return its key."""
        self.stdout.write("Preparing a database of its own for the demo…")
        call_command("migrate", verbosity=0)
        roles.make()
        for group in ("customer-service-managers", "finance"):
            Group.objects.get_or_create(name=group)
        for username, (name, groups) in PEOPLE.items():
            make_person(username, name, groups)
        rules = settings.BASE_DIR / "examples" / "refunds.yaml"
        call_command("load_policies", str(rules), verbosity=0, stdout=Quiet())
        return services.issue_key(
            services.create_agent(
                "refund-bot", owner=User.objects.get(username="admin")
            )
        )

    def welcome(self, url: str, auto: bool) -> None:
        if auto:
            self.stdout.write(f"The console is at {url}/admin/.")
        else:
            self.stdout.write(
                f"\n  Log in at {url}/admin/ as manager, finance, compliance or admin."
                f"\n  The password is {PASSWORD} for all of them."
                f"\n  Mails to approvers are written to {LOG.relative_to(Path.cwd())}."
            )
        self.stdout.write("\nAn agent asks for refunds:\n\n")
        self.stdout.flush()

    def play(self, server: Running, url: str, key: str, auto: bool) -> None:
        agent = server.start_agent(url, key)
        if not auto:
            self.stdout.write("")
            agent.wait()
            self.stdout.write(
                "\nThe agent is done. The audit log tells the story: "
                f"{url}/admin/governance/event/\nCtrl-C stops the demo."
            )
            server.serve.wait()
            return
        self.decide_all()
        if agent.wait(timeout=60):
            raise CommandError("The agent ended with an error.")
        self.compare()

    def decide_all(self) -> None:
        """Play the approvers, each as soon as the request is there."""
        for order, (username, verdict, comment) in VERDICTS.items():
            action = wait_for(order)
            request = review.find(action.pk)
            assert request
            approvals.decide(
                request,
                User.objects.get(username=username),
                verdict,
                digest=request.digest,
                comment=comment,
                via="cli",
            )

    def compare(self) -> None:
        found = {a.params["order_id"]: a.status for a in Action.objects.all()}
        wrong = {
            order: found.get(order, "missing")
            for order, status in EXPECTED.items()
            if found.get(order) != status
        }
        if wrong:
            raise CommandError(f"Not as expected: {wrong}.")
        self.stdout.write("\nEvery answer was the expected one.")


class Quiet:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


def start_over(port: int, auto: bool) -> None:
    """Run again as a process that knows of the demo's database only."""
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    for file in DATABASE.parent.glob(f"{DATABASE.name}*"):
        file.unlink()
    env = {
        **os.environ,
        MARK: "1",
        "DATABASE_URL": f"sqlite:///{DATABASE}",
        "PORT": str(port),
        "WORKER": "q2",
        "LOG_LEVEL": "WARNING",
        "EMAIL_URL": "consolemail://",
    }
    again = [sys.executable, "manage.py", "demo", "--port", str(port)]
    os.chdir(settings.BASE_DIR)
    os.execve(sys.executable, [*again, "--auto"] if auto else again, env)  # noqa: S606


def make_person(username: str, name: str, groups: list[str]) -> None:
    first, last = name.split()
    user = User.objects.create_user(
        username,
        f"{username}@example.com",
        PASSWORD,
        first_name=first,
        last_name=last,
        is_staff=True,
        is_superuser=username == "admin",
    )
    user.groups.set(Group.objects.filter(name__in=groups))


def wait_for(order: str) -> Action:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for action in Action.objects.pending():
            if action.params["order_id"] == order:
                return action
        time.sleep(0.1)
    raise CommandError(f"The agent never asked about order {order}.")


class Running:
    """The server and the agent as processes of their own, ended with this block."""

    def __init__(self, port: int) -> None:
        signal.signal(signal.SIGTERM, _stop)
        self.processes = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "manage.py", "serve", "--port", str(port)],
                stdout=LOG.open("wb"),
                stderr=subprocess.STDOUT,
            )
        ]

    @property
    def serve(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc: object) -> bool:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(timeout=30)
        return bool(exc) and exc[0] is KeyboardInterrupt

    def wait_until_ready(self) -> None:
        """Wait for our own server: another one may be listening at this address."""
        deadline = time.monotonic() + 60
        while "Ready: " not in LOG.read_text():
            if self.serve.poll() is not None:
                raise CommandError(LOG.read_text().strip().splitlines()[-1])
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The server is not ready after a minute: see {LOG}."
                )
            time.sleep(0.1)

    def start_agent(self, url: str, key: str) -> subprocess.Popen[bytes]:
        script = Path(settings.BASE_DIR, "examples", "refund_agent.py")
        env = {**os.environ, "COUNTERSIGN_URL": url, "COUNTERSIGN_KEY": key}
        agent = subprocess.Popen([sys.executable, str(script)], env=env)  # noqa: S603
        self.processes.append(agent)
        return agent


def _stop(*signal_and_frame: object) -> None:
    raise KeyboardInterrupt
