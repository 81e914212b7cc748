"""What is dumped loads to the same rules, and people like to read it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from policies import bodies, dump, files, rows, services
from policies.bodies import State, Subject
from policies.fields import Unfit
from policies.models import Policy
from tests.policies.making import asking, factor, flow, lookback, policy

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))

# What YAML takes for something else, breaks lines at, or begins a structure with.
HARD = [
    "no", "true", "null", "~", "1e3", "0x1F", "007", "1_000", "12:30:00", "2026-01-01",
    ".inf", "=", "<<", "*", "&a", "!b", "@c", "`d`", "%e", "- f", "? g", ": h", "i: j",
    "k #l", "#m", "'n'", '"o"', "{p}", "[q]", "| r", "> s", "t\\u", "ü ß 漢 🦊", "v,w",
    "-", "---", "...", "a\u2028b", "a\u00a0b", "x" * 200, "two  spaces " * 12 + "end",
]  # fmt: skip
words = some.sampled_from(HARD) | some.text(
    some.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=120
)
json_texts = some.sampled_from(HARD) | some.text(
    some.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=150
)
scalars = (
    some.none()
    | some.booleans()
    | some.integers(-(2**53) + 1, 2**53 - 1)
    | some.integers(-10_000, 10_000).map(lambda cents: cents / 100)
    | json_texts
)
json_objects = some.dictionaries(
    json_texts,
    some.recursive(
        scalars,
        lambda inner: (
            some.lists(inner, max_size=4)
            | some.dictionaries(json_texts, inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=4,
)
slugs = some.from_regex(r"[a-z0-9]+(-[a-z0-9]+){0,2}", fullmatch=True).map(
    lambda text: text[:60].rstrip("-")
)
conditions = some.lists(
    words.filter(lambda text: "\0" not in text).map(
        lambda text: f"params.a == {_quoted(text)}"
    ),
    min_size=1,
    max_size=4,
).flatmap(lambda parts: some.sampled_from([" || ", "\n|| ", " ||\n\n    "]).map(
    lambda glue: glue.join(parts)[:2000]
))  # fmt: skip


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def readable(subject: Subject) -> Any:
    def reads(raw: dict[str, Any]) -> bool:
        try:
            bodies.read(subject, raw)
        except Unfit:
            return False
        return True

    return reads


policies = some.fixed_dictionaries(
    {"name": slugs, "actions": some.just(["a.*"]), "decision": some.just("BLOCK")},
    optional={
        "when": conditions,
        "reason": words,
        "mode": some.sampled_from(["draft", "monitor", "retired", "enforce"]),
    },
).filter(readable(Subject.POLICY))
stages = some.fixed_dictionaries(
    {
        "name": words,
        "groups": some.lists(words, min_size=1, max_size=3, unique=True),
        "timeout": some.sampled_from(["90m", "4h"]),
    },
    optional={"step": some.integers(1, 4), "approvals": some.integers(1, 3)},
)
flows = some.fixed_dictionaries(
    {"name": slugs, "stages": some.lists(stages, min_size=1, max_size=3)}
).filter(readable(Subject.FLOW))
tests = some.fixed_dictionaries(
    {"action": some.just("a.b"), "expect": some.sampled_from(["BLOCK", "ALLOW"])},
    optional={
        "params": json_objects,
        "context": json_objects,
        "now": some.just("2026-12-24T12:00:00Z"),
        "agent": some.fixed_dictionaries({}, optional={"environment": words}),
    },
).filter(readable(Subject.TEST))
kinds = some.fixed_dictionaries(
    {"name": some.sampled_from(["a.b", "no", "a_1.b"])},
    optional={"title": words, "params_schema": json_objects},
).filter(readable(Subject.ACTION_TYPE))


@some.composite
def states(draw: some.DrawFn) -> State:
    state = bodies.empty()
    for subject, strategy in (
        (Subject.ACTION_TYPE, kinds),
        (Subject.FLOW, flows),
        (Subject.POLICY, policies),
        (Subject.TEST, tests),
    ):
        for raw in draw(some.lists(strategy, max_size=3)):
            body = bodies.read(subject, raw)
            state[subject][bodies.name_of(subject, body)] = body
    return state


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(states())
def test_what_is_written_reads_as_it_was(state: State) -> None:
    document = files.parse(dump.text(state, "https://example.com/s.json").encode())

    assert document.mistakes == []
    assert document.rules == state
    for subject in (Subject.FLOW, Subject.POLICY):
        assert list(document.rules[subject]) == list(state[subject])


@pytest.mark.parametrize("text", HARD)
def test_hard_words_stay_as_they_are(text: str) -> None:
    raw = policy(reason=text, when=f"params.a == {_quoted(text)}\n  && true")
    test = {"action": "a.b", "params": {text: [text]}, "expect": "BLOCK"}
    state = bodies.empty()
    state[Subject.POLICY]["small"] = bodies.read(Subject.POLICY, raw)
    state[Subject.TEST]["t"] = bodies.read(Subject.TEST, {"name": "t", **test})

    assert files.parse(dump.text(state).encode()).rules == state


def load(path: Path) -> str:
    out = StringIO()
    call_command("load_policies", path, "--prune", stdout=out, stderr=StringIO())
    return out.getvalue()


def dumped(*options: str) -> str:
    out = StringIO()
    call_command("dump_policies", *options, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_loading_dumping_and_loading_changes_nothing(
    example: Path, tmp_path: Path
) -> None:
    load(example)
    file = tmp_path / "dumped.yaml"

    call_command("dump_policies", output=str(file))

    assert load(file) == "Nothing to change: the rules already say this.\n"
    assert dumped() == file.read_text()
    assert files.parse(file.read_bytes()).wish(bodies.empty()) == rows.read_all()


@pytest.mark.django_db
def test_it_is_as_short_as_a_person_would_write_it() -> None:
    services.save(Subject.FLOW, flow())
    services.save(Subject.RESOURCE, {"type": "order", "sensitivity": 10})
    services.save(Subject.POLICY, asking(when="params.a > 1 &&\nparams.b"))
    services.save(Subject.POLICY, policy(mode="draft"))
    services.save(Subject.DEFAULT, {"decision": "BLOCK"})
    services.save(Subject.TEST, {"action": "mail.send", "expect": "BLOCK"})

    schema, _, text = dumped().partition("\n")

    assert schema == (
        "# yaml-language-server: $schema=http://localhost:8000/schemas/policy-file.json"
    )
    assert text == SHORT


SHORT = """\
version: 1
default: {decision: BLOCK}

