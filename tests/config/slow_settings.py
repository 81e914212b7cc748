"""The settings, and one job more that nobody's clock ever brings."""

from __future__ import annotations

from config.settings import *  # noqa: F403
from config.settings import JOBS as REAL_JOBS

JOBS = {**REAL_JOBS, "tests.config.slow_job.run": 3600}
