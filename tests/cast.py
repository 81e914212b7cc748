"""Who plays in the tests: people by one function, agents by one client."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from governance.models import User

REFUND = {"order_id": "A-1001", "customer_id": "C-7", "amount": 75, "currency": "USD"}


def make_user(name: str, *groups: Group, **fields: Any) -> User:
    fields = {"is_staff": True, "email": f"{name}@example.com", **fields}
    user = User.objects.create_user(name, password="demo", **fields)
    user.groups.set(groups)
    return user


class AgentClient:
    """Speaks the agents' API as any HTTP client would, in this process."""

    def __init__(self, key: str | None) -> None:
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.client = Client(raise_request_exception=False)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | str = b"",
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.client.generic(
            method,
            f"/api/v1{path}",
            body,
            content_type,
            headers={**self.headers, **named},
        )

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        raw = json.dumps(body) if body is not None else b""
        return self.send("POST", path, raw, **headers)

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def submit(self, amount: object = 75, **fields: Any) -> dict[str, Any]:
        """Ask for a refund and return the answer, whatever it is."""
        params = {**REFUND, "amount": amount, **fields.pop("params", {})}
        body = {"action": "refund.create", "params": params, **fields}
        answer: dict[str, Any] = self.post("/actions", body).json()
        return answer
