"""What every call of the agents' API has in common, added to its OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "No valid key.",
    "403": "This agent may not, or may not now.",
    "404": "No such action, or not yours.",
    "405": "Not this method.",
    "409": "Not in this state.",
    "410": "Too late.",
    "413": "The body is too large.",
    "415": "Not JSON in UTF-8.",
    "422": "Read, and refused.",
    "429": "Too many.",
    "503": "Try again in a moment. Nothing is allowed meanwhile.",
}
PLACE = {
    "type": "object",
    "required": ["path", "code", "detail"],
    "properties": {name: {"type": "string"} for name in ("path", "code", "detail")},
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable.",
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": PLACE},
        "request_id": {"type": "string"},
    },
}


class AgentKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "approvals.api.authentication.AgentKeyAuthentication"
    name = "agentKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An agent's key, agk_…, shown once when it is issued.",
        }


def document_problems(result: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Say of every call that it may answer with a problem."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    content = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    for path in result["paths"].values():
        for operation in path.values():
            for status, words in PROBLEMS.items():
                operation["responses"].setdefault(
                    status, {"description": words, "content": content}
                )
    return result
