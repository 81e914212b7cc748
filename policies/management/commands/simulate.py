"""Say what the rules would say to an action that nobody asked for."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import clock, strict_json
from governance.errors import Refused
from policies import drafting, simulation, simulation_text

_OBJECTS = ("params", "resource", "context", "history")


class Command(BaseCommand):
    help = (
        "Judge a sample action by the rules in force, or by a draft beside them, and "
        "show how that comes about. Nothing is written. What the flags do not say is "
        "taken from the sample; what neither says, from the database."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        drafting.add_arguments(parser)
        parser.add_argument(
            "--sample",
            metavar="FILE",
            help="The action as JSON, written like a test of a policy file; - is stdin.",
        )
        parser.add_argument("--action", metavar="NAME", help="e.g. refund.create")
        for name in _OBJECTS:
            example = (
                '{"customer_refunds": {"count": 1}}' if name == "history" else "{…}"
            )
            parser.add_argument(f"--{name}", metavar="JSON", help=f"e.g. '{example}'")
        parser.add_argument(
            "--agent", help='A name, or facts: \'{"name": "bot", "tags": ["pii"]}\'.'
        )
        parser.add_argument("--now", metavar="T", help="e.g. 2026-11-25T14:00:00Z")

    def handle(self, **options: Any) -> None:
        draft = drafting.draft_of(options, self._complain)
        try:
            sample = simulation.read(_sample(options))
        except Refused as refused:
            raise CommandError(str(refused)) from None
        found = simulation.simulate(draft, sample, clock.now())
        if options["json"]:
            data = simulation.as_data(found)
            self.stdout.write(json.dumps(data, ensure_ascii=False, indent=2))
        else:
            for line in simulation_text.lines(found):
                self.stdout.write(line)

    def _complain(self, text: str) -> None:
        self.stderr.write(text)


def _sample(options: dict[str, Any]) -> dict[str, Any]:
    sample: dict[str, Any] = {}
    if name := options["sample"]:
        sample = _json(drafting.read(name), name)
    for flag in ("action", "now"):
        if options[flag] is not None:
            sample[flag] = options[flag]
    for flag in _OBJECTS:
        if options[flag] is not None:
            sample[flag] = _json(options[flag].encode(), f"--{flag}")
    if (agent := options["agent"]) is not None:
        sample["agent"] = _json(agent.encode(), "--agent") if "{" in agent else agent
    return sample


def _json(raw: bytes, where: str) -> dict[str, Any]:
    try:
        return strict_json.loads(raw, what="value")
    except Refused as refused:
        raise CommandError(f"{where}: {refused}") from None
