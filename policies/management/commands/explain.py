"""Why was this action allowed, blocked, or put before people?"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from governance.models import Action
from governance.text_safety import visible_line
from policies import evaluations
from policies.evaluations import Evaluation
from policies.explanation import Step, Told

MARKS = {True: "yes", False: "no ", None: "?  "}


class Command(BaseCommand):
    help = (
        "Explain how an action was judged: each policy that was asked, and what decided "
        "it. With --steps, every part of every condition."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the action's id")
        parser.add_argument("--steps", action="store_true")

    def handle(self, **options: Any) -> None:
        action = _action(options["id"])
        found = list(evaluations.of(action))
        if not found:
            raise CommandError("How this action was judged is not on record.")
        self._say([f"{action} ({action.name})"])
        for evaluation in found:
            self._say(["", *_lines(evaluation, steps=options["steps"])])

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            indent = line[: len(line) - len(line.lstrip())]
            self.stdout.write(f"{indent}{visible_line(line.lstrip())}")


def _action(text: str) -> Action:
    try:
        return Action.objects.get(pk=UUID(text))
    except (ValueError, Action.DoesNotExist):
        raise CommandError(f"There is no action {text}.") from None


def _lines(evaluation: Evaluation, *, steps: bool) -> Iterator[str]:
    data, explained = evaluation.data, evaluation.explained
    at = f"{evaluation.at:%Y-%m-%d %H:%M:%S} UTC"
    yield (
        f"Revision {evaluation.revision}, judged {at} by revision {evaluation.rules} "
        f"of the rules: {data['decision']}, risk {data['risk']}."
    )
    if explained.by_default:
        yield "  No policy had a say: the default applied."
    for told in explained.heard:
        yield from _told(told, steps=steps)
    if explained.others:
        yield "  Asked as well:"
    for told in explained.others:
        yield from _told(told, steps=steps)
    for told in explained.factors:
        yield f"  risk factor {told.name}: {told.sentence}"


def _told(told: Told, *, steps: bool) -> Iterator[str]:
    trial = ", on trial" if told.mode == "monitor" else ""
    yield f"  {told.name} v{told.version} ({told.decision}{trial})"
    yield f"      {told.sentence}"
    if steps and told.step:
        yield from _steps(told.step, "      ")


def _steps(step: Step, indent: str) -> Iterator[str]:
    yield f"{indent}{MARKS[step.holds]} {step.source}"
    for part in step.parts:
        yield from _steps(part, f"{indent}    ")
