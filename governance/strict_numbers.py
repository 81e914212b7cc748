"""Which numbers mean the same to every program that reads them?

JSON allows any digits, most programs keep a double. A number that would come out
changed at the other end is refused instead of rounded.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from governance.text_safety import excerpt

MAX_INTEGER = 2**53 - 1
MAX_DIGITS = 15

_NOT_A_DIGIT_OF_THE_VALUE = re.compile(r"[eE].*|[-.]")


class NotPortable(Exception):
    """A number that would not arrive everywhere as it was sent."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def read(text: str) -> int | float:
    """Return the value of a JSON number, as ``int`` when it is one by value.

    ``1.0`` and ``1E0`` are the integer 1, ``-0.0`` is 0: this is the canonical form.
    Takes NaN and the infinities as Python's parser spells them, to refuse them.
    """
    if text in ("NaN", "Infinity", "-Infinity"):
        raise NotPortable("number_not_finite", f"{text} is not a number in JSON.")
    digits = _NOT_A_DIGIT_OF_THE_VALUE.sub("", text).strip("0")
    if not digits:
        return 0

    nearest = float(text)
    written_as_integer = text.lstrip("-").isdigit()
    if nearest == 0 or (math.isinf(nearest) and not written_as_integer):
        raise NotPortable(
            "number_out_of_range",
            f"{excerpt(text)} does not fit a double. Send it as a string.",
        )
    # Exact and linear in time however long the text is: a double's range, tested
    # above, leaves no room for an exponent that is out of proportion to the digits.
    exact = Decimal(text)
    if exact.copy_abs() > MAX_INTEGER:
        raise NotPortable(
            "integer_out_of_range",
            f"{excerpt(text)} is beyond ±{MAX_INTEGER}. Send it as a string.",
        )
    whole = exact.to_integral_value()
    if whole == exact:
        return int(whole)
    if len(digits) > MAX_DIGITS or Decimal(repr(nearest)) != exact:
        raise NotPortable(
            "number_precision",
            f"{excerpt(text)} has more digits than a double keeps. Send at most "
            f"{MAX_DIGITS} significant digits, or a string.",
        )
    return nearest
