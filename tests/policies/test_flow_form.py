"""The form of a flow: it shows, keeps and checks everything a policy file may say."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.forms import ValidationError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from governance import text_safety
from policies import bodies, rows, services
from policies.admin import chains
from policies.admin.flows import StageForm, StageInline
from policies.bodies import STAGE as TERMS
from policies.bodies import Subject
from policies.models import Flow, Version
from tests.cast import make_user
from tests.pages import browser, queries, root
from tests.policies.making import STAGE, flow

FLOWS = "/admin/policies/flow/"
CHAIN = [
    {"after": "30m", "do": "remind"},
    {"after": "2h", "do": "escalate", "to": ["finance", "legal"]},
    {"after": "8h", "do": "approve", "max_risk": 20},
]


@pytest.fixture
def console(db: None) -> Client:
    return browser(root())


@pytest.fixture
def everything(db: None) -> Flow:
    """A flow that says all there is to say."""
    services.save(Subject.CALENDAR, {"name": "office", "time_zone": "Europe/Berlin"})
    stage = {
        "name": "Manager",
        "step": 3,
        "groups": ["managers"],
        "approvals": 2,
        "sla": "15m",
        "rejections": 2,
        "silence": CHAIN,
        "calendar": "office",
        "reassign_to": ["legal"],
    }
    timed = {
        "name": "Finance",
        "step": 3,
        "groups": ["finance"],
        "timeout": "4h",
        "on_timeout": "escalate",
        "escalate_to": ["legal"],
    }
    services.save(Subject.FLOW, flow("managers", stage, timed))
    return Flow.objects.get()


def page(row: Flow) -> str:
    return f"{FLOWS}{row.pk}/change/"


def shown(console: Client, row: Flow) -> dict[str, Any]:
    """What a browser would send if nobody changed anything."""
    context = console.get(page(row)).context
    inline = context["inline_admin_formsets"][0].formset
    sent: dict[str, Any] = {"note": "", "name": row.name}
    forms = [inline.management_form, *inline.initial_forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            sent[bound.html_name] = "" if value is None else value
    return {name: _sent(value) for name, value in sent.items()}


def _sent(value: Any) -> Any:
    if isinstance(value, list):
        return [getattr(each, "pk", each) for each in value]
    return getattr(value, "pk", value)


def body() -> dict[str, Any]:
    return rows.read_all()[Subject.FLOW]["managers"]


def test_the_form_has_every_field_of_a_stage() -> None:
    fields = [
        n
        for row in StageInline.fields
        for n in ([row] if isinstance(row, str) else row)
    ]

    assert set(StageForm.base_fields) == set(fields) == set(TERMS)


def test_saving_it_unchanged_keeps_everything(
    console: Client, everything: Flow
) -> None:
    before = body()

    answer = console.post(page(everything), shown(console, everything))

    assert answer.status_code == 302
    assert body() == before
    assert Version.objects.filter(subject=Subject.FLOW).count() == 1


def test_changing_one_field_keeps_the_others(console: Client, everything: Flow) -> None:
    before = body()
    sent = {**shown(console, everything), "stages-0-approvals": "1"}

    assert console.post(page(everything), sent).status_code == 302

    before["stages"][0]["approvals"] = 1
    assert body() == before


def test_a_chain_is_shown_a_step_a_line(console: Client, everything: Flow) -> None:
    sent = shown(console, everything)

    assert sent["stages-0-silence"] == (
        "30m remind\n2h escalate finance, legal\n8h approve up to 20"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8h", "Step 1: Write a time and what happens then"),
        ("1h remind\n8h warn", "Step 2: Write one of remind"),
        ("soon reject", "Step 1: &#x27;soon&#x27; is not a duration"),
        ("8h reject now", "Step 1: Nothing can stand behind reject"),
        ("8h approve", "Step 1: Say up to which risk"),
        ("8h approve up to 120", "Step 1: 120 is out of range"),
        ("1h escalate\n8h reject", "Step 1: Name the groups"),
        ('1h escalate "finance\n8h reject', "Step 1: Name the groups"),
        ("1h escalate finanse\n8h reject", "no group finanse. Did you mean finance?"),
        ("1h reject\n8h hold", "Step 1: Nothing can follow reject"),
        ("8h remind", "Step 1: The last step must be reject, hold or approve"),
        ("2h remind\n1h reject", "Step 2: Each step must come later"),
    ],
)
def test_a_wrong_step_is_shown_at_the_chain(
    console: Client, everything: Flow, text: str, words: str
) -> None:
    sent = {**shown(console, everything), "stages-0-silence": text}
    answer = console.post(page(everything), sent)

    assert answer.status_code == 200
    formset = answer.context["inline_admin_formsets"][0].formset
    assert words in str(formset.forms[0].errors["silence"])
    assert Version.objects.filter(subject=Subject.FLOW).count() == 1


def test_steps_and_a_timeout_do_not_go_together(
    console: Client, everything: Flow
) -> None:
    sent = {**shown(console, everything), "stages-0-timeout": "4h"}
    sent["stages-0-on_timeout"] = "hold"
    answer = console.post(page(everything), sent)

    errors = answer.context["inline_admin_formsets"][0].formset.forms[0].errors
    assert "Leave timeout out" in str(errors["timeout"])
    assert "Set it back to Reject" in str(errors["on_timeout"])


GROUP_NAMES = st.text(min_size=1, max_size=20).filter(
    lambda name: (
        name == " ".join(name.split()) and not text_safety.check_identifier(name, "")
    )
)
AFTER = st.integers(1, 50).map(lambda n: f"{n}h")
MIDDLE = st.one_of(
    st.fixed_dictionaries({"after": AFTER, "do": st.just("remind")}),
    st.fixed_dictionaries(
        {
            "after": AFTER,
            "do": st.just("escalate"),
            "to": st.lists(GROUP_NAMES, min_size=1, unique=True).map(sorted),
        }
    ),
)
LAST = st.one_of(
    st.fixed_dictionaries({"after": AFTER, "do": st.sampled_from(["reject", "hold"])}),
    st.fixed_dictionaries(
        {"after": AFTER, "do": st.just("approve"), "max_risk": st.integers(0, 100)}
    ),
)


@given(st.lists(MIDDLE, max_size=4), LAST)
def test_what_is_written_is_read_back(
    middle: list[dict[str, Any]], last: dict[str, Any]
) -> None:
    steps = [*middle, last]

    assert chains.read(chains.written(steps)) == steps


@given(st.text())
def test_any_text_is_a_chain_or_refused(text: str) -> None:
    with suppress(ValidationError):
        chains.read(text)


def test_a_group_with_a_comma_stands_in_quotation_marks(db: None) -> None:
    Group.objects.create(name='Sales, "EMEA"')
    step = {"after": "1h", "do": "escalate", "to": ['Sales, "EMEA"']}

    assert chains.written([step]) == '1h escalate "Sales, ""EMEA"""'
    assert chains.ChainField().clean(chains.written([step])) == [step]


