"""An agent that refunds customers, and asks before it does.

It needs the address and its key:

    COUNTERSIGN_URL=http://localhost:8000 COUNTERSIGN_KEY=agk_… python refund_agent.py
"""

from __future__ import annotations

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import rfc8785

REFUNDS: list[dict[str, Any]] = [
    {
        "params": {"order_id": "A-1000", "customer_id": "C-3", "amount": 20},
        "reason": "One of two mugs arrived broken.",
        "context": {"order_total": 38, "ordered_on": "2026-11-12"},
    },
    {
        "params": {"order_id": "A-1001", "customer_id": "C-7", "amount": 75},
        "reason": "The screen is cracked; the photo shows it. The order is inside "
        "the return window.",
        "context": {"order_total": 129, "return_window_ends": "2026-12-01"},
    },
    {
        "params": {"order_id": "A-1002", "customer_id": "C-9", "amount": 450},
        "reason": "The parcel never arrived; the carrier confirms that it is lost.",
        "context": {"order_total": 450, "carrier_case": "LX-20931"},
    },
    {
        "params": {"order_id": "A-1003", "customer_id": "C-3", "amount": 30},
        "reason": "The customer says that the second mug has a crack as well.",
        "context": {"order_total": 38, "ordered_on": "2026-11-12"},
    },
    {
        "params": {"order_id": "A-1004", "customer_id": "C-5", "amount": 900},
        "reason": "The customer asks for ten times the price, politely.",
        "context": {"order_total": 90},
    },
]


class Agent:
    """Does nothing that Countersign has not allowed, and nothing twice."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=75,
        )

    def ask(self, refund: dict[str, Any]) -> dict[str, Any]:
        order = refund["params"]["order_id"]
        body = {
            "action": "refund.create",
            **refund,
            "params": {**refund["params"], "currency": "USD"},
            "resource": {"type": "order", "id": order},
        }
        # The same order is never asked about twice, however often this is retried.
        headers = {"Idempotency-Key": f"refund-{order}"}
        return self.call("POST", "/actions", json=body, headers=headers)

    def wait(self, action: dict[str, Any]) -> dict[str, Any]:
        while action["status"] == "pending":
            action = self.call("GET", f"/actions/{action['id']}?wait=60")
        return action

    def carry_out(self, action: dict[str, Any]) -> dict[str, Any]:
        """Spend the permission, refund, and say what came of it."""
        address = f"/actions/{action['id']}"
        spend = {
            "digest": digest(action["action"], action["params"], action["resource"])
        }
        headers = {"Idempotency-Key": "once"}
        self.call("POST", f"{address}/consume", json=spend, headers=headers)
        receipt = {"refund_id": f"R-{action['params']['order_id']}"}
        outcome = {"status": "succeeded", "detail": receipt}
        return self.call("POST", f"{address}/outcome", json=outcome)

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, **options)
        if answer.is_error:
            raise SystemExit(f"{method} {path}: {answer.text}")
        body: dict[str, Any] = answer.json()
        return body


def digest(action: str, params: dict[str, Any], resource: Any) -> str:
    """Digest what is about to run, computed here and not copied from the answer."""
    what = {"action": action, "params": params, "resource": resource}
    text = b"countersign/action/v1\n" + rfc8785.dumps(what)
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def main() -> None:
    agent = Agent(os.environ["COUNTERSIGN_URL"], os.environ["COUNTERSIGN_KEY"])
    actions = []
    for refund in REFUNDS:
        action = agent.ask(refund)
        say(action, why(action))
        actions.append(action)

    with ThreadPoolExecutor(len(actions)) as pool:
        for _ in pool.map(lambda action: finish(agent, action), actions):
            pass


def finish(agent: Agent, action: dict[str, Any]) -> None:
    """Wait if people must decide, then refund if that is allowed."""
    waited = action["status"] == "pending"
    action = agent.wait(action)
    if waited:
        say(action, verdict(action))
    if action["status"] in ("allowed", "approved"):
        action = agent.carry_out(action)
        say(action, f"refund {action['outcome_detail']['refund_id']}")


def why(action: dict[str, Any]) -> str:
    return str(action["reasons"][0]["reason"])


def verdict(action: dict[str, Any]) -> str:
    decisions = action["approval"]["decisions"]
    if not decisions:
        return "nobody decided in time"
    last = decisions[-1]
    return f"{last['by']}: {last['comment'] or last['verdict']}"


def say(action: dict[str, Any], words: str) -> None:
    params = action["params"]
    amount = f"${params['amount']} to {params['customer_id']}"
    line = f"  {amount:<14} {action['status']:<10} {words}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
