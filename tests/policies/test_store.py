from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from policies import engine, services, store
from policies.bodies import Subject
from policies.models import Policy, RuleSet
from policies.rules import Decision, Default, OnTimeout
from tests.policies.making import asking, factor, flow, make_lookback, policy

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    return [each.name for each in store.current().rules.policies]


def test_no_rules_are_rules_too() -> None:
    rules = store.rule_set()

    assert (rules.policies, rules.default, rules.revision) == ((), None, 0)


def test_rules_arrive_as_they_were_saved() -> None:
    make_lookback(sum="params.amount")
    services.save(Subject.FLOW, flow("first"))
    services.save(Subject.FLOW, flow(on_timeout="escalate", escalate_to=["bosses"]))
    services.save(Subject.POLICY, asking(when="params.amount > 50"))
    services.save(Subject.RISK_FACTOR, factor())
    services.save(Subject.ACTION_TYPE, {"name": "refund.create", "grant": "2h"})
    services.save(Subject.RESOURCE, {"type": "order", "sensitivity": 10})
    services.save(Subject.DEFAULT, {"decision": "REQUIRE_APPROVAL", "flow": "managers"})

    rules = store.rule_set()

    (large,) = rules.policies
    assert (large.version, large.decision) == (1, Decision.REQUIRE_APPROVAL)
    assert large.actions == ("refund.create",)
    first, managers = rules.flows
    assert (first.position, managers.position) == (0, 1)
    assert managers.stages[0].on_timeout is OnTimeout.ESCALATE
    assert managers.stages[0].escalate_to == ("bosses",)
    assert rules.lookbacks[0].window == timedelta(days=30)
    assert rules.action_types[0].grant.total_seconds() == 7200
    assert rules.resources[0].id == "*"
    assert rules.default == Default(Decision.REQUIRE_APPROVAL, "managers")
    assert rules.revision == 8


def test_versions_are_those_on_record() -> None:
    services.save(Subject.POLICY, policy())
    services.save(Subject.POLICY, policy(reason="Because."))

    assert store.rule_set().policies[0].version == 2


def test_retired_policies_are_left_out() -> None:
    services.save(Subject.POLICY, policy())
    services.retire("small")

    assert names() == []


def test_unchanged_rules_cost_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    services.save(Subject.POLICY, policy())
    first = store.current()

    with django_assert_num_queries(1):
        assert store.current() is first


def test_a_change_is_in_force_with_the_next_question() -> None:
    services.save(Subject.POLICY, policy("one"))
    assert names() == ["one"]

    services.save(Subject.POLICY, policy("two"))

    assert names() == ["one", "two"]


def test_what_was_rolled_back_is_forgotten() -> None:
    services.save(Subject.POLICY, policy("one"))
    with transaction.atomic():
        services.save(Subject.POLICY, policy("two"))
        assert names() == ["one", "two"]
        transaction.set_rollback(True)

    assert names() == ["one"]
    services.save(Subject.POLICY, policy("three"))
    assert names() == ["one", "three"]


def test_rules_that_change_while_they_are_read_are_read_again() -> None:
    services.save(Subject.POLICY, policy("one"))
    read, changes = store.rule_set, iter([policy("two")])

    def read_late() -> object:
        found = read()
        for body in changes:
            services.save(Subject.POLICY, body)
        return found

    with patch("policies.store.rule_set", read_late):
        assert names() == ["one", "two"]


@pytest.mark.django_db(transaction=True)
def test_many_threads_compile_once() -> None:
    services.save(Subject.POLICY, policy())
    together = Barrier(4)

    def ask(_: int) -> engine.CompiledRules:
        together.wait(10)
        found = store.current()
        connection.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        found = set(map(id, pool.map(ask, range(4))))

    assert len(found) == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_in_another_process_is_in_force_at_once() -> None:
    services.save(Subject.POLICY, policy("one"))
    assert names() == ["one"]
    settings = connection.settings_dict
    change = f"""
import django
from django.conf import settings
django.setup()
settings.DATABASES["default"]["NAME"] = {settings["NAME"]!r}
from policies import services
from policies.bodies import Subject
services.retire("one")
"""

    subprocess.run([sys.executable, "-c", change], check=True)

    assert names() == []


@pytest.mark.django_db(transaction=True)
def test_a_rule_set_is_one_row() -> None:
    services.save(Subject.POLICY, policy("one"))
    services.save(Subject.POLICY, policy("two"))

    assert RuleSet.objects.get().revision == 2
    assert Policy.objects.count() == 2
