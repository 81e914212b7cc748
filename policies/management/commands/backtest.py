"""Say what a draft would have decided on what agents really asked for."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from governance import clock
from policies import backtests, drafting, findings, findings_text
from policies.drafts import Draft
from policies.findings import Findings
from policies.remembering import Span


class Command(BaseCommand):
    help = (
        "Replay the actions of the last days under a draft and under the rules in "
        "force, each judged by what was known when it was submitted, and report what "
        "changes. Nothing is written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        drafting.add_arguments(parser)
        parser.add_argument(
            "--days", type=int, default=30, help="How far back to look (default: 30)."
        )
        parser.add_argument(
            "--amount",
            metavar="PATH",
            default=findings.AMOUNT,
            help="Where the money is (default: params.amount).",
        )

    def handle(self, **options: Any) -> None:
        _check(options)
        draft = drafting.draft_of(options, self._complain)
        span = Span(clock.now(), options["days"])
        data = self._replayed(draft, span, options["amount"])
        if options["json"]:
            report = findings.as_data(data, span.days)
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2))
            return
        for change in draft.plan.changes:
            for line in change.lines:
                self.stdout.write(line)
        for line in findings_text.lines(data, span.days):
            self.stdout.write(line)

    def _replayed(self, draft: Draft, span: Span, amount: str) -> dict[str, Any]:
        found = Findings(findings.empty(amount))
        judged = tqdm(
            backtests.run(draft, span),
            total=span.actions.count(),
            unit="action",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
        )
        for action, outcome in judged:
            found.add(action, outcome)
        return found.data

    def _complain(self, text: str) -> None:
        self.stderr.write(text)


def _check(options: dict[str, Any]) -> None:
    if not 1 <= options["days"] <= backtests.MAX_DAYS:
        raise CommandError(f"Write --days from 1 to {backtests.MAX_DAYS}.")
    if not findings.is_path(options["amount"]):
        raise CommandError(
            "Write --amount as a path: params.amount, context.order_total."
        )
