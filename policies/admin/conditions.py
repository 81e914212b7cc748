"""What does the field of a condition know while somebody types? Mistakes, names, values.

Nothing here changes anything, and a condition is compiled but never run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_GET, require_POST

from policies import cel, dialect, fields, observed, patterns, store
from policies.admin.visits import sees_actions
from policies.cel import BadCondition, Condition
from policies.compiled import CompiledRules
from policies.fields import Unfit
from policies.rules import Calendar, Lookback, Period

AROUND = 40


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and the line it is in, taken apart at the place."""

    detail: str
    line: int = 0
    column: int = 0
    before: str = ""
    at: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """Something a condition may write, and what it is."""

    text: str
    note: str


FUNCTIONS = [
    Name("has()", "whether it is there: has(params.currency)"),
    Name("size()", "of a text, a list or an object"),
    Name(".startsWith()", "of a text; also .endsWith, .contains"),
    Name(".matches()", "of a text: a regular expression (RE2)"),
    Name(".exists()", "of a list: .exists(x, x == 1); also .all, .filter, .map"),
    Name(".orValue()", "a default: params.?vip.orValue(false)"),
    Name("now.getHours()", "0 to 23; in a zone: now.getHours('Europe/Berlin')"),
    Name("now.getDayOfWeek()", "0 is Sunday"),
    Name("timestamp()", "reads RFC 3339 with a time"),
    Name("duration()", "duration('24h')"),
    Name("int()", "also double(), string()"),
    Name("math.greatest()", "also math.least, math.round, math.abs"),
]
FACTS = [
    Name("action", "the action's name"),
    Name("resource.type", "what it is about, if the agent said so"),
    Name("resource.id", "which one"),
    Name("resource.sensitivity", "0 to 100, from the catalogue"),
    Name("agent.name", "who asks"),
    Name("agent.environment", "production, staging …"),
    Name("agent.tags", "a list: 'trusted' in agent.tags"),
    Name("now", "the moment of judging, in UTC"),
]
RISK = Name("risk", "0 to 100, worked out before the policies are asked")


def addresses(model_admin: ModelAdmin[Any], *, risk: bool) -> list[URLPattern]:
    """Return where the field of this form asks. Only a policy may use the risk."""
    name = f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_condition"

    def check_view(request: HttpRequest) -> HttpResponse:
        _check(model_admin, request)
        return _verdict(request, request.POST.get("when", ""), risk=risk)

    def names_view(request: HttpRequest) -> HttpResponse:
        _check(model_admin, request)
        return _names(request, request.GET.get("actions", ""), risk=risk)

    wrap = model_admin.admin_site.admin_view
    return [
        path("condition/", wrap(require_POST(check_view)), name=name),
        path("condition/names/", wrap(require_GET(names_view)), name=f"{name}_names"),
    ]


def _check(model_admin: ModelAdmin[Any], request: HttpRequest) -> None:
    """Whoever may see the rules may know their names, and try what compiles."""
    if not (
        model_admin.has_view_permission(request)
        or model_admin.has_add_permission(request)
    ):
        raise PermissionDenied


def _verdict(request: HttpRequest, source: str, *, risk: bool) -> HttpResponse:
    found = check(source.replace("\r\n", "\n"), store.current(), risk=risk)
    is_bad = isinstance(found, Mistake)
    context = {"mistake" if is_bad else "condition": found}
    return TemplateResponse(request, "admin/policies/condition_verdict.html", context)


def check(
    source: str, rules: CompiledRules, *, risk: bool
) -> Condition | Mistake | None:
    """Compile a condition as saving it would. None: it is empty, and always holds."""
    if not source.strip():
        return None
    try:
        fields.condition(source)
        return cel.compile_condition(
            source,
            lookbacks=rules.rules.lookbacks,
            calendars=rules.rules.calendars,
            risk=risk,
        )
    except Unfit as unfit:
        return Mistake(str(unfit))
    except BadCondition as bad:
        return _located(source, bad)


def _located(source: str, bad: BadCondition) -> Mistake:
    line = (source.split("\n")[bad.line - 1 : bad.line] or [""])[0]
    at = max(0, bad.column - 1)
    before, after = line[max(0, at - AROUND) : at], line[at + 1 : at + 1 + AROUND]
    return Mistake(bad.detail, bad.line, bad.column, before, line[at : at + 1], after)


def _names(request: HttpRequest, actions: str, *, risk: bool) -> HttpResponse:
    rules = store.current().rules
    wanted = [each.strip() for each in actions.split(",")]
    wanted = [each for each in wanted if patterns.is_pattern(each)]
    context = {
        "groups": {
            "Facts": [*FACTS, RISK] if risk else FACTS,
            "Lookbacks": list(_answers(rules.lookbacks)),
            "Calendars": list(_answers(rules.calendars)),
            "Functions": FUNCTIONS,
        },
        "wanted": wanted,
        "may_see_actions": sees_actions(request),
        "newest": observed.NEWEST,
        "window": observed.WINDOW,
    }
    if wanted and context["may_see_actions"]:
        context["observed"] = observed.observe(wanted)
    return TemplateResponse(request, "admin/policies/condition_names.html", context)


def _answers(rules: Iterable[Lookback | Calendar]) -> Iterator[Name]:
    for rule in rules:
        for answer in dialect.answers_of(rule):
            yield Name(answer, _means(rule, answer.rpartition(".")[2]))


def _means(rule: Lookback | Calendar, answer: str) -> str:
    if isinstance(rule, Calendar):
        return "whether people work now" if answer == "open" else "whether today is one"
    told = {"sum": f"sum of {rule.sum}", "distinct": f"different {rule.distinct}"}
    span = f"this {rule.window}" if isinstance(rule.window, Period) else "in its window"
    return f"{told.get(answer, 'how many')} by {rule.key or 'all actions'}, {span}"
