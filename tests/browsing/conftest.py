"""The console in a real Chromium, served by this process from its own database.

``console`` opens a page as somebody: ``console(alice, size="phone", scheme="dark")``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.test import Client
from playwright._impl._api_structures import SetCookieParam
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from governance.models import User
from tests import chromium


class Console(Protocol):
    def __call__(
        self,
        person: User | None,
        *,
        size: str = "desktop",
        scheme: str = "light",
        scripts: bool = True,
    ) -> Page: ...


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Playwright runs a loop in this thread; what it calls back is never the database.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with chromium.launched() as found:
            yield found


@pytest.fixture
def console(browser: Browser, live_server: LiveServer) -> Iterator[Console]:
    """Open pages as somebody, or nobody. Errors in scripts or of files fail the test.

    What the console refuses (409) is a page, though Chromium calls it an error.
    """
    wrong: list[str] = []
    with ExitStack() as stack:

        def opened(
            person: User | None,
            *,
            size: str = "desktop",
            scheme: str = "light",
            scripts: bool = True,
        ) -> Page:
            width, height = chromium.SIZES[size]
            context = browser.new_context(
                base_url=live_server.url,
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                java_script_enabled=scripts,
            )
            stack.callback(context.close)
            if person:
                context.add_cookies([_session_of(person, live_server.url)])
            page = context.new_page()
            page.set_default_timeout(15_000)
            seen = chromium.watch(page, live_server.url)
            stack.callback(lambda: wrong.extend(seen))
            return page

        yield opened
    assert not [said for said in wrong if said and "status of 409" not in said]


def _session_of(person: User, url: str) -> SetCookieParam:
    client = Client()
    client.force_login(person, "django.contrib.auth.backends.ModelBackend")
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    return {"name": settings.SESSION_COOKIE_NAME, "value": value, "url": url}


STILL = (
    "*, *::before, *::after { transition: none !important; animation: none !important }"
)


# Of what it could find out, only what is wrong is of use; no sound plays that would
# have to be loaded first.
ASK_AXE = """axe.run({resultTypes: ["violations"], preload: false})
    .then(found => found.violations)"""


def serious(page: Page) -> list[str]:
    """Return what axe finds that is serious or critical: rule and place.

    Colours are looked at where they end, not on their way.
    """
    page.add_style_tag(content=STILL)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in page.evaluate(ASK_AXE)
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
