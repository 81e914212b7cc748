"""One thing has one name: in the sidebar, above the page, and in the browser's tab."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.test import Client
from django.utils.text import capfirst

from config.console import DELEGATIONS, PLACES, QUEUE
from policies.models import Flow
from tests.pages import browser, root

LISTS = [(title, model) for _, places in PLACES for title, _, model in places]
LISTS += [("Approvals", QUEUE), ("Stand-ins", DELEGATIONS)]


@pytest.mark.parametrize(("title", "model"), LISTS)
def test_a_list_is_called_alike_everywhere(title: str, model: str) -> None:
    named = apps.get_model(model.replace("_", "."))._meta.verbose_name_plural

    assert capfirst(str(named)) == title


def test_a_list_asks_nobody_to_select(refund_rules: None) -> None:
    page = browser(root()).get("/admin/governance/agent/").content.decode()

    titles = re.findall(r"<title>(.*?)</title>", page, re.DOTALL)
    assert [title.strip() for title in titles] == ["Agents | Countersign"]
    assert "Select agent" not in page


def test_a_name_keeps_its_letters(refund_rules: None) -> None:
    flow = Flow.objects.get(name="managers").pk
    page = browser(root()).get(f"/admin/policies/flow/{flow}/change/").content.decode()

    assert ">managers<" in "".join(page.split())
    assert ">Managers<" not in "".join(page.split())


def test_whoever_leaves_is_told_so_plainly(db: None, client: Client) -> None:
    me = browser(root())
    page = me.post("/admin/logout/").content.decode()

    assert "You have logged out" in page
    assert "quality time" not in page
    assert "Return to site" not in client.get("/admin/login/").content.decode()
