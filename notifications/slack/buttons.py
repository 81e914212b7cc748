"""What does a button, or a dialog, remember of what it was made for?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from approvals.models import Vote
from governance.errors import Malformed

_VALUE = re.compile(r"([a-z_]{1,20}) ([0-9a-f-]{36}) (sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Button:
    """A verdict on one request, as it was shown: another digest by now is another one.

    Slack keeps it and sends it back, signed with everything else. It gives no right.
    """

    verdict: Vote.Verdict
    request: str
    digest: str

    @property
    def value(self) -> str:
        return f"{self.verdict.value} {self.request} {self.digest}"

    @classmethod
    def of(cls, value: object) -> Self:
        found = _VALUE.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[1] not in Vote.Verdict.values:
            raise Malformed("This is no button of ours.")
        return cls(Vote.Verdict(found[1]), found[2], found[3])