resources:
  - {type: order, sensitivity: 10}

flows:
  - name: managers
    stages:
      - {name: Manager, groups: [managers], timeout: 4h}

policies:
  - name: large
    actions: [refund.create]
    when: |-
      params.a > 1 &&
      params.b
    decision: REQUIRE_APPROVAL
    flow: managers

  - name: small
    actions: [refund.create]
    decision: ALLOW
    mode: draft

tests:
  - {action: mail.send, expect: BLOCK}
"""


@pytest.mark.django_db
def test_an_empty_database_is_a_file_that_loads(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text(dumped())

    assert load(file).startswith("Nothing to change")


@pytest.mark.django_db
def test_retired_policies_stay_retired(tmp_path: Path) -> None:
    services.save(Subject.LOOKBACK, lookback())
    services.save(Subject.POLICY, policy(when="history.customer_refunds.count > 0"))
    services.save(Subject.POLICY, policy("other"))
    services.retire("small")
    # What only a retired policy still names may go.
    services.remove(Subject.LOOKBACK, "customer_refunds")
    file = tmp_path / "dumped.yaml"
    file.write_text(dumped())

    assert "mode: retired" in file.read_text()
    assert load(file).startswith("Nothing to change")
    assert files.parse(file.read_bytes()).wish(bodies.empty()) == rows.read_all()

    file.write_text(dumped("--no-retired"))

    assert "small" not in file.read_text()
    assert load(file).startswith("Nothing to change")
    assert Policy.objects.get(name="small").mode == "retired"


@pytest.mark.django_db
def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("dump_policies", output=str(tmp_path / "nowhere" / "r.yaml"))

    assert not list(tmp_path.iterdir())


@pytest.mark.django_db
def test_what_is_there_is_replaced_whole(tmp_path: Path) -> None:
    services.save(Subject.RISK_FACTOR, factor())
    file = tmp_path / "r.yaml"
    file.write_text("x" * 10_000)

    call_command("dump_policies", output=str(file))

    assert file.read_text() == dumped()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.django_db
def test_it_warns_of_a_file_that_is_too_large_to_be_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "policies.management.commands.dump_policies.MAX_BYTES", len(dumped()) - 1
    )
    err = StringIO()

    call_command("dump_policies", stdout=StringIO(), stderr=err)

    assert "split it" in err.getvalue()
