from __future__ import annotations

from textwrap import dedent

import pytest

from policies import bodies, files
from policies.bodies import Subject
from policies.documents import Mistaken

FLOW = """
flows:
  - name: managers
    stages:
      - {name: Manager, groups: [managers], timeout: 4h}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(Mistaken) as caught:
        files.parse(dedent(text).lstrip("\n").encode()).wish(bodies.empty())
    return [str(mistake) for mistake in caught.value.mistakes]


def wish(text: str) -> bodies.State:
    return files.parse(dedent(text).lstrip("\n").encode()).wish(bodies.empty())


def stage(fields: str) -> str:
    return f"flows:\n  - name: f\n    stages:\n      - {{name: S, {fields}}}"


def policy(fields: str) -> str:
    return f"version: 1\npolicies:\n  - {{name: p, actions: [a.b], {fields}}}"


def catalogued(fields: str) -> str:
    return f"action_types:\n  - {{name: a.b, {fields}}}"


LOOKBACK = "lookbacks:\n  - {name: l, actions: [a], key: params.x, window: 1d}\n"

REFUSED = [
    # What is no tree of values at all
    ("", "1: The file is empty."),
    ("a: b: c", "1: This is not YAML"),
    ("version: 1\n\tpolicies: []", "2: This is not YAML"),
    ("version: 1\n---\nversion: 1", "2: This is not YAML"),
    ("policies: *nowhere", "1: This is not YAML"),
    ("version: 1\nname: \x01", "2: The file contains a character YAML forbids"),
    ("- policies", "1: A policy file is a mapping"),
    ("[" * 100, "1: Nest at most 32 levels deep"),
    ("version: 1\npolicies: &a [*a]", "2: Nest at most 32 levels deep"),
    # Keys
    ("policies: []\npolicies: []", "2: policies: This key is here twice"),
    ("policys: []", "1: policys: There is no such section. Did you mean policies?"),
    ("? [a]\n: 1", "1: Keys must be plain text"),
    ("version: 2", "1: version: Write version: 1."),
    ("version: true", "1: version: Write version: 1."),
    ("policies: {a: 1}", "1: policies: Write a list here"),
    ("policies:", "1: policies: Write a list here"),
    ("policies:\n  - just text", "2: policies[0]: Write the fields name"),
    ("resources:\n  - {type: a}\n  - {<<: 5, type: b}", "3: resources[1]: What <<"),
    # Policies
    (policy("decision: ALLOW, wehn: 'true'"), "3: policies[0].wehn: There is no such key. Did you mean when?"),
    (policy("when: 'true'"), "3: policies[0].decision: Write decision as well"),
    (policy("decision: allow"), "3: policies[0].decision: Write one of ALLOW"),
    (policy("decision: [ALLOW]"), "3: policies[0].decision: Write one of ALLOW"),
    (policy("decision: ALLOW, mode: on"), "3: policies[0].mode: Write one of draft"),
    (policy("decision: ALLOW, flow: f"), "3: policies[0].flow: Leave the flow out"),
    (policy("decision: REQUIRE_APPROVAL"), "3: policies[0].flow: Name the flow"),
    (policy("decision: REQUIRE_APPROVAL, flow: f"), "3: policies[0].flow: There is no flow f"),
    (policy("decision: ALLOW, when: "), "3: policies[0].when: There is no value"),
    (policy("decision: ALLOW, when: null"), "3: policies[0].when: There is no value"),
    (policy("decision: ALLOW, when: 5"), "3: policies[0].when: A condition must be true or false"),
    (policy("decision: ALLOW, when: params.a <"), "3: policies[0].when: The condition does not compile"),
    (policy("decision: ALLOW, when: yes"), "3: policies[0].when: There is no 'yes'"),
    (policy("decision: ALLOW, when: history.l.count > 0"), "3: policies[0].when: There is no 'history.l.count'"),
    (policy("decision: ALLOW, when: [a]"), "3: policies[0].when: Write a text here"),
    (policy(f"decision: ALLOW, when: '{'x' * 2001}'"), "3: policies[0].when: Write at most 2000 characters"),
    (policy(f"decision: ALLOW, reason: {'x' * 501}"), "3: policies[0].reason: Write at most 500 characters"),
    (policy('decision: ALLOW, reason: "a\\u202eb"'), "3: policies[0].reason: Remove U+202E"),
    (policy('decision: ALLOW, reason: "a\\0b"'), "3: policies[0].reason: Remove the control character"),
    (policy("decision: ALLOW, reason: !!python/name:os.system x"), "3: policies[0].reason: Quote this value"),
    ("policies:\n  - {name: A b, actions: [a], decision: ALLOW}", "2: policies[0].name"),
    ("policies:\n  - {name: a, actions: [], decision: ALLOW}", "2: policies[0].actions: Write at least one"),
    ("policies:\n  - {name: a, actions: b.c, decision: ALLOW}", "2: policies[0].actions: Write a list"),
    ("policies:\n  - {name: a, actions: [b*], decision: ALLOW}", "2: policies[0].actions[0]"),
    ("policies:\n  - {name: a, actions: [b, b], decision: ALLOW}", "2: policies[0].actions[1]: This is listed twice"),
    ("policies:\n  - {name: a, actions: [b], decision: ALLOW}\n  - {name: a, actions: [c], decision: BLOCK}", "3: policies[1].name: a is already there, on line 2"),
    # The default
    ("default:", "1: default: Write the fields decision, flow"),
    ("default: {decision: ALLOW}", "1: default.decision: Write one of REQUIRE_APPROVAL, BLOCK"),
    ("default: {decision: REQUIRE_APPROVAL}", "1: default.flow: Name the flow"),
    ("default: {decision: BLOCK, flow: x}", "1: default.flow: Leave the flow out"),
    # Flows
    ("flows:\n  - {name: f, stages: []}", "2: flows[0].stages: Write at least one"),
    (stage("groups: [g]"), "4: flows[0].stages[0].timeout: Say how long"),
    (stage("groups: [], timeout: 1h"), "4: flows[0].stages[0].groups: Write at least one"),
    (stage("group: g, timeout: 1h"), "4: flows[0].stages[0].group: There is no such key. Did you mean groups?"),
    (stage("groups: [g], timeout: 1h, sla: 60m"), "4: flows[0].stages[0].sla: The sla must come before"),
    (stage("groups: [g], timeout: 1h, approvals: 0"), "4: flows[0].stages[0].approvals: 0 is out of range"),
    (stage("groups: [g], timeout: 1h, approvals: true"), "4: flows[0].stages[0].approvals: Write a whole number"),
    (stage("groups: [g], timeout: 1h, approvals: 1.5"), "4: flows[0].stages[0].approvals: Write a whole number"),
    (stage("groups: [g], timeout: 1h, step: 0"), "4: flows[0].stages[0].step: 0 is out of range"),
    (stage("groups: [g], timeout: 1h30m"), "4: flows[0].stages[0].timeout: '1h30m' is not a duration"),
    (stage("groups: [g], timeout: 90"), "4: flows[0].stages[0].timeout: '90' is not a duration"),
    (stage("groups: [g], timeout: 0s"), "4: flows[0].stages[0].timeout: '0s' is no time at all"),
    (stage("groups: [g], timeout: 1:30"), "4: flows[0].stages[0].timeout: '1:30' is not a duration"),
    (stage("groups: [g], timeout: 1h, on_timeout: wait"), "4: flows[0].stages[0].on_timeout: Write one of"),
    (stage("groups: [g], timeout: 1h, on_timeout: escalate"), "4: flows[0].stages[0].escalate_to: Write escalate_to as well"),
    (stage("groups: [g], timeout: 1h, escalate_to: [h]"), "4: flows[0].stages[0].escalate_to: Leave escalate_to out"),
    (stage("groups: [g], timeout: 1h, on_timeout: approve"), "4: flows[0].stages[0].auto_approve_max_risk: Write auto_approve_max_risk as well"),
    (stage("groups: [g], timeout: 1h, on_timeout: approve, auto_approve_max_risk: 101"), "4: flows[0].stages[0].auto_approve_max_risk: 101 is out of range"),
    (stage("groups: [g], timeout: 1h, auto_approve_max_risk: 5"), "4: flows[0].stages[0].auto_approve_max_risk: Leave auto_approve_max_risk out"),
    # Lookbacks
    (LOOKBACK.replace("name: l", "name: in"), "2: lookbacks[0].name: in is a word of the condition language"),
    (LOOKBACK.replace("name: l", "name: L-1"), "2: lookbacks[0].name: Use lower-case letters"),
    (LOOKBACK.replace("params.x", "customer"), "2: lookbacks[0].key: \"customer\" does not fit here"),
    (LOOKBACK.replace("params.x", "params"), "2: lookbacks[0].key: \"params\" does not fit here"),
    (LOOKBACK.replace("params.x", "resource.owner"), "2: lookbacks[0].key"),
    (LOOKBACK.replace("1d", "1y"), "2: lookbacks[0].window: '1y' is not a duration"),
    (LOOKBACK.replace("1d", "99999d"), "2: lookbacks[0].window: '99999d' is too long"),
    (LOOKBACK.replace("1d", "1d, sum: amount"), "2: lookbacks[0].sum: \"amount\" does not fit here"),
    # Risk factors
    ("risk_factors:\n  - {name: r, actions: [a], points: 101}", "2: risk_factors[0].points: 101 is out of range"),
    ("risk_factors:\n  - {name: r, actions: [a], points: -1}", "2: risk_factors[0].points: -1 is out of range"),
    ("risk_factors:\n  - {name: r, actions: [a]}", "2: risk_factors[0].points: Write points as well"),
    ("risk_factors:\n  - {name: r, actions: [a], points: 1, when: risk > 1}", "2: risk_factors[0].when: A risk factor may not use 'risk'"),
    # The catalogue
    ("action_types:\n  - {name: Refund}", "2: action_types[0].name: \"Refund\" does not fit here"),
    (catalogued("base_risk: 101"), "2: action_types[0].base_risk: 101 is out of range"),
    (catalogued("reversible: maybe"), "2: action_types[0].reversible: Write true or false"),
    (catalogued("grant: soon"), "2: action_types[0].grant: 'soon' is not a duration"),
    (catalogued("summary: 'Refund {amount}'"), "2: action_types[0].summary: \"{amount}\" is no placeholder"),
    (catalogued("summary: 'Refund {params.amount'"), "2: action_types[0].summary"),
    (catalogued("params_schema: {type: objekt}"), "2: action_types[0].params_schema: This is not a schema"),
    (catalogued("params_schema: {$ref: 'https://example.com/s.json'}"), "2: action_types[0].params_schema"),
    (catalogued("params_schema: {const: 2026-01-01}"), "2: action_types[0].params_schema.const: Quote this value"),
    (catalogued("params_schema: {const: .inf}"), "2: action_types[0].params_schema.const: This is not a number in JSON"),
    (catalogued("params_schema: {const: 9007199254740993}"), "2: action_types[0].params_schema.const"),
    (catalogued('params_schema: {const: "\\0"}'), "2: action_types[0].params_schema.const: Remove the control character"),
    (catalogued("params_schema: {const: " + "9" * 5000 + "}"), "2: action_types[0].params_schema.const: This number cannot be read"),
    # Resources
    ("resources:\n  - {id: x}", "2: resources[0].type: Write type as well"),
    ("resources:\n  - {type: 'a:b'}", "2: resources[0].type: Write the type without a colon"),
    ("resources:\n  - {type: a, sensitivity: high}", "2: resources[0].sensitivity: Write a whole number"),
    ("resources:\n  - {type: a}\n  - {type: a}", "3: resources[1]: a:* is already there, on line 2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "mistake"), REFUSED, ids=[mistake[:60] for _, mistake in REFUSED]
)
def test_it_names_the_line_and_the_key(text: str, mistake: str) -> None:
    assert [found for found in mistakes(text) if found.startswith(mistake)]


def test_it_names_all_mistakes_at_once_in_the_order_of_lines() -> None:
    found = mistakes("""
        policies:
          - {name: a, actions: [b], decision: ALLOW, when: nonsense}
          - {name: c, actions: [d], decision: REQUIRE_APPROVAL, flow: nowhere}
        flows:
          - {name: f, stages: [{groups: [g], timeout: 1h}]}
        lookbacks:
          - {name: l, actions: [a], key: x, window: 1d}
    """)

    assert [mistake.split(": ")[:2] for mistake in found] == [
        ["2", "policies[0].when"],
        ["3", "policies[1].flow"],
        ["5", "flows[0].stages[0].name"],
        ["7", "lookbacks[0].key"],
    ]


def test_a_broken_flow_or_lookback_is_not_called_missing_as_well() -> None:
    found = mistakes("""
        lookbacks:
          - {name: seen, actions: [a], key: x, window: 1d, sum: params.amount}
        flows:
          - {name: f, stages: []}
        policies:
          - {name: p, actions: [a], decision: REQUIRE_APPROVAL, flow: f,
             when: history.seen.sum > 1.0}
    """)

    assert [mistake.split(": ")[0] for mistake in found] == ["2", "4"]


def test_it_refuses_a_file_that_is_not_utf8() -> None:
    with pytest.raises(Mistaken) as caught:
        files.parse(b"version: 1\nname: \xff")

    assert str(caught.value.mistakes[0]) == "2: The file is not UTF-8."


def test_it_refuses_a_file_that_is_too_large() -> None:
    with pytest.raises(Mistaken) as caught:
        files.parse(b"# " + b"x" * 1024 * 1024)

    assert "larger than 1024 KiB" in str(caught.value.mistakes[0])


def test_an_alias_costs_what_it_stands_for() -> None:
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for one, next_one in zip("abcdef", "bcdefg", strict=True):
        bomb += f"{next_one}: &{next_one} [{', '.join([f'*{one}'] * 10)}]\n"

    with pytest.raises(Mistaken, match="1 mistake"):
        files.parse(bomb.encode())


def test_unquoted_words_and_numbers_are_read_as_they_are_written() -> None:
    rules = wish("""
        policies:
          - {name: no, actions: [on], decision: BLOCK, when: true, reason: 2026-01-01}
        resources: [{type: order, id: 007}]
    """)

    policy = rules[Subject.POLICY]["no"]
    assert (policy["when"], policy["reason"]) == ("true", "2026-01-01")
    assert policy["actions"] == ["on"]
    assert "order:007" in rules[Subject.RESOURCE]


def test_property_names_of_a_schema_are_texts_and_its_values_are_not() -> None:
    rules = wish("""
        action_types:
          - name: a.b
            params_schema:
              type: object
              properties: {on: {type: boolean, default: true}, points: {minimum: 3}}
    """)

    schema = rules[Subject.ACTION_TYPE]["a.b"]["params_schema"]
    assert schema["properties"]["on"]["default"] is True
    assert schema["properties"]["points"] == {"minimum": 3}


def test_anchors_and_merge_keys_save_typing() -> None:
    rules = wish("""
        flows:
          - name: f
            stages:
              - &first {name: First, groups: [g], timeout: 1h}
              - {<<: *first, name: Second}
    """)

    first, second = rules[Subject.FLOW]["f"]["stages"]
    assert (second["name"], second["step"]) == ("Second", 2)
    assert second["timeout"] == first["timeout"] == "1h"


def test_a_folded_text_is_one_line() -> None:
    rules = wish("""
        policies:
          - name: p
            actions: [a]
            decision: BLOCK
            reason: >
              Nobody may
              do this.
    """)

    assert rules[Subject.POLICY]["p"]["reason"] == "Nobody may do this."


def test_what_is_left_out_has_its_default() -> None:
    rules = wish(FLOW + "policies: [{name: p, actions: [a], decision: BLOCK}]")

    assert rules[Subject.POLICY]["p"]["mode"] == "enforce"
    assert rules[Subject.POLICY]["p"]["when"] == ""
    assert rules[Subject.FLOW]["managers"]["stages"] == [
        {
            "name": "Manager",
            "step": 1,
            "groups": ["managers"],
            "approvals": 1,
            "sla": None,
            "timeout": "4h",
            "on_timeout": "reject",
            "escalate_to": [],
            "auto_approve_max_risk": None,
            "rejections": 1,
            "silence": [],
            "calendar": None,
            "reassign_to": [],
        }
    ]


def test_holding_needs_no_timeout() -> None:
    rules = wish(stage("groups: [g], on_timeout: hold"))

    assert rules[Subject.FLOW]["f"]["stages"][0]["timeout"] is None
