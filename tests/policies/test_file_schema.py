"""The JSON Schema of policy files: it takes what loads, and helps with what does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator

from policies import bodies, file_schema, files
from policies.bodies import FORMS
from policies.documents import Mistaken
from policies.field_words import WORDS
from tests.policies.test_files import REFUSED
from tests.test_docs import policy_files

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "docs" / "policy-file.schema.json"
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
VALIDATOR = Draft202012Validator(file_schema.schema())


class Editor(yaml.SafeLoader):
    """YAML as editors read it: a date is a text."""


Editor.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in found if not tag.endswith("timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def complaints(text: str) -> list[str]:
    value = yaml.load(text, Loader=Editor)
    return [error.json_path for error in VALIDATOR.iter_errors(value)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(file_schema.schema())


def test_what_is_shipped_is_what_there_is() -> None:
    out = StringIO()
    call_command("policy_schema", stdout=out)

    assert json.loads(SHIPPED.read_text()) == file_schema.schema(), (
        "Write it anew: manage.py policy_schema > docs/policy-file.schema.json"
    )
    assert SHIPPED.read_text() == out.getvalue()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(example: Path) -> None:
    assert complaints(example.read_text()) == []


@pytest.mark.parametrize("text", policy_files())
def test_the_examples_of_the_documents_are_valid(text: str) -> None:
    assert complaints(text) == []


# Mistakes that take more than the shape of the file to be seen.
UNSEEN = (
    "does not compile", "There is no flow", "There is no '", "must be true or false",
    "is already there", "may not use 'risk'", "The sla must", "Remove U+202E",
    "Remove the control", "is out of range: 1 to 3650", "is too long",
    "is no time at all", "is no placeholder", "action_types[0].summary",
    "action_types[0].params_schema", "word of the condition language",
    "Write the type without a colon", "here twice", "Nest at most", "This is not YAML",
    "character YAML forbids", "file is empty", "Write at most", "There is no value",
    "Keys must", "What <<", "Quote this value", "sla", "lookbacks[0].key", "timeout: '90' is",
    "There is no calendar", "must end later", "These hours overlap", "is no time zone",
    "Each step must come later", "Nothing can follow", "The last step must",
)  # fmt: skip
SEEN = [
    (text, mistake)
    for text, mistake in REFUSED
    if not any(words in mistake for words in UNSEEN)
]


@pytest.mark.parametrize(
    ("text", "mistake"), SEEN, ids=[mistake[:60] for _, mistake in SEEN]
)
def test_it_sees_what_the_shape_alone_shows(text: str, mistake: str) -> None:
    assert complaints(text), mistake


def test_it_sees_most_of_the_mistakes_there_are() -> None:
    assert len(SEEN) > 40


@pytest.mark.parametrize(
    "text",
    [
        "policies: [{name: no, actions: [a], decision: BLOCK, when: true, reason: 5}]",
        "lookbacks: [{name: l, actions: [a], window: month, key: [params.a, agent.name]}]",
        "lookbacks: [{name: l, actions: [a], window: 7d, key: 'params.a, params.b'}]",
        "lookbacks: [{name: l, actions: [a], window: 7d, key: '', sum: ''}]",
        "resources: [{type: order, id: 007}]",
        "flows: [{name: f, stages: [{name: S, groups: [g], on_timeout: hold}]}]",
        "flows: [{name: f, stages: [{name: S, groups: [g], timeout: 1h, escalate_to: []}]}]",
        "flows: [{name: f, stages: [{name: S, groups: [g], on_timeout: reject,"
        " silence: [{after: 1h, do: remind}, {after: 2h, do: reject, to: []}]}]}]",
        "calendars: [{name: c, holidays: [2026-12-25]}]",
        "tests: [{action: a, now: 2026-12-25T12:00:00Z, expect: {risk: 5}}]",
        "{}",
    ],
)
def test_it_calls_nothing_wrong_that_loads(text: str) -> None:
    document = files.parse(text.encode())
    assert document.mistakes == []
    assert complaints(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "calendars: [{name: c, days: [monday]}]",
        "calendars: [{name: c, hours: ['9-17']}]",
        "flows: [{name: f, stages: [{name: S, groups: [g], timeout: 1h,"
        " silence: [{after: 2h, do: reject}]}]}]",
        "flows: [{name: f, stages: [{name: S, groups: [g],"
        " silence: [{after: 2h, do: escalate}]}]}]",
        "flows: [{name: f, stages: [{name: S, groups: [g],"
        " silence: [{after: 2h, do: reject, max_risk: 5}]}]}]",
        "flows: [{name: f, stages: [{name: S, groups: [g],"
        " silence: [{after: 2h, do: approve}]}]}]",
        "tests: [{action: a, expect: MAYBE}]",
        "tests: [{action: a, expect: {decison: ALLOW}}]",
        "tests: [{action: a}]",
        "tests: [{action: a, history: {l: {count: many}}, expect: ALLOW}]",
        "tests: [{action: a, history: {l: {counts: 1}}, expect: ALLOW}]",
        "tests: [{action: a, agent: {name: x, tag: y}, expect: ALLOW}]",
    ],
)
def test_it_sees_mistakes_in_what_is_nested(text: str) -> None:
    assert complaints(text)
    with pytest.raises(Mistaken):
        files.parse(text.encode()).wish(bodies.empty())


def test_every_key_is_explained_and_nothing_else() -> None:
    found = dict(file_schema.places(file_schema.schema()))

    assert set(found) | {""} == set(WORDS)
    assert all(value["description"].endswith(".") for value in found.values())
    for subject, form in FORMS.items():
        section = next((s for s, each in files.SECTIONS.items() if each is subject), "")
        assert {f"{section or 'default'}.{name}" for name in form} <= set(found)


def test_nothing_else_is_allowed_anywhere() -> None:
    open_ended = [
        place
        for place, value in _objects("", file_schema.schema())
        if "additionalProperties" not in value
    ]

    assert open_ended == [
        "action_types.params_schema", "tests.params", "tests.context",
    ]  # fmt: skip


def _objects(path: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, each in file_schema.places(value, path):
        if each.get("type") == "object":
            yield place, each


def test_it_is_published(client: Client) -> None:
    answer = client.get("/schemas/policy-file.json")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/schema+json"
    assert answer["Cache-Control"] == "public, max-age=3600"
    published = answer.json()
    assert published.pop("$id") == "http://localhost:8000/schemas/policy-file.json"
    assert published == file_schema.schema()
    again = client.get(
        "/schemas/policy-file.json", headers={"If-None-Match": answer["ETag"]}
    )
    assert again.status_code == 304
    assert client.post("/schemas/policy-file.json").status_code == 405
