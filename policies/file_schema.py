"""What may a policy file say, in JSON Schema? Editors complete and check files with it.

The shapes are those of ``policies.bodies``; here are only the words beside them, and what
several fields say to each other. The schema calls nothing wrong that loads. It cannot see
everything: whether a condition compiles, or a flow is there, is for ``load_policies``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.bodies import FORMS, Subject
from policies.field_words import WORDS
from policies.fields import object_schema
from policies.files import SECTIONS, VERSION

Schema = dict[str, Any]

_ASKS = {"properties": {"decision": {"const": "REQUIRE_APPROVAL"}}}
_FLOW_FOR_APPROVAL: Schema = {
    "if": {**_ASKS, "required": ["decision"]},
    "then": {"required": ["flow"]},
    "else": {"properties": {"flow": False}},
}


_EMPTY: Schema = {"maxItems": 0}


def _goes_with(field: str, value: str, name: str, none: Schema | bool) -> Schema:
    """``name`` is there exactly if ``field`` is this value. ``none`` is its absence."""
    return {
        "if": {"properties": {field: {"const": value}}, "required": [field]},
        "then": {"required": [name]},
        "else": {"properties": {name: none}},
    }


_STAGE: Schema = {
    "if": {"properties": {"silence": {"minItems": 1}}, "required": ["silence"]},
    "then": {
        "properties": {
            "timeout": False,
            "on_timeout": {"const": "reject"},
            "escalate_to": _EMPTY,
            "auto_approve_max_risk": False,
        }
    },
    "else": {
        "if": {
            "properties": {"on_timeout": {"const": "hold"}},
            "required": ["on_timeout"],
        },
        "else": {"required": ["timeout"]},
    },
}
# What fields say to each other, by the place of the mapping they are in.
_TOGETHER: Mapping[str, list[Schema]] = {
    "default": [_FLOW_FOR_APPROVAL],
    "policies": [_FLOW_FOR_APPROVAL],
    "flows.stages": [
        _STAGE,
        _goes_with("on_timeout", "escalate", "escalate_to", _EMPTY),
        _goes_with("on_timeout", "approve", "auto_approve_max_risk", False),
    ],
    "flows.stages.silence": [
        _goes_with("do", "escalate", "to", _EMPTY),
        _goes_with("do", "approve", "max_risk", False),
    ],
}


def schema(address: str = "") -> Schema:
    """Return the JSON Schema (2020-12) of a policy file.

    ``address`` is where it is published, if it is.
    """
    whole: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Countersign policy file",
        "description": WORDS[""],
        "type": "object",
        "properties": {
            "version": {"const": VERSION},
            "default": object_schema(FORMS[Subject.DEFAULT]),
            **{
                section: {"type": "array", "items": object_schema(FORMS[subject])}
                for section, subject in SECTIONS.items()
            },
        },
        "additionalProperties": False,
    }
    _explain(whole, "")
    return {"$id": address, **whole} if address else whole


def places(part: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every property below this part, with its place: ``flows.stages.name``."""
    for name, value in part.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        yield place, value
        yield from places(value, place)
    for inner in (part.get("items"), part.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from places(inner, path)
    for choice in part.get("anyOf", ()):
        yield from places(choice, path)


def _explain(whole: Schema, path: str) -> None:
    """Say at every place what it is for, and what goes together."""
    for place, value in list(places(whole, path)):
        value["description"] = WORDS[place]
        for part in _objects(value):
            if place in _TOGETHER:
                part["allOf"] = _TOGETHER[place]


def _objects(value: Schema) -> Iterator[Schema]:
    if value.get("type") == "object":
        yield value
    elif value.get("type") == "array":
        yield from _objects(value["items"])
