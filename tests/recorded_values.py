"""PostgreSQL's text and silver's value of a column, brought to the same value.

Days and microseconds since 1970 stand for dates and times: Python's own end at the year 9999 and know nothing before
Christ. What the wire itself cannot carry (shared/data/debezium_recorded/README.md) is taken from PostgreSQL's side
too: an interval is microseconds with an average month, a time with an offset is that time in UTC.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Hashable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

SECOND = 1_000_000
DAY = 86_400 * SECOND

#: PostgreSQL's dates and timestamps end here; Debezium's stand-ins for infinity lie beyond.
FIRST_DAY, LAST_DAY = -2_440_588, 2_145_031_948
FIRST_TIME, LAST_TIME = -210_866_803_200 * SECOND, 9_224_318_016_000 * SECOND

_NOT_FINITE = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}
_STAMP = re.compile(
    r"(?P<year>[+-]?\d+)-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[ T](?P<time>[\d:.]+))?(?P<zone>Z|\+00)?(?P<bc> BC)?"
)
_INTERVAL = re.compile(r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?[\d.]+)S)?)?")


def told(text: str | None, kind: str) -> Hashable:
    """PostgreSQL's text of a column of this type, as a value."""
    if text is None:
        return None
    if kind == "bytea":
        return bytes.fromhex(text.removeprefix("\\x"))
    if kind == "interval":
        return _interval(text)
    if kind.endswith("[]"):
        return tuple(told(item, kind.removesuffix("[]")) for item in _array(text))
    return _reader(kind)(text)


def held(value: Any, kind: str) -> Hashable:
    """Silver's value of a column of this type, as the same value; text stands as the wire wrote it."""
    if value is None:
        return None
    if kind == "bytea":
        return base64.b64decode(value, validate=True)
    if kind == "interval":
        return int(value)
    if kind.endswith("[]"):
        items = json.loads(value, parse_float=str, parse_int=str)
        return tuple(held(item, kind.removesuffix("[]")) for item in items)
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=value.tzinfo)) // (datetime.resolution)
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    if re.fullmatch(r"-?\d+", str(value)):
        if kind == "date":
            return _in_range(int(value), FIRST_DAY, LAST_DAY)
        if kind == "timestamp(3)":
            return _in_range(int(value) * 1_000, FIRST_TIME, LAST_TIME)
        if kind.startswith("time"):
            return _in_range(int(value), FIRST_TIME, LAST_TIME)
    return _reader(kind)(str(value))


def _reader(kind: str) -> Callable[[str], Hashable]:
    """What reads a text of this type, written by PostgreSQL or by the wire."""
    if kind in ("bigint", "integer", "smallint"):
        return int
    if kind.startswith("numeric"):
        return lambda text: _NOT_FINITE.get(text) or (text if text in _NOT_FINITE.values() else Decimal(text))
    if kind in ("double precision", "real"):
        return lambda text: str(float(text))  # as text, a NaN equals a NaN
    if kind == "jsonb":
        return lambda text: repr(json.loads(text, parse_float=Decimal))  # a JSON null is no SQL null
    if kind == "date":
        return _day
    if kind.startswith("timestamp"):
        return _stamp
    return _clock if kind.startswith("time") else str


def _in_range(count: int, first: int, last: int) -> int | str:
    return count if first <= count <= last else "infinity" if count > 0 else "-infinity"


def _day(text: str) -> int | str:
    """`0044-03-15 BC`, `-0043-03-15Z` and `infinity` as days since 1970, or by the word."""
    found = _STAMP.fullmatch(text)
    if found is None:
        assert text in ("infinity", "-infinity"), text
        return text
    year = 1 - int(found["year"]) if found["bc"] else int(found["year"])
    return _in_range(_days_since_1970(year, int(found["month"]), int(found["day"])), FIRST_DAY, LAST_DAY)


def _stamp(text: str) -> int | str:
    """A timestamp in UTC, or a local one, as microseconds since 1970, or by the word."""
    found = _STAMP.fullmatch(text)
    if found is None:
        assert text in ("infinity", "-infinity"), text
        return text
    year = 1 - int(found["year"]) if found["bc"] else int(found["year"])
    days = _days_since_1970(year, int(found["month"]), int(found["day"]))
    return _in_range(days * DAY + _clock(found["time"]), FIRST_TIME, LAST_TIME)


def _clock(text: str) -> int:
    """A time of day in UTC as microseconds since midnight; 24:00 is the end of the day."""
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:Z|([+-])(\d\d)(?::(\d\d))?)?", text)
    assert found is not None, text
    hours, minutes, seconds, sign, zone_hours, zone_minutes = found.groups()
    micros = (int(hours) * 60 + int(minutes)) * 60 * SECOND + int(Decimal(seconds) * SECOND)
    ahead = (int(zone_hours or 0) * 60 + int(zone_minutes or 0)) * 60 * SECOND
    return micros if not ahead else (micros - (ahead if sign == "+" else -ahead)) % DAY


def _interval(text: str) -> int:
    """An ISO interval as Debezium counts it: a month is a twelfth of 365.25 days."""
    found = _INTERVAL.fullmatch(text)
    assert found is not None, text
    years, months, days, hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
    in_days = (years * 12 + months) * Decimal("365.25") / 12 + days
    return int(in_days * DAY + ((hours * 60 + minutes) * 60 + seconds) * SECOND)


def _array(text: str) -> list[str | None]:
    """The items of PostgreSQL's array literal of one dimension."""
    items: list[str | None] = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', text):
        items.append(None if plain == "NULL" else plain or re.sub(r"\\(.)", r"\1", quoted))
    return items


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Days of the proleptic Gregorian calendar; the year 0 is 1 BC (Howard Hinnant, `days_from_civil`)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
