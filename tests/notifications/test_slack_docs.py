"""What docs/slack.md tells people is what there is: the message, and the app.

``PICTURES=docs/images pytest tests/notifications/test_slack_docs.py`` renews both the
message and its picture.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Group
from django.urls import reverse

from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.models import Place
from tests import chromium
from tests.cast import AgentClient
from tests.notifications import slackpicture
from tests.notifications.slackserver import SlackServer, faults_of
from tests.test_architecture import ROOT, modules

IMAGES = ROOT / "docs" / "images"
SAMPLE = IMAGES / "slack-refund.json"
MANIFEST = ROOT / "docs" / "slack" / "manifest.yaml"
# What each method takes: https://docs.slack.dev/reference/methods
SCOPES = {
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "users.info": {"users:read", "users:read.email"},
    "auth.test": set(),
    "views.open": set(),
}
# What is another one each time.
VARYING = (
    (
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "01939c9e-0000-7000-8000-000000000000",
    ),
    (r"\d\d [A-Z][a-z]{2} \d{4}, \d\d:\d\d UTC", "22 Nov 2026, 10:00 UTC"),
    (r"http://localhost:\d+", "https://approvals.example.com"),
)


@pytest.fixture
def blocks(
    api: AgentClient, slack: SlackServer, refund_rules: None, managers: Group
) -> list[dict[str, Any]]:
    """The message about the refund of $75, as the documents show it."""
    Place.objects.create(
        title="#refunds", channel="slack", address="C0REFUNDS", group=managers
    )
    api.submit(
        resource={"type": "order", "id": "A-1001"},
        reason="Customer reports a cracked screen; order is inside the return window.",
        context={"order_total": 129, "return_window_ends": "2026-12-01"},
    )
    publish_events()
    send_due()
    found: list[dict[str, Any]] = json.loads(
        settled(json.dumps(slack.posted[0]["blocks"]))
    )
    return found


def settled(text: str) -> str:
    for pattern, fixed in VARYING:
        text = re.sub(pattern, fixed, text)
    return text


@pytest.mark.django_db
def test_the_message_in_the_documents_is_the_one_that_is_sent(
    blocks: list[dict[str, Any]], alice: User
) -> None:
    text = json.dumps({"blocks": blocks}, indent=2, ensure_ascii=False) + "\n"
    if directory := os.environ.get("PICTURES"):
        Path(directory, SAMPLE.name).write_text(text)

    assert text == SAMPLE.read_text()
    assert not list(faults_of(blocks))


@pytest.mark.slow
@pytest.mark.looks
def test_the_picture_of_it_can_be_taken() -> None:
    blocks = json.loads(SAMPLE.read_text())["blocks"]
    with chromium.launched() as browser:
        page = browser.new_page(
            viewport={"width": 700, "height": 400}, device_scale_factor=2
        )
        page.set_content(slackpicture.page(blocks))
        assert page.locator(".button").count() == 4
        assert page.locator(".primary").inner_text() == "Approve…"
        assert "cracked screen" in page.content()
        if directory := os.environ.get("PICTURES"):
            picture = Path(directory, "slack-refund.png")
            page.screenshot(path=picture, full_page=True)


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    return found


def called() -> set[str]:
    """Return the methods of Slack's that the code names."""
    source = "\n".join(module.read_text() for module in modules("notifications"))
    return set(re.findall(r'"((?:chat|users|auth|views|conversations)\.\w+)"', source))


def test_the_app_may_do_what_is_done_and_nothing_else() -> None:
    assert called() == set(SCOPES)
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == {
        scope for needed in SCOPES.values() for scope in needed
    }


def test_what_people_press_comes_to_us() -> None:
    settings = manifest()["settings"]

    assert settings["interactivity"]["is_enabled"]
    assert settings["interactivity"]["request_url"].endswith(reverse("slack-interact"))
    assert not settings["socket_mode_enabled"]
    assert "event_subscriptions" not in settings


def test_people_can_be_written_to() -> None:
    features = manifest()["features"]

    assert features["app_home"]["messages_tab_enabled"]
    assert features["bot_user"]["display_name"] == "Countersign"
    assert len(manifest()["display_information"]["description"]) <= 140
