"""The rules in the console: saved by the services, checked at the field, never deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from governance.ledger import Kind
from governance.models import ActionType, Event, Resource
from policies import services
from policies.bodies import Subject
from policies.models import Flow, Lookback, Policy, RiskFactor, RuleSet, Version
from tests.pages import browser, permit, queries, root
from tests.policies.making import asking, factor, flow, lookback, policy

POLICIES = "/admin/policies/policy/"
FLOWS = "/admin/policies/flow/"


@pytest.fixture
def console(db: None) -> Client:
    return browser(root())


def page(row: Any, what: str = "change") -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    if what == "change":
        return reverse(f"{name}_change", args=[row.pk])
    return reverse(f"{name}_{what}", args=[row.pk])


def policy_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "actions": "refund.create",
        "when": "params.amount < 50",
        "decision": "ALLOW",
        "flow": "",
        "reason": "Small refunds go through.",
        "mode": "enforce",
        "note": "",
        **fields,
    }


def stage_form(number: int = 0, **fields: Any) -> dict[str, Any]:
    stage = {
        "id": "",
        "flow": "",
        "name": "Manager",
        "groups": [],
        "approvals": "1",
        "step": "",
        "sla": "",
        "timeout": "4h",
        "on_timeout": "reject",
        "escalate_to": [],
        "auto_approve_max_risk": "",
        **fields,
    }
    return {f"stages-{number}-{name}": value for name, value in stage.items()}


def flow_form(*stages: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    form = {
        "name": "managers",
        "note": "",
        "stages-TOTAL_FORMS": str(len(stages)),
        "stages-INITIAL_FORMS": str(initial),
    }
    for number, stage in enumerate(stages):
        form |= stage_form(number, **stage)
    return form


def complaint(client: Client, url: str, fields: dict[str, Any]) -> str:
    answer = client.post(url, fields)
    assert answer.status_code == 200, "it was saved"
    return answer.content.decode()


def test_a_policy_is_created_with_a_version_and_an_event(console: Client) -> None:
    answer = console.post(f"{POLICIES}add/", policy_form(note="We begin."))

    assert answer.status_code == 302
    assert Policy.objects.get().when == "params.amount < 50"
    version = Version.objects.get()
    assert (version.number, version.revision.note, str(version.revision.author)) == (
        1,
        "We begin.",
        "root",
    )
    event = Event.objects.get(kind=Kind.POLICY_CHANGED)
    assert event.actor_name == "root"


def test_a_change_makes_the_next_version(console: Client) -> None:
    services.save(Subject.POLICY, policy())
    row = Policy.objects.get()

    console.post(page(row), policy_form(when="params.amount < 40", note="Too many."))

    row.refresh_from_db()
    assert (row.version, row.when) == (2, "params.amount < 40")
    shown = console.get(page(row)).content.decode()
    assert "Too many." in shown
    assert "when: nothing → params.amount &lt; 40" in shown


def test_saving_it_unchanged_makes_no_version(console: Client) -> None:
    console.post(f"{POLICIES}add/", policy_form())

    console.post(page(Policy.objects.get()), policy_form())

    assert Version.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"when": "params.amount <"}, "when", "column"),
        ({"when": "amount < 50"}, "when", "amount"),
        ({"when": "history.nothing.count == 0"}, "when", "nothing"),
        ({"actions": "Refund!"}, "actions", "is no pattern"),
        ({"decision": "REQUIRE_APPROVAL"}, "flow", "REQUIRE_APPROVAL needs one"),
        ({"name": "Not A Slug"}, "name", "lower-case"),
    ],
)
def test_a_problem_is_shown_at_its_field(
    console: Client, fields: dict[str, str], field: str, words: str
) -> None:
    answer = console.post(f"{POLICIES}add/", policy_form(**fields))

    errors = answer.context["adminform"].form.errors
    assert words in str(errors.pop(field))
    assert not errors
    assert not Policy.objects.exists()
    assert not Version.objects.exists()


def test_line_breaks_of_a_browser_are_no_change(console: Client) -> None:
    when = "params.amount < 50\r\n  && risk < 10"
    console.post(f"{POLICIES}add/", policy_form(when=when))

    assert Policy.objects.get().when == "params.amount < 50\n  && risk < 10"


def test_a_second_rule_of_a_name_is_refused(console: Client) -> None:
    services.save(Subject.POLICY, policy())

    assert "already" in complaint(console, f"{POLICIES}add/", policy_form())
    assert Version.objects.count() == 1


def test_the_name_stays(console: Client) -> None:
    services.save(Subject.POLICY, policy())

    console.post(page(Policy.objects.get()), policy_form(name="other"))

    assert Policy.objects.get().name == "small"


def test_a_policy_is_retired_with_a_reason_by_a_post(console: Client) -> None:
    services.save(Subject.POLICY, policy())
    url = page(Policy.objects.get(), "retire")

    console.get(url)
    console.post(url, {"note": ""})
    assert Policy.objects.get().mode == "enforce"

    console.post(url, {"note": "No longer needed."})
    assert Policy.objects.get().mode == "retired"
    assert Version.objects.first().revision.note == "No longer needed."  # type: ignore[union-attr]


def test_nothing_is_deleted(console: Client) -> None:
    services.save(Subject.POLICY, policy())

    answer = console.post(f"{page(Policy.objects.get())}../delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert Policy.objects.exists()


def test_a_flow_is_saved_with_its_stages(
    console: Client, managers: Group, finance: Group
) -> None:
    first = {"groups": [managers.pk], "on_timeout": "escalate"}
    second = {"name": "Finance", "groups": [finance.pk], "approvals": "2"}

    answer = console.post(
        f"{FLOWS}add/", flow_form({**first, "escalate_to": [finance.pk]}, second)
    )

    assert answer.status_code == 302
    one, two = Flow.objects.get().stages.all()
    assert (one.step, two.step, two.approvals) == (1, 2, 2)
    assert [group.name for group in one.escalate_to.all()] == ["finance"]


def test_a_problem_of_a_stage_is_shown_there(console: Client, managers: Group) -> None:
    stage = {"groups": [managers.pk], "sla": "5h", "timeout": "4h"}

    answer = console.post(f"{FLOWS}add/", flow_form(stage))

    formset = answer.context["inline_admin_formsets"][0].formset
    assert "before the timeout" in str(formset.forms[0].errors["sla"])
    assert not Flow.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("timeout", "four hours", "is not a duration"),
        ("groups", [], "required"),
        ("approvals", "0", "0"),
        ("auto_approve_max_risk", "10", "Leave auto_approve_max_risk out"),
    ],
)
def test_stages_are_checked(
    console: Client, managers: Group, field: str, value: Any, words: str
) -> None:
    stage = {"groups": [managers.pk], field: value}

    assert words in complaint(console, f"{FLOWS}add/", flow_form(stage))
    assert not Flow.objects.exists()


def test_a_flow_without_stages_is_refused(console: Client) -> None:
    complaint(console, f"{FLOWS}add/", flow_form())

    assert not Flow.objects.exists()


def test_a_stage_is_changed_and_another_taken_out(
    console: Client, managers: Group, finance: Group
) -> None:
    groups = {"groups": [managers.name]}
    two = flow(
        "managers",
        {**groups, "name": "A", "timeout": "1h"},
        {**groups, "name": "B", "timeout": "1h"},
    )
    services.save(Subject.FLOW, two)
    row = Flow.objects.get()
    a, b = row.stages.all()
    keep = {
        "id": a.pk,
        "flow": row.pk,
        "name": "A",
        "groups": [finance.pk],
        "step": "1",
    }
    gone = {"id": b.pk, "flow": row.pk, "name": "B", "groups": [managers.pk]}

    fields = flow_form(keep, {**gone, "DELETE": "on"}, initial=2)
    assert console.post(page(row), fields).status_code == 302

    [stage] = row.stages.all()
    assert (stage.name, str(stage.timeout)) == ("A", "4:00:00")
    assert [group.name for group in stage.groups.all()] == ["finance"]
    assert Version.objects.filter(subject=Subject.FLOW).count() == 2


def test_a_flow_in_use_is_not_removed(console: Client) -> None:
    services.save(Subject.FLOW, flow())
    services.save(Subject.POLICY, asking())

    answer = console.post(
        page(Flow.objects.get(), "remove"), {"note": "Gone."}, follow=True
    )

    assert "still used by policy large" in answer.content.decode()
    assert Flow.objects.exists()


def test_the_default_is_set_and_taken_away(console: Client) -> None:
    services.save(Subject.FLOW, flow())
    url = "/admin/policies/ruleset/1/change/"
    asks = {
        "default_decision": "REQUIRE_APPROVAL",
        "default_flow": Flow.objects.get().pk,
    }

    console.post(url, {**asks, "note": ""})
    assert RuleSet.objects.get().default_decision == "REQUIRE_APPROVAL"

    nothing = {"default_decision": "", "default_flow": "", "note": ""}
    console.post(url, nothing)
    console.post(url, nothing)
    assert RuleSet.objects.get().default_decision == ""
    assert Version.objects.filter(subject=Subject.DEFAULT).count() == 2


def test_the_default_can_be_set_before_any_rule_exists(console: Client) -> None:
    fields = {"default_decision": "BLOCK", "default_flow": "", "note": ""}

    console.post("/admin/policies/ruleset/1/change/", fields)

    assert RuleSet.objects.get().default_decision == "BLOCK"


def test_lookbacks_factors_and_the_catalogue_are_saved_alike(console: Client) -> None:
    forms: dict[str, dict[str, Any]] = {
        "policies/lookback": {
            "name": "customer_refunds",
            "actions": "refund.create",
            "key": "params.customer_id",
            "window": "30d",
            "time_zone": "UTC",
            "sum": "",
        },
        "policies/riskfactor": {
            "name": "large",
            "actions": "*",
            "when": "params.amount > 500",
            "points": "40",
        },
        "governance/actiontype": {
            "name": "refund.create",
            "title": "Refund",
            "summary": "Refund {params.amount}",
            "base_risk": "20",
            "grant": "30m",
            "params_schema": '{"type": "object"}',
        },
        "governance/resource": {"type": "order", "pattern": "*", "sensitivity": "10"},
    }

    for place, fields in forms.items():
        answer = console.post(f"/admin/{place}/add/", {**fields, "note": ""})
        assert answer.status_code == 302, answer.content.decode()

    assert Lookback.objects.get().window == "30d"
    assert RiskFactor.objects.get().points == 40
    assert ActionType.objects.get().params_schema == {"type": "object"}
    assert Resource.objects.get().sensitivity == 10
    assert Version.objects.count() == 4


def test_a_lookback_says_what_it_counts(console: Client) -> None:
    fields = {
        "name": "agent_day",
        "actions": "refund.create",
        "key": "agent.name, params.customer_id",
        "window": "day",
        "time_zone": "Europe/Berlin",
        "sum": "params.amount",
        "distinct": "params.iban",
        "decision": "ALLOW",
        "note": "",
    }

    console.post("/admin/policies/lookback/add/", fields)

    saved = Lookback.objects.get()
    assert {name: getattr(saved, name) for name in ("window", "distinct")} == {
        "window": "day",
        "distinct": "params.iban",
    }
    shown = console.get("/admin/policies/lookback/").content.decode()
    for words in (
        "agent.name, params.customer_id",
        "day, Europe/Berlin",
        "count, sum of params.amount, different params.iban",
        "Allow",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("window", "fortnight", "is not a duration"),
        ("key", "agent.owner", "write a path like"),
        ("distinct", "iban", "write a path like"),
        ("time_zone", "Europe/Berln", "Did you mean Europe/Berlin?"),
    ],
)
def test_a_lookback_is_checked_at_its_field(
    console: Client, field: str, value: str, words: str
) -> None:
    fields = {**lookback(), "actions": "refund.create", "time_zone": "UTC", "note": ""}

    answer = console.post("/admin/policies/lookback/add/", {**fields, field: value})

    assert words in "".join(answer.context["adminform"].form.errors[field])
    assert not Lookback.objects.exists()


def test_a_lookback_is_removed_with_a_reason(console: Client) -> None:
    services.save(Subject.LOOKBACK, lookback())

    console.post(page(Lookback.objects.get(), "remove"), {"note": "Unused."})

    assert not Lookback.objects.exists()
    assert Version.objects.first().revision.note == "Unused."  # type: ignore[union-attr]


def test_who_may_only_look_changes_nothing(db: None, charlie: Any) -> None:
    services.save(Subject.POLICY, policy())
    permit(charlie, "policies.view_policy")
    client, row = browser(charlie), Policy.objects.get()

    assert client.get(page(row)).status_code == 200
    assert client.post(page(row), policy_form(when="false")).status_code == 403
    assert client.post(page(row, "retire"), {"note": "x"}).status_code == 403
    assert Version.objects.count() == 1


@pytest.mark.parametrize(
    ("subject", "make", "place"),
    [
        (Subject.POLICY, asking, "policies/policy"),
        (Subject.FLOW, flow, "policies/flow"),
        (Subject.LOOKBACK, lookback, "policies/lookback"),
        (Subject.RISK_FACTOR, factor, "policies/riskfactor"),
        (
            Subject.ACTION_TYPE,
            lambda name: {"name": name.replace("-", "_")},
            "governance/actiontype",
        ),
        (
            Subject.RESOURCE,
            lambda name: {"type": "order", "id": name},
            "governance/resource",
        ),
    ],
)
def test_lists_cost_the_same_for_one_and_eleven(
    console: Client, subject: Subject, make: Any, place: str
) -> None:
    services.save(Subject.FLOW, flow())
    services.save(subject, make("rule_0" if subject == Subject.LOOKBACK else "rule-0"))
    one = queries(console, f"/admin/{place}/")
    for number in range(1, 11):
        dash = "_" if subject == Subject.LOOKBACK else "-"
        services.save(subject, make(f"rule{dash}{number}"))

    assert len(queries(console, f"/admin/{place}/")) == len(one)
