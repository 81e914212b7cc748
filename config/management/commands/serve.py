from __future__ import annotations

import http.client
import os
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import programs, start


class Command(BaseCommand):
    help = "Runs everything: migrates, then web server, worker and clock until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        try:
            listener = programs.open_listener(host, port)
        except OSError as problem:
            raise CommandError(f"Port {port} on {host}: {problem.strerror}.") from None
        # Addresses in messages carry it, and the worker writes those.
        os.environ["PORT"] = str(listener.getsockname()[1])
        self.prepare()
        with listener, programs.supervisor(listener) as supervisor:
            ready = False
            while not supervisor.stopping:
                supervisor.tend()
                if not ready and (ready := answers(listener)):
                    self.stdout.write(f"Ready: {console(listener)} (Ctrl-C stops it)")

    def prepare(self) -> None:
        new = start.prepare()
        # From here on nobody needs to know it, and the children would inherit it.
        os.environ.pop("DJANGO_SUPERUSER_PASSWORD", None)
        if new:
            self.stdout.write(
                f"The first administrator is {new.username}, password {new.password} "
                "(shown this once; change it after logging in)."
            )


def answers(listener: socket.socket) -> bool:
    """Whether /readyz answers, with anything but 503."""
    host, port = listener.getsockname()[:2]
    probe = http.client.HTTPConnection(host, port, timeout=1)
    try:
        probe.request("GET", "/readyz", headers={"Host": f"localhost:{port}"})
        return probe.getresponse().status != 503
    except (OSError, http.client.HTTPException):
        return False
    finally:
        probe.close()


def console(listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    url = settings.PUBLIC_URL if port == settings.PORT else f"http://localhost:{port}"
    return f"{url}/admin/"
