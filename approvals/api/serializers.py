"""The shapes of the API, as its OpenAPI document describes them.

``shapes`` checks what comes in and ``representation`` writes what goes out; a test
holds every answer against these.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from governance.models import Action, Status


class ResourceSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(max_length=100)
    id = serializers.CharField(max_length=200)


@extend_schema_field({"type": "object", "additionalProperties": True})
class AnyObject(serializers.DictField):
    """An object of any shape."""


class SubmissionSerializer(serializers.Serializer[Any]):
    action = serializers.RegexField(
        r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=100
    )
    params = AnyObject()
    resource = ResourceSerializer(required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_blank=True)
    context = AnyObject(required=False)  # type: ignore[assignment]
    expires_in = serializers.IntegerField(
        required=False, min_value=1, max_value=30 * 24 * 3600
    )


class RevisionSerializer(serializers.Serializer[Any]):
    """What changes. What is left out stays as it was."""

    params = AnyObject()
    resource = ResourceSerializer(required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_blank=True)
    context = AnyObject(required=False)  # type: ignore[assignment]


class ConsumeSerializer(serializers.Serializer[Any]):
    digest = serializers.RegexField(r"^sha256:[0-9a-f]{64}$")


class OutcomeSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["succeeded", "failed", "unknown"])
    detail = AnyObject(required=False)


class ReasonSerializer(serializers.Serializer[Any]):
    policy = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    decision = serializers.ChoiceField(choices=Action.Decision.choices)
    reason = serializers.CharField()


class StageSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    groups = serializers.ListField(child=serializers.CharField())
    needed = serializers.IntegerField()
    approved = serializers.IntegerField()
    rejections = serializers.IntegerField(required=False)
    rejected = serializers.IntegerField(required=False)
    status = serializers.ChoiceField(choices=["waiting", "open", "approved", "closed"])


class CheckSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    expression = serializers.CharField()


class DecisionSerializer(serializers.Serializer[Any]):
    by = serializers.CharField()
    verdict = serializers.ChoiceField(choices=["approve", "reject", "request_changes"])
    comment = serializers.CharField(allow_blank=True)
    conditions = serializers.ListField(child=serializers.CharField())
    checks = CheckSerializer(many=True)
    proposed_params = AnyObject(allow_null=True)
    at = serializers.DateTimeField()
    via = serializers.CharField()


class ApprovalSerializer(serializers.Serializer[Any]):
    deadline_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.CharField()
    stages = StageSerializer(many=True)
    decisions = DecisionSerializer(many=True)
    conditions = serializers.ListField(child=serializers.CharField())
    checks = CheckSerializer(many=True)
    comment = serializers.CharField(allow_null=True)
    proposed_params = AnyObject(allow_null=True)


class ActionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    action = serializers.CharField()
    params = AnyObject()
    resource = ResourceSerializer(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    context = AnyObject()  # type: ignore[assignment]
    revision = serializers.IntegerField()
    digest = serializers.CharField()
    decision = serializers.ChoiceField(choices=Action.Decision.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    risk = serializers.IntegerField(min_value=0, max_value=100)
    reasons = ReasonSerializer(many=True)
    approval = ApprovalSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    grant_expires_at = serializers.DateTimeField(allow_null=True)
    consumed_at = serializers.DateTimeField(allow_null=True)
    outcome_detail = AnyObject(allow_null=True)


class PageSerializer(serializers.Serializer[Any]):
    results = ActionSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class PlaceSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = PlaceSerializer(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField()
