"""Runs every benchmark, or those that are named: ``python -m bench policies``.

Each module of this package with a function ``measure`` is one. It yields figures. The
exit code is 1 if one of them is beyond its limit.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import bench
from bench.figures import Figure, table, write

RESULTS = Path("var/bench.json")


def main(*names: str) -> int:
    figures = [figure for name in names or _all() for figure in _measure(name)]
    write(figures, RESULTS)
    sys.stdout.write("\n".join(["", *table(figures), "", f"Kept in {RESULTS}.", ""]))
    return 0 if all(figure.kept for figure in figures) else 1


def _all() -> list[str]:
    return [each.name for each in pkgutil.iter_modules(bench.__path__)]


def _measure(name: str) -> Iterator[Figure]:
    module = importlib.import_module(f"bench.{name}")
    if hasattr(module, "measure"):
        sys.stderr.write(f"Measuring {name}…\n")
        yield from module.measure()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
