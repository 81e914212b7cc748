"""Runs a command that does not outlive the process which started it.

``python -m config.tied PARENT COMMAND…``: whatever kills the parent, even ``kill -9``,
the kernel kills the command with it. Only Linux knows how; elsewhere it just runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process as soon as its parent is gone."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the kernel knew of our wish.
    if os.getppid() != parent:
        os._exit(1)


def die_with_forker() -> None:
    """Have every process that this one forks from now on die with its forker."""
    forker = os.getpid()

    def in_child() -> None:
        nonlocal forker
        die_with(forker)
        forker = os.getpid()

    os.register_at_fork(after_in_child=in_child)


if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    die_with(int(parent))
    os.execvp(command[0], command)  # noqa: S606
