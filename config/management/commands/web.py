from __future__ import annotations

import socket
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config import programs


class Command(BaseCommand):
    help = "Serves the console and the API, and nothing else."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--fd", type=int, help="of a socket that is open already")

    def handle(self, *, host: str, port: int, fd: int | None, **options: Any) -> None:
        module, _, name = settings.ASGI_APPLICATION.rpartition(".")
        config = uvicorn.Config(
            f"{module}:{name}",
            http="h11",
            ws="none",
            h11_max_incomplete_event_size=32 * 1024,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
            log_level="warning",
            # Agents that wait ask again: nobody has to wait for them.
            timeout_graceful_shutdown=3,
        )
        if fd is None:
            listener = programs.open_listener(host, port)
        else:
            listener = socket.socket(fileno=fd)
        uvicorn.Server(config).run(sockets=[listener])
