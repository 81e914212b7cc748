from __future__ import annotations

import socket
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Serves the console and the API on a socket that is already open (`serve`)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fd", type=int, required=True, help="of the socket")

    def handle(self, *, fd: int, **options: Any) -> None:
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
        uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd)])
