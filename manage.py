#!/usr/bin/env python
"""Run Countersign's commands."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whoever reads along through a pipe sees each line when it is written.
        sys.stdout.reconfigure(line_buffering=True)

    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    try:
        execute_from_command_line(sys.argv)
    except DatabaseError:
        from config import unready

        if reason := unready.reason():
            sys.exit(reason)
        raise


if __name__ == "__main__":
    main()
