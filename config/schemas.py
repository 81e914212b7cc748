"""Where do editors find what a policy file may say?"""

from __future__ import annotations

import hashlib
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from governance import canonical
from policies import file_schema


@cache
def _published() -> file_schema.Schema:
    return file_schema.schema(f"{settings.PUBLIC_URL}{reverse('policy-file-schema')}")


def _tag(request: HttpRequest) -> str:
    return (
        f'"{hashlib.sha256(canonical.canonical_bytes(_published())).hexdigest()[:32]}"'
    )


@require_safe
@cache_control(public=True, max_age=3600)
@condition(etag_func=_tag)
def policy_file(request: HttpRequest) -> HttpResponse:
    """The JSON Schema of policy files. Anybody may read it: it says nothing of the rules."""
    answer = JsonResponse(_published(), content_type="application/schema+json")
    # Editors in a browser load it from another address.
    answer["Access-Control-Allow-Origin"] = "*"
    return answer
