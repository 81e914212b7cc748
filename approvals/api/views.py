"""What an agent may do: ask, look, wait, revise, withdraw, spend, report. Never approve."""

from __future__ import annotations

import re
import time
from typing import Any, NoReturn, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from approvals import services
from approvals.api import parsers, serializers, shapes
from approvals.api.representation import action_data
from approvals.course import Course
from approvals.errors import NotFound
from approvals.services import storage
from governance import clock
from governance.errors import Malformed, Refused
from governance.models import Action, ActionQuerySet, Agent, AgentKey, Status

MAX_WAIT = 60
MAX_LIMIT = 100
IDEMPOTENCY_KEY = re.compile(r"\A[\x21-\x7e]{1,255}\Z")

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1-255 visible ASCII characters. The same key again does nothing new.",
)


class RateLimited(Refused):
    code = "rate_limited"
    status = 429


class InvalidParameter(Malformed):
    code = "invalid_parameter"


class UnknownParameter(Malformed):
    code = "unknown_parameter"


class SubmissionRate(SimpleRateThrottle):
    """Counts submissions an agent makes in a minute, if a limit is set."""

    scope = "submissions"

    def get_rate(self) -> str | None:
        limit: int = settings.SUBMISSIONS_PER_MINUTE
        return f"{limit}/min" if limit else None

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        if request.method != "POST" or not isinstance(request.auth, AgentKey):
            return None
        return f"submissions:{request.auth.agent_id}"


