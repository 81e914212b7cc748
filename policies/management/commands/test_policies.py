"""Try the rules on their tests: nothing is changed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import clock, text_safety
from policies import bodies, files, rows, trials
from policies.bodies import State, Subject
from policies.documents import Mistaken
from policies.management import terminal


class Command(BaseCommand):
    help = (
        "Run the tests of the rules, or those of a policy file on the rules as the file "
        "would make them. Changes nothing; exits 1 if one fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file",
            metavar="FILE",
            nargs="?",
            help="A policy file; - is stdin. Without it: the rules in force.",
        )

    def handle(self, **options: Any) -> None:
        name = options["file"]
        try:
            state = _as_file_would_make_them(name) if name else rows.read_all()
        except Mistaken as mistaken:
            terminal.refuse(self, name, mistaken)
        tried = trials.run_all(state, clock.now())
        for trial in tried:
            self._print(trial)
        self._summarize(tried)

    def _print(self, trial: trials.Trial) -> None:
        if trial.passed:
            line = f"ok      {trial.name}"
        else:
            line = f"failed  {trial.name}: {trial}."
        self.stdout.write(text_safety.visible_line(line))

    def _summarize(self, tried: list[trials.Trial]) -> None:
        failed = sum(not trial.passed for trial in tried)
        if failed:
            raise CommandError(f"{failed} of {_tests(len(tried))} failed.")
        if not tried:
            self.stdout.write("There are no tests.")
        else:
            self.stdout.write(f"{_tests(len(tried))} passed.")


def _as_file_would_make_them(name: str) -> State:
    """Return the rules after the file was loaded, with the tests that it names."""
    document = files.parse(terminal.read(name))
    state = bodies.copy(document.wish(rows.read_all()))
    state[Subject.TEST] = document.rules[Subject.TEST]
    return state


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
