"""How do people read a value: as money, as a time? Said beside it, never in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone_name, localtime

from approvals.console.words import span
from governance import canonical

_MONEY = re.compile(
    r"(?P<before>.*_)?(?:amount|price|total|subtotal|value|fee|fees|tax|sum|cost|balance|"
    r"refund|discount|limit|budget|salary|payout)(?P<minor>_(?:cents|minor|in_cents))?"
)
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,10})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
# ISO 4217: those without a hundredth part.
_WITHOUT_PARTS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
_THOUSANDTHS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?"
)
_MOMENT = re.compile(r".*(_at|_on|_time|_ts|timestamp|expires|expiry|deadline|until)")
_SECONDS = (1_000_000_000, 4_102_444_800)


def reading(
    name: str, value: Any, beside: Mapping[str, Any], at: datetime | None
) -> str:
    """Return how people read a value, empty if it says all there is to say.

    ``beside`` are the values next to it, where its currency is; ``at`` is now.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _money(name, value, beside) or _time(name, value, at)


# Money


def is_money(name: str) -> bool:
    """Whether a value of this name is an amount of money, in whole units."""
    found = _MONEY.fullmatch(_snake(name))
    return found is not None and not found["minor"]


def currency(name: str, beside: Mapping[str, Any]) -> str:
    """Return the code of the currency an amount is in, empty if none is named."""
    own = (f"{name}_currency", "currency", "currency_code", "currencyCode")
    said = next((beside[each] for each in own if each in beside), None)
    if isinstance(said, str) and _CURRENCY.fullmatch(said):
        return said.upper()
    return ""


def written(amount: Decimal, code: str) -> str:
    """Write it with as many digits as the currency has, more if it has more itself."""
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    digits = _digits(code) if code else 0
    return f"{amount:,.{max(digits, -exponent)}f} {code}".rstrip()


def exact(value: Any) -> Decimal | None:
    """Return a number, or the text of one, as it is written."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value if isinstance(value, str) else _plain(value)
    if isinstance(value, str) and not _DECIMAL.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _money(name: str, value: str | float, beside: Mapping[str, Any]) -> str:
    found, code = _MONEY.fullmatch(_snake(name)), currency(name, beside)
    amount = exact(value) if found and code else None
    if found is None or amount is None:
        return ""
    if found["minor"]:
        if amount != amount.to_integral_value():
            return ""
        amount = amount.scaleb(-_digits(code))
    return written(amount, code)


def _plain(value: float) -> str:
    return canonical.canonical_bytes(value).decode()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _digits(currency: str) -> int:
    if currency in _WITHOUT_PARTS:
        return 0
    return 3 if currency in _THOUSANDTHS else 2


# Times


def _time(name: str, value: str | float, at: datetime | None) -> str:
    if isinstance(value, str):
        return _iso(value, at) if _ISO.fullmatch(value) else ""
    if not _MOMENT.fullmatch(_snake(name)):
        return ""
    seconds = value / 1000 if value >= _SECONDS[1] else value
    if not _SECONDS[0] <= seconds < _SECONDS[1]:
        return ""
    return _local(datetime.fromtimestamp(seconds, UTC), at)


def _iso(text: str, at: datetime | None) -> str:
    try:
        moment = parse_datetime(text) if len(text) > 10 else None
        day = parse_date(text) if len(text) == 10 else None
    except ValueError:
        return ""
    if moment and moment.tzinfo:
        return _local(moment, at)
    if moment:
        return f"{moment:%a}, {_day(moment)}, {moment:%H:%M}, of no time zone"
    return _whole_day(day, at) if day else ""


def _local(moment: datetime, at: datetime | None) -> str:
    try:
        here = localtime(moment)
    except (OverflowError, ValueError):
        return ""
    said = f"{here:%a}, {_day(here)}, {here:%H:%M} {get_current_timezone_name()}"
    return f"{said}, {_distance(moment - at)}" if at else said


def _distance(ahead: timedelta) -> str:
    if abs(ahead) < timedelta(minutes=1):
        return "now"
    return f"in {span(ahead)}" if ahead > timedelta() else f"{span(-ahead)} ago"


def _whole_day(day: date, at: datetime | None) -> str:
    said = f"{day:%a}, {_day(day)}"
    if at is None:
        return said
    days = (day - localtime(at).date()).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    far = f"in {days} d" if days > 0 else f"{-days} d ago"
    return f"{said}, {near.get(days, far)}"


def _day(day: date) -> str:
    return f"{day:%b} {day.day}, {day.year}"