class AgentView(APIView):
    """The order of checks that every call shares: size, key, address, content type."""

    parameters: frozenset[str] = frozenset()
    http_method_names = ["get", "head", "post"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        parsers.check_size(request)
        super().initial(request, *args, **kwargs)
        if "pk" not in kwargs:
            self.check_parameters()

    def check_parameters(self) -> None:
        for name in self.request.GET:
            if self.request.method != "GET" or name not in self.parameters:
                raise UnknownParameter("This address takes no such parameter.")

    def throttled(self, request: Request, wait: float | None) -> NoReturn:
        raise RateLimited(
            "Too many submissions. Slow down.", retry_after=int(wait or 1) + 1
        )

    @property
    def agent(self) -> Agent:
        return self.proof.agent

    @property
    def proof(self) -> AgentKey:
        """What the agent proved itself with."""
        assert isinstance(self.request.auth, AgentKey)
        return self.request.auth

    def body(self) -> dict[str, Any]:
        if self._is_empty():
            raise Malformed("Send a JSON object as the body.", code="empty_body")
        parsers.check_content_type(self.request)
        return cast(dict[str, Any], self.request.data)

    def optional_body(self) -> dict[str, Any]:
        return {} if self._is_empty() else self.body()

    def _is_empty(self) -> bool:
        return self.request.META.get("CONTENT_LENGTH") in (None, "", "0")

    def key(self) -> str | None:
        """Return the Idempotency-Key, refusing one that cannot be told apart."""
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is not None and (
            not IDEMPOTENCY_KEY.match(key)
            or _lines(self.request._request, b"idempotency-key") > 1
        ):
            raise Malformed(
                "Send one Idempotency-Key of 1 to 255 visible ASCII characters.",
                code="idempotency_key_invalid",
            )
        return key

    def own(self, pk: str) -> UUID:
        """Return the id of an action of this agent's. Anything else is not found."""
        try:
            found = UUID(pk)
        except ValueError:
            raise NotFound from None
        if str(found) != pk.lower():
            raise NotFound
        if not Action.objects.of(self.agent).filter(pk=found).exists():
            raise NotFound
        # What is not the agent's own is not found, whatever was sent.
        self.check_parameters()
        return found


def _lines(request: HttpRequest, name: bytes) -> int:
    """Count the header lines of this name. WSGI alone cannot tell: it joins them."""
    scope = request.META.get("asgi.scope", {"headers": [(name, b"")]})
    return sum(1 for header, _ in scope["headers"] if header == name)


def answer(course: Course, status: int = 200) -> Response:
    """Show the action, with what silence has decided by now, saved or not."""
    course.lapse(clock.now())
    return Response(action_data(course), status)


def _mark(response: Response, replayed: bool) -> None:
    if replayed:
        response["Idempotent-Replayed"] = "true"


class ActionsView(AgentView):
    throttle_classes = [SubmissionRate]
    parameters = frozenset({"status", "action", "cursor", "limit"})

    @extend_schema(
        operation_id="submit",
        summary="Ask to do something",
        request=serializers.SubmissionSerializer,
        responses={
            201: serializers.ActionSerializer,
            200: serializers.ActionSerializer,
        },
        parameters=[KEY_HEADER],
    )
    def post(self, request: Request) -> Response:
        key = self.key()
        proposal = shapes.proposal(self.body())
        course, replayed = services.submit(self.agent, proposal, idempotency_key=key)
        response = answer(course, 200 if replayed else 201)
        _mark(response, replayed)
        response["Location"] = f"/api/v1/actions/{course.action.pk}"
        return response

    @extend_schema(
        operation_id="list",
        summary="List own actions, newest first",
        responses=serializers.PageSerializer,
        parameters=[
            OpenApiParameter("status", str, enum=Status.values),
            OpenApiParameter("action", str),
            OpenApiParameter("cursor", str),
            OpenApiParameter(
                "limit", {"type": "integer", "minimum": 1, "maximum": 100}
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        limit = whole(request, "limit", 50, least=1, most=MAX_LIMIT)
        actions = Action.objects.of(self.agent).order_by("-pk")
        if "action" in request.GET:
            actions = actions.filter(name=_name(request.GET["action"]))
        if "cursor" in request.GET:
            actions = actions.filter(pk__lt=_cursor(request.GET["cursor"]))
        status = _status(request.GET["status"]) if "status" in request.GET else None
        page = newest(actions, status, limit + 1)
        more = len(page) > limit
        return Response(
            {
                "results": [action_data(course) for course in page[:limit]],
                "next": str(page[limit - 1].action.pk) if more else None,
            }
        )


def newest(actions: ActionQuerySet, status: str | None, count: int) -> list[Course]:
    """Return the first of these in a status, as silence has it by now, saved or not."""
    at = clock.now()
    if status is not None:
        actions = actions.in_status_or_due(status, at)
    found: list[Course] = []
    while len(found) < count:
        batch = storage.courses(actions[:count])
        for course in batch:
            course.lapse(at)
        found += [c for c in batch if status in (None, c.action.status)]
        if len(batch) < count:
            break
        actions = actions.filter(pk__lt=batch[-1].action.pk)
    return found[:count]


class ActionView(AgentView):
    parameters = frozenset({"wait"})

    @extend_schema(
        operation_id="read",
        summary="Read an action, or wait for its answer",
        responses=serializers.ActionSerializer,
        parameters=[
            OpenApiParameter(
                "wait",
                {"type": "integer", "minimum": 0},
                description="Seconds to wait while the status is pending, at most 60.",
            )
        ],
    )
    def get(self, request: Request, pk: str) -> Response:
        own = self.own(pk)
        wait = whole(request, "wait", 0, least=0, most=None)
        if "countersign" not in request.META.get("asgi.scope", {}):
            _wait(own, min(wait, MAX_WAIT))
        return answer(storage.read(own))


def _wait(pk: UUID, seconds: int) -> None:
    """Wait at the price of a thread, where no ASGI front does it for nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        course = storage.read(pk)
        course.lapse(clock.now())
        if course.action.status != Status.PENDING:
            return
        time.sleep(0.2)


class ReviseView(AgentView):
    @extend_schema(
        operation_id="revise",
        summary="Send the changed version that people asked for",
        request=serializers.RevisionSerializer,
        responses=serializers.ActionSerializer,
        parameters=[KEY_HEADER],
    )
    def post(self, request: Request, pk: str) -> Response:
        own, key = self.own(pk), self.key()
        sent = shapes.revision(self.body())
        course, replayed = services.revise(own, self.agent, sent, idempotency_key=key)
        response = answer(course)
        _mark(response, replayed)
        return response


class CancelView(AgentView):
    @extend_schema(
        operation_id="cancel",
        summary="Withdraw an action",
        request=None,
        responses=serializers.ActionSerializer,
    )
    def post(self, request: Request, pk: str) -> Response:
        own = self.own(pk)
        self.key()
        shapes.only(self.optional_body())
        return answer(services.cancel(own, self.agent))


class ConsumeView(AgentView):
    @extend_schema(
        operation_id="consume",
        summary="Spend the permission, once",
        request=serializers.ConsumeSerializer,
        responses=serializers.ActionSerializer,
        parameters=[KEY_HEADER],
    )
    def post(self, request: Request, pk: str) -> Response:
        own, key = self.own(pk), self.key()
        body = self.body()
        shapes.only(body, "digest")
        course = services.consume(
            own,
            self.agent,
            body.get("digest"),
            idempotency_key=key,
            key=self.proof,
        )
        return answer(course)


class OutcomeView(AgentView):
    @extend_schema(
        operation_id="report_outcome",
        summary="Say what came of it",
        request=serializers.OutcomeSerializer,
        responses=serializers.ActionSerializer,
    )
    def post(self, request: Request, pk: str) -> Response:
        own = self.own(pk)
        self.key()
        status, detail = shapes.outcome(self.body())
        return answer(services.report(own, self.agent, status, detail))


class NowhereView(AgentView):
    """Every other address below the API."""

    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.http_method_not_allowed = self.nowhere  # type: ignore[method-assign]
        return super().dispatch(request, *args, **kwargs)

    def nowhere(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound


def whole(
    request: Request, name: str, default: int, *, least: int, most: int | None
) -> int:
    """Return a whole-number parameter, or refuse it by name."""
    text = request.GET.get(name, str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 100 else -1
    if number < least or (most is not None and number > most):
        bounds = f"{least} to {most}" if most is not None else f"{least} or more"
        raise InvalidParameter(f"Send {name} as a whole number, {bounds}.")
    return number


def _status(text: str) -> str:
    if text not in Status.values:
        raise InvalidParameter(f"Send status as one of {', '.join(Status.values)}.")
    return text


def _name(text: str) -> str:
    if not shapes.ACTION.match(text) or len(text) > shapes.MAX_NAME:
        raise InvalidParameter("Send action as an action's full name.")
    return text


def _cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidParameter("Send cursor as the last answer's next.") from None
