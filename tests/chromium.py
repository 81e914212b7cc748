"""A real Chromium for the tests, and a page that notices what goes wrong on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def first_everywhere(*looks: Any) -> list[Any]:
    """Return what to walk through in: all on SQLite, the first on every database.

    The database behind a page does not change with its size or its colours.
    """
    first, *others = looks
    marks = pytest.mark.looks
    return [
        first,
        *(
            pytest.param(*(look if isinstance(look, tuple) else [look]), marks=marks)
            for look in others
        ),
    ]


@contextmanager
def launched() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "The browser test needs chromium: apt-get install chromium."
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


def watch(page: Page, url: str) -> list[str]:
    """Return a list that fills with every error, and every request to elsewhere."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on(
        "request",
        lambda sent: (
            None if sent.url.startswith((url, "data:")) else wrong.append(sent.url)
        ),
    )
    return wrong


def keep(page: Page, name: str) -> None:
    """Keep a picture where ``SCREENSHOTS=directory`` says."""
    if directory := os.environ.get("SCREENSHOTS"):
        size = f"{page.viewport_size['width']}" if page.viewport_size else ""
        page.screenshot(path=Path(directory, f"{name}-{size}.png"), full_page=True)
