"""Instants as integers and as text. All UTC; nothing here reads a clock."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = date(1970, 1, 1).toordinal()
_TWO_DIGITS = tuple(f"{number:02d}" for number in range(60))


def micros(day: date) -> int:
    """Microseconds from 1970 to the first instant of `day`."""
    return (day.toordinal() - _EPOCH) * DAY_US


def day_of(at_us: int) -> date:
    """The day of an instant."""
    return date.fromordinal(at_us // DAY_US + _EPOCH)


@lru_cache(maxsize=4096)
def _hour_text(hour: int) -> str:
    return f"{day_of(hour * HOUR_US).isoformat()}T{hour % 24:02d}:"


def iso_micros(at_us: int) -> str:
    """`2026-05-01T13:45:00.000123Z`, as Debezium writes a timestamptz."""
    hour, rest = divmod(at_us, HOUR_US)
    minute, rest = divmod(rest, MINUTE_US)
    second, rest = divmod(rest, SECOND_US)
    return f"{_hour_text(hour)}{_TWO_DIGITS[minute]}:{_TWO_DIGITS[second]}.{rest:06d}Z"


def iso_millis(at_ms: int) -> str:
    """`2026-05-01T13:45:00.123Z`, as a browser writes `new Date().toISOString()`."""
    hour, rest = divmod(at_ms, 3_600_000)
    minute, rest = divmod(rest, 60_000)
    second, rest = divmod(rest, 1_000)
    return f"{_hour_text(hour)}{_TWO_DIGITS[minute]}:{_TWO_DIGITS[second]}.{rest:03d}Z"
