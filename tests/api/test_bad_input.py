"""What agents must not be able to say, and the answer each attempt gets."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from governance.models import Action, Event
from tests.cast import AgentClient

pytestmark = pytest.mark.django_db


def body(**fields: Any) -> bytes:
    whole = {"action": "refund.create", "params": {"amount": 75}, **fields}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")


def params(text: str) -> bytes:
    return b'{"action": "refund.create", "params": %s}' % text.encode()


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def assert_problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert problem["status"] == status
    assert problem["detail"].endswith((".", "…", "?"))
    assert set(problem) == {
        "type",
        "title",
        "status",
        "code",
        "detail",
        "errors",
        "request_id",
    }
    return problem


BYTES = [
    ("C01", b"", 400, "empty_body", None),
    ("C02", b"{]", 400, "invalid_json", None),
    ("C02 trailing", b"{}{}", 400, "invalid_json", None),
    ("C03 array", b"[]", 400, "object_expected", None),
    ("C03 string", b'"x"', 400, "object_expected", None),
    ("C03 null", b"null", 400, "object_expected", None),
    ("C03 number", b"7", 400, "object_expected", None),
    ("C04", b'{"action":"a","action":"DROP"}', 400, "duplicate_key", "/action"),
    (
        "C04 deep",
        params('{"a":[{"b":1,"b":2}]}'),
        400,
        "duplicate_key",
        "/params/a/0/b",
    ),
    ("C05", params('{"\u00e9":1,"e\u0301":2}'), 400, "duplicate_key_normalized", None),
    ("C06 NaN", params('{"a":NaN}'), 400, "number_not_finite", "/params/a"),
    ("C06 Inf", params('{"a":Infinity}'), 400, "number_not_finite", "/params/a"),
    ("C06 -Inf", params('{"a":-Infinity}'), 400, "number_not_finite", "/params/a"),
    ("C07", params('{"a":1e400}'), 400, "number_out_of_range", "/params/a"),
    ("C07 negative", params('{"a":-1e400}'), 400, "number_out_of_range", "/params/a"),
    ("C08", params('{"a":9007199254740993}'), 400, "integer_out_of_range", "/params/a"),
    ("C08 exponent", params('{"a":1e16}'), 400, "integer_out_of_range", "/params/a"),
    (
        "C09",
        params('{"a":%s}' % ("9" * 4299)),
        400,
        "integer_out_of_range",
        "/params/a",
    ),
    (
        "C10",
        params('{"a":%s}' % ("9" * 4301)),
        400,
        "integer_out_of_range",
        "/params/a",
    ),
    (
        "C11",
        params('{"a":50.000000000000000001}'),
        400,
        "number_precision",
        "/params/a",
    ),
    ("C11 below", params('{"a":49.9999999999999999}'), 400, "number_precision", None),
    ("C20", params(nested(32)), 400, "too_deep", None),
    ("C21", params(nested(2_000)), 400, "too_deep", None),
    ("C21 far", b"[" * 100_000, 400, "too_deep", None),
    (
        "C22 keys",
        params(json.dumps({f"k{n}": 1 for n in range(10_001)})),
        400,
        "too_many_members",
        None,
    ),
    (
        "C22 items",
        params(json.dumps({"a": [1] * 10_001})),
        400,
        "too_many_members",
        "/params/a",
    ),
    ("C23", params('{"%s":1}' % ("k" * 129)), 400, "key_too_long", None),
    (
        "C24",
        params('{"a":"%s"}' % ("x" * 16_385)),
        400,
        "string_too_long",
        "/params/a",
    ),
    ("C25", b" " * (256 * 1024 + 1), 413, "body_too_large", None),
    ("C25 far", b" " * 3_000_000, 413, "body_too_large", None),
    ("C27", params(r'{"a":"x\u0000y"}'), 400, "control_character", "/params/a"),
    ("C28", params(r'{"a\u0000":1}'), 400, "control_character", None),
    ("C29", params(r'{"a":"\ud800"}'), 400, "invalid_unicode", "/params/a"),
    ("C30 ESC", params(r'{"a":"\u001b"}'), 400, "control_character", "/params/a"),
    ("C30 BEL", params(r'{"a":"\u0007"}'), 400, "control_character", "/params/a"),
    ("C30 DEL", params(r'{"a":"\u007f"}'), 400, "control_character", "/params/a"),
    ("C30 NEL", params(r'{"a":"\u0085"}'), 400, "control_character", "/params/a"),
    ("C31", params(r'{"a":"\ufffe"}'), 400, "invalid_unicode", "/params/a"),
    ("C31 FFFF", params(r'{"a":"\uffff"}'), 400, "invalid_unicode", "/params/a"),
    ("C32", b'{"action": "\xff"}', 400, "invalid_utf8", None),
    ("C32 overlong", b'{"action": "\xc0\xaf"}', 400, "invalid_utf8", None),
    ("C32 CESU", b'{"action": "\xed\xa0\x80"}', 400, "invalid_utf8", None),
    ("C33 BOM", b"\xef\xbb\xbf{}", 400, "charset", None),
    ("C33 UTF-16", "{}".encode("utf-16"), 400, "charset", None),
    ("C34", body(action="refund\u202e.create"), 422, "unsafe_text", "/action"),
    (
        "C34 id",
        body(resource={"type": "order", "id": "A\u202e1"}),
        422,
        "unsafe_text",
        "/resource/id",
    ),
    ("C35", body(action="\u200b\u200b"), 422, "unsafe_text", "/action"),
    ("C36", body(action="refund\U000e0041"), 422, "unsafe_text", "/action"),
    (
        "C38",
        body(reason="e" + "\u0301" * 5_000),
        422,
        "unsafe_text",
        "/reason",
    ),
    ("C40", body(action="refund\tcreate"), 422, "control_character", "/action"),
    (
        "C40 type",
        body(resource={"type": "or\nder", "id": "A"}),
        422,
        "control_character",
        "/resource/type",
    ),
    (
        "C40 id",
        body(resource={"type": "order", "id": "A\r1"}),
        422,
        "control_character",
        "/resource/id",
    ),
    ("C41 status", body(status="approved"), 422, "unknown_field", "/status"),
    ("C41 admin", body(is_admin=True), 422, "unknown_field", "/is_admin"),
    ("C41 risk", body(risk_score=0), 422, "unknown_field", "/risk_score"),
    ("C41 policy", body(policy="p"), 422, "unknown_field", "/policy"),
    ("C42 null", body(params=None), 422, "type_error", "/params"),
    ("C42 string", body(params="x"), 422, "type_error", "/params"),
    ("C42 array", body(params=[]), 422, "type_error", "/params"),
    ("C42 context", body(context=[]), 422, "type_error", "/context"),
    ("C42 reason", body(reason=7), 422, "type_error", "/reason"),
    ("C42 resource", body(resource="order"), 422, "type_error", "/resource"),
    ("C43 missing", b'{"params": {}}', 422, "action_required", "/action"),
    ("C43 blank", body(action=" "), 422, "action_blank", "/action"),
    ("C43 long", body(action="a" * 101), 422, "action_too_long", "/action"),
    ("C43 case", body(action="Refund.create"), 422, "action_pattern", "/action"),
    ("C43 space", body(action=" refund.create"), 422, "action_pattern", "/action"),
    ("C46 zero", body(expires_in=0), 422, "expires_in", "/expires_in"),
    ("C46 negative", body(expires_in=-1), 422, "expires_in", "/expires_in"),
    ("C46 huge", body(expires_in=10**9), 422, "expires_in", "/expires_in"),
    ("C46 text", body(expires_in="5m"), 422, "expires_in", "/expires_in"),
    ("C46 bool", body(expires_in=True), 422, "expires_in", "/expires_in"),
    ("C46 part", body(expires_in=1.5), 422, "expires_in", "/expires_in"),
    ("C49", body(id="0193"), 422, "read_only_field", "/id"),
]


@pytest.mark.parametrize(
    ("raw", "status", "code", "path"),
    [case[1:] for case in BYTES],
    ids=[case[0] for case in BYTES],
)
def test_a_bad_body_is_refused(
    api: AgentClient, raw: bytes, status: int, code: str, path: str | None
) -> None:
    problem = assert_problem(api.send("POST", "/actions", raw), status, code)

    if path is not None:
        assert problem["errors"][0]["path"] == path
    assert not Action.objects.exists()


def test_the_nearest_name_is_suggested(api: AgentClient) -> None:
    response = api.send("POST", "/actions", body(contxt={}))
    problem = assert_problem(response, 422, "unknown_field")

    assert "context" in problem["detail"]


def test_every_problem_is_named_at_once(api: AgentClient) -> None:
    response = api.send("POST", "/actions", b'{"params": 7, "expires_in": 0, "x": 1}')

    codes = {place["code"] for place in json.loads(response.content)["errors"]}
    assert codes == {"unknown_field", "action_required", "type_error", "expires_in"}


def test_other_spellings_of_a_number_become_canonical(api: AgentClient) -> None:
    raw = params('{"a": -0.0, "b": 1E2, "c": 1.0, "d": 0.10}')
    answer = json.loads(api.send("POST", "/actions", raw).content)

    assert json.dumps(answer["params"]) in (
        '{"a": 0, "b": 100, "c": 1, "d": 0.1}',
        json.dumps(answer["params"]),
    )
    assert answer["params"] == {"a": 0, "b": 100, "c": 1, "d": 0.1}
    assert isinstance(answer["params"]["c"], int)


@pytest.mark.parametrize(
    "amount", [True, "75", "5E+1", " 50 ", "1_000", "\u0665\u0660", None, [50]]
)
def test_a_param_of_the_wrong_kind_is_refused_by_the_schema(
    api: AgentClient, refund_rules: None, amount: object
) -> None:
    response = api.send(
        "POST", "/actions", body(params={"amount": amount, "customer_id": "C-7"})
    )
    problem = assert_problem(response, 422, "schema")

    assert problem["errors"][0]["path"] == "/params/amount"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[click](http://evil.example)",
        "<!channel>",
        "=cmd|' /C calc'!A0",
        "line\r\nBcc: x@evil.example",
        "p\u0430ypal",
        "hidden \U000e0041 words",
    ],
)
def test_odd_text_is_accepted_as_text(api: AgentClient, text: str) -> None:
    response = api.send(
        "POST", "/actions", body(context={"note": text}, params={"payee": text})
    )

    assert response.status_code == 201
    assert json.loads(response.content)["params"]["payee"] == text


def test_an_unknown_action_is_judged_and_never_allowed(api: AgentClient) -> None:
    answer = json.loads(api.send("POST", "/actions", body(action="x.y")).content)

    assert (answer["decision"], answer["status"]) == ("BLOCK", "blocked")
    assert answer["reasons"][0]["reason"] == "no_policy"


def test_strict_actions_refuse_what_is_not_in_the_catalogue(
    api: AgentClient, refund_rules: None, settings: Any
) -> None:
    settings.STRICT_ACTIONS = True
    response = api.send("POST", "/actions", body(action="refund.creat"))

    assert "refund.create" in assert_problem(response, 422, "unknown_action")["detail"]


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("application/x-www-form-urlencoded", "json_required"),
        ("multipart/form-data; boundary=x", "json_required"),
        ("text/plain", "json_required"),
        ("application/json; charset=latin-1", "charset"),
        ("application/json; charset=utf-16", "charset"),
    ],
)
def test_only_json_in_utf8_is_read(
    api: AgentClient, content_type: str, code: str
) -> None:
    assert_problem(api.send("POST", "/actions", body(), content_type), 415, code)


def test_a_compressed_body_is_refused(api: AgentClient) -> None:
    packed = gzip.compress(b" " * 10_000_000)
    response = api.send("POST", "/actions", packed, Content_Encoding="gzip")

    assert_problem(response, 415, "content_encoding")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*"])
def test_the_answer_is_json_whatever_is_asked_for(
    api: AgentClient, accept: str
) -> None:
    response = api.send("POST", "/actions", body(), Accept=accept)

    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_an_action_cannot_be_edited(api: AgentClient, method: str) -> None:
    response = api.send(method, "/actions/0193", body())

    assert_problem(response, 405, "method_not_allowed")
    assert "GET" in response["Allow"]


def test_a_method_override_is_ignored(api: AgentClient) -> None:
    response = api.send(
        "POST", "/actions/0193", body(), X_HTTP_Method_Override="DELETE"
    )

    assert_problem(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "header", [None, "Basic Zm9v", "Token x", "Bearer a, Bearer b"]
)
def test_without_a_key_nothing_is_said(header: str | None) -> None:
    stranger = AgentClient(None)
    headers = {"Authorization": header} if header else {}
    response = stranger.send("POST", "/actions", body(), **headers)

    assert_problem(response, 401, "authentication_required")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("key", ["x", "agk_aaaaaaaaaaaa_" + "x" * 43, "agk__"])
def test_an_unknown_key_is_refused(db: None, key: str) -> None:
    response = AgentClient(key).send("POST", "/actions", body())

    assert_problem(response, 401, "invalid_api_key")


@pytest.mark.parametrize("query", ["api_key=x", "token=x", "x=agk_aaaaaaaaaaaa_bbb"])
def test_a_key_in_the_address_is_refused(api: AgentClient, query: str) -> None:
    assert_problem(api.get(f"/actions?{query}"), 400, "key_in_url")


def test_a_real_key_in_the_address_is_noted(api: AgentClient) -> None:
    key = api.headers["Authorization"].removeprefix("Bearer ")
    assert_problem(AgentClient(None).get(f"/actions?key={key}"), 400, "key_in_url")

    noted = Event.objects.get(kind="key_in_url")
    assert key not in noted.body
    assert api.get("/actions").status_code == 200


@pytest.mark.parametrize(
    "pk",
    [
        "01939c9e-0000-7000-8000-000000000000",
        "1' OR '1'='1",
        "..",
        "%2e%2e",
        "null",
        "{0}",
    ],
)
def test_what_is_not_ones_own_is_not_found(api: AgentClient, pk: str) -> None:
    problem = assert_problem(api.get(f"/actions/{pk}"), 404, "not_found")
    problem.pop("request_id")
    other = assert_problem(api.get("/actions/nowhere"), 404, "not_found")
    other.pop("request_id")

    assert problem == other


@pytest.mark.parametrize(
    ("call", "sent"),
    [("cancel", {"x": 1}), ("consume", {"digest": 7}), ("outcome", {"status": "x"})],
)
def test_the_action_is_looked_up_before_the_body(
    api: AgentClient, call: str, sent: dict[str, Any]
) -> None:
    response = api.post(f"/actions/01939c9e-0000-7000-8000-000000000000/{call}", sent)

    assert_problem(response, 404, "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_parameter"),
        ("limit=-1", "invalid_parameter"),
        ("limit=1000000", "invalid_parameter"),
        ("limit=abc", "invalid_parameter"),
        ("cursor=abc", "invalid_parameter"),
        ("status=done", "invalid_parameter"),
        ("action=A%20B", "invalid_parameter"),
        ("colour=red", "unknown_parameter"),
    ],
)
def test_a_bad_parameter_is_refused(api: AgentClient, query: str, code: str) -> None:
    assert_problem(api.get(f"/actions?{query}"), 400, code)


@pytest.mark.parametrize("key", ["", "x" * 256, "schl\u00fcssel", "two words"])
def test_a_bad_idempotency_key_is_refused(api: AgentClient, key: str) -> None:
    response = api.send("POST", "/actions", body(), Idempotency_Key=key)

    assert_problem(response, 400, "idempotency_key_invalid")


def test_too_many_pending_actions_are_refused(
    api: AgentClient, refund_rules: None, settings: Any
) -> None:
    settings.MAX_PENDING_PER_AGENT = 1
    assert api.submit(75)["status"] == "pending"
    fields = {"amount": 75, "customer_id": "C-8"}
    response = api.send("POST", "/actions", body(params=fields))

    assert_problem(response, 429, "too_many_pending")
    assert response["Retry-After"]
    # What no person has to look at still goes through
    assert api.submit(20, params={"customer_id": "C-9"})["status"] == "allowed"


def test_too_many_submissions_are_refused(api: AgentClient, settings: Any) -> None:
    settings.SUBMISSIONS_PER_MINUTE = 2
    answers = [api.send("POST", "/actions", body()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert_problem(answers[2], 429, "rate_limited")
    assert answers[2]["Retry-After"]


def test_nothing_reaches_the_api_with_a_session(alice: Any) -> None:
    client = Client()
    client.force_login(alice)
    response = client.post("/api/v1/actions", body(), "application/json")

    assert response.status_code == 401


def test_another_address_is_a_problem_too(api: AgentClient) -> None:
    assert_problem(api.get("/nothing"), 404, "not_found")
    assert_problem(api.get("/actions/0193/approve"), 404, "not_found")
