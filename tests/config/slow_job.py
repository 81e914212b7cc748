"""A job that takes too long the first time, for a worker that is killed meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path


def run() -> int:
    diary = Path(os.environ["SLOW_JOB_DIARY"])
    with diary.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(diary.read_text().split()) == 1:
        time.sleep(50)
    return 0