# The picture


def test_the_page_shows_the_flow_as_it_is(console: Client, everything: Flow) -> None:
    make_user("zoe", Group.objects.get(name="managers"))
    drawn = console.get(page(everything)).content.decode()

    assert "<b>2<span> of 1</span></b> managers" in drawn
    assert "Too few people can approve." in drawn
    assert "2 must reject to stop it" in drawn
    assert "counts working time: office" in drawn
    for words in ("ask finance, legal as well", "approved up to risk 20", "expires"):
        assert words in drawn


def test_a_stage_that_waits_for_ever_says_so(console: Client) -> None:
    services.save(Subject.FLOW, flow("f", timeout=None, on_timeout="hold"))

    assert "waits for ever" in console.get(page(Flow.objects.get())).content.decode()


def test_names_in_the_picture_are_only_text(console: Client) -> None:
    services.save(
        Subject.FLOW, flow("f", {**STAGE, "name": "<script>x", "groups": ["<b>&"]})
    )

    for url in (FLOWS, page(Flow.objects.get())):
        drawn = console.get(url).content.decode()
        assert "<script>x" not in drawn
        assert "&lt;script&gt;x" in drawn
        assert "<b>&" not in drawn


def test_the_list_costs_the_same_for_one_and_eleven(console: Client) -> None:
    services.save(Subject.CALENDAR, {"name": "office"})
    services.save(Subject.FLOW, flow("flow-0", calendar="office"))
    one = queries(console, FLOWS)
    for number in range(1, 11):
        services.save(Subject.FLOW, flow(f"flow-{number}", calendar="office"))

    assert len(queries(console, FLOWS)) == len(one)


def test_the_body_of_a_chain_is_what_the_file_would_say(everything: Flow) -> None:
    read = bodies.read(Subject.FLOW, {"name": "x", "stages": body()["stages"]})

    assert read["stages"] == body()["stages"]
