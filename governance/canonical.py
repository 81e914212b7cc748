"""Which bytes stand for a JSON value, so that everyone computes the same digest?

The values are those ``strict_json.loads`` returns. RFC 8785 (JCS) fixes the order of
keys, the escapes and the digits of numbers.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypeGuard

import rfc8785

_PREFIX = b"countersign/action/v1\n"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def canonical_bytes(value: Any) -> bytes:
    """Return the one RFC 8785 form of a JSON value: 1 and 1.0 are the same bytes."""
    canonical: bytes = rfc8785.dumps(value)
    return canonical


def digest(action: str, params: dict[str, Any], resource: dict[str, Any] | None) -> str:
    """Return what an approval is bound to: exactly what would run, and no words.

    Callers compute it themselves before they consume a permission, from
    ``"countersign/action/v1\\n"`` and the canonical form of the three members, with
    ``resource`` null when there is none.
    """
    covered = {"action": action, "params": params, "resource": resource}
    return f"sha256:{hashlib.sha256(_PREFIX + canonical_bytes(covered)).hexdigest()}"


def is_digest(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def fingerprint(value: Any) -> str:
    """Return a short name for a value, to tell whether a repeated call is the same."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def key_text(value: Any) -> str | None:
    """Return the text under which a lookback counts a value, None if it cannot.

    7, 7.0 and "7" are the same customer.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        return None
    try:
        return canonical_bytes(value).decode()
    except rfc8785.CanonicalizationError:
        return None
