"""What most tests of the console stand on."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRequest
from governance.models import Agent
from tests.approvals.factories import make_request


@pytest.fixture
def refund(refund_rules: None, agent: Agent) -> ApprovalRequest:
    """A refund of $75 that waits for a manager."""
    return make_request(agent)
