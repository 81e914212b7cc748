"""What does somebody try, and on what? One visit to the page on which rules are tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest

from governance import clock
from governance.console import number, person
from governance.errors import Refused
from governance.models import Action
from policies import backtests, bodies, drafts, recorded, simulation
from policies.admin.forms import ASIDE, RuleForm, with_rule
from policies.admin.trial_forms import BacktestForm, ModesForm, SampleForm, sample_of
from policies.bodies import Subject
from policies.drafts import Draft
from policies.models import Backtest, Lookback, Policy, RiskFactor
from policies.rules import Mode
from policies.services import Wish
from policies.simulation import Simulation

LATEST = 10
# Their forms hold nothing but their own fields, and can be shown on another page.
TRIED: dict[str, type[Model]] = {
    str(Subject.POLICY): Policy,
    str(Subject.LOOKBACK): Lookback,
    str(Subject.RISK_FACTOR): RiskFactor,
}
ON_TRIAL = {Mode.DRAFT, Mode.MONITOR}


def sees_actions(request: HttpRequest) -> bool:
    return person(request).has_perm("governance.view_action")


class Visit:
    """One visit to the page: the draft, the sample, and what came of them."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.post = request.POST if request.method == "POST" else None
        self.modes = ModesForm(self.post)
        self.backtest = BacktestForm(
            self.post if self.post and "start" in self.post else None
        )
        self.rule, self.subject = self._rule_form()
        self.problem = ""
        self.draft = self._draft()
        self.recent = self._recent()
        self.sample = self._sample_form()

    def context(self) -> dict[str, Any]:
        simulated = self._simulated()
        return {
            "rule": self.rule,
            "rule_fields": [f for f in self.rule or () if f.name not in ASIDE],
            "subject": self.subject,
            "instance": self.rule.instance if self.rule else None,
            "modes": self.modes,
            "problem": self.problem,
            "draft": self.draft,
            "recent": self.recent,
            "sample": self.sample,
            "simulated": simulated,
            "sides": _sides(simulated),
            "backtest": self.backtest,
            "earlier": Backtest.objects.select_related("asked_by")[:5],
        }

    def start(self) -> Backtest | None:
        """Have the workers replay the last days, unless something is amiss."""
        if self.draft is None or not self.backtest.is_valid():
            return None
        asked = self.backtest.cleaned_data
        messages.success(self.request, "The backtest runs. You may leave this page.")
        return backtests.start(
            self.draft,
            asked["days"],
            asked_by=person(self.request),
            amount=asked["amount"],
        )

    def _rule_form(self) -> tuple[RuleForm | None, str]:
        """Return the form of the rule that is tried, with what was posted."""
        given = self.post if self.post is not None else self.request.GET
        subject = given.get("_subject", "")
        model = TRIED.get(subject)
        if model is None:
            return None, ""
        model_admin: Any = admin.site.get_model_admin(model)
        key = number(given.get("_rule", ""))
        rule = model._default_manager.filter(pk=key).first()
        may = model_admin.has_change_permission(self.request)
        if not (may and (rule or self.post is not None)):
            return None, ""
        kind = model_admin.get_form(self.request, rule, change=rule is not None)
        form: RuleForm = kind(self.post, instance=rule)
        form.on_trial = True
        return form, subject

    def _draft(self) -> Draft | None:
        """Return what is tried, None if it could not be saved either."""
        wish: Wish = drafts.live
        rule = self.rule
        if rule is not None and rule.is_bound:
            if not rule.is_valid():
                return None
            wish = _wish(rule)
        modes = {
            mode
            for mode, name in ((Mode.DRAFT, "drafts"), (Mode.MONITOR, "monitored"))
            if self.modes.is_valid() and self.modes.cleaned_data[name]
        }
        try:
            return drafts.of(drafts.enforcing(wish, modes) if modes else wish)
        except Refused as refusal:
            self.problem = str(refusal)
            return None

    def _recent(self) -> Sequence[Action]:
        """Return the latest actions that the rule covers, for those who may see them."""
        if not sees_actions(self.request):
            return []
        found = Action.objects.select_related("agent").order_by("-pk")
        return list(found.filter(recorded.covered_by(self._patterns()))[:LATEST])

    def _patterns(self) -> list[str]:
        if self.rule is None:
            return ["*"]
        posted = self.rule.is_bound and self.rule.is_valid()
        patterns = self.rule.cleaned_data.get("actions") if posted else None
        return list(patterns or self.rule.instance.actions or ["*"])

    def _sample_form(self) -> SampleForm:
        """Return the sample as posted, or filled with a real action."""
        post = self.post if self.post is not None else {}
        wanted = post.get("recent")
        if "sample-action" in post and not wanted:
            return SampleForm(self.post)
        chosen = [a for a in self.recent if str(a.pk) == wanted] or self.recent[:1]
        if not chosen:
            exact = [name for name in self._patterns() if not name.endswith("*")]
            return SampleForm(initial={"action": (exact or [""])[0]})
        return _filled(sample_of(chosen[0]))

    def _simulated(self) -> Simulation | None:
        if self.draft is None or not self.sample.is_bound:
            return None
        if not self.sample.is_valid():
            return None
        return simulation.simulate(self.draft, self.sample.sample, clock.now())


def _filled(values: dict[str, Any]) -> SampleForm:
    """Return the form as if somebody had written these values into it."""
    fields = SampleForm().fields
    data = {
        f"sample-{name}": fields[name].prepare_value(value)
        for name, value in values.items()
    }
    return SampleForm(data)


def _wish(form: RuleForm) -> Wish:
    """Return the rules with this one. One in draft or on trial is taken as enforced."""
    body = bodies.read(form.subject, form.raw())
    if body.get("mode") in ON_TRIAL:
        body["mode"] = str(Mode.ENFORCE)
    return lambda state: with_rule(state, form.subject, body)


def _sides(simulated: Simulation | None) -> list[dict[str, Any]]:
    if simulated is None:
        return []
    live = {"title": "Rules in force", "verdict": simulated.live}
    if not simulated.compares:
        return [live]
    return [live, {"title": "Draft", "verdict": simulated.draft}]
