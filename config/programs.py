"""Which processes make up a running Countersign?"""

from __future__ import annotations

import os
import socket
import sys

from django.conf import settings

from config.supervisor import Child, Supervisor

# Seconds that the queue may be silent. django-q2 is known to get stuck; with Celery,
# silence is more often a broker that is away, and restarting does not bring it back.
PATIENCE = {"q2": 15, "celery": 60}


def open_listener(host: str, port: int) -> socket.socket:
    """Open the port here, so that it stays open while the web process restarts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def supervisor(listener: socket.socket) -> Supervisor:
    children = [_web(listener), *_background()]
    return Supervisor(children, patience=PATIENCE[settings.WORKER])


def _web(listener: socket.socket) -> Child:
    fd = listener.fileno()
    return Child("The web server", _manage("web", "--fd", str(fd)), fds=(fd,))


def _background() -> list[Child]:
    if settings.WORKER == "celery":
        celery = [sys.executable, "-m", "celery", "-q", "-A", "config.celery"]
        workers = str(settings.Q_CLUSTER["workers"])
        worker = [*celery, "worker", "--loglevel", "WARNING", "--concurrency", workers]
        return [
            Child("The worker", [*worker, "--without-mingle"], background=True),
            Child("The clock", [*celery, "beat", "-l", "WARNING"], background=True),
        ]
    return [
        Child("The worker", _manage("work"), background=True),
        Child("The clock", _manage("tick"), background=True),
    ]


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, os.fspath(settings.BASE_DIR / "manage.py"), *arguments]
