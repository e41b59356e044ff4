"""One JSON value read exactly and strictly, for the few records that need a second look.

The fast reader accepts more than JSON allows and prints long numbers through a double. Records
that might be concerned (`SUSPICIOUS`) are read again here: either they break a rule by name, or
their numbers come back digit by digit.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

#: Text in which the fast reader may accept what RFC 8259 forbids, or lose digits: NaN and infinities,
#: huge exponents, trailing commas, surrogate escapes, control digits by the hundred, numbers with a
#: point and 16 digits or more (beyond what a double keeps).
SUSPICIOUS = (
    r"(?i)[:\[,]\s*-?(?:nan|inf)|[:\[,]\s*-?[0-9][0-9.]*e[+-]?[0-9]{3}|,\s*[}\]]|\\ud[89a-f]|[0-9]{400}|"
    + "|".join(rf"[0-9]{{{before}}}\.[0-9]{{{16 - before}}}" for before in range(1, 16))
)

MAX_DEPTH = 512
MAX_INTEGER_DIGITS = 4300

VALID = "record_is_valid_json"
UNIQUE_KEYS = "record_has_unique_keys"
FINITE = "record_numbers_are_finite"
UNICODE = "record_text_is_valid_unicode"
SHALLOW = "record_is_not_too_deep"
UTF8 = "record_is_valid_utf8"
WITHIN_SIZE = "record_is_within_the_size_cap"
OBJECT = "record_is_an_object"


class _Broken(ValueError):
    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


def read_strictly(text: str) -> tuple[Any, str | None]:
    """(value with numbers as their own text in `Number`, None), or (None, the rule the text breaks)."""
    if _depth(text) > MAX_DEPTH:
        return None, SHALLOW
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_not_finite,
            parse_float=_number,
            parse_int=_integer,
        )
    except _Broken as broken:
        return None, broken.rule
    except (ValueError, RecursionError):
        return None, VALID
    return (None, UNICODE) if _has_surrogate(value) else (value, None)


class Number(str):
    """A JSON number by its digits."""

    __slots__ = ()


def _integer(digits: str) -> Number:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise _Broken(FINITE)
    return Number(digits)


def _number(digits: str) -> Number:
    if math.isinf(float(digits)):
        raise _Broken(FINITE)
    return Number(digits)


def _not_finite(constant: str) -> NoReturn:
    raise _Broken(FINITE)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Broken(UNIQUE_KEYS)
    return members


def _depth(text: str) -> int:
    """The deepest nesting, counted without recursion; brackets inside strings do not count."""
    deepest = depth = 0
    inside = escaped = False
    for letter in text:
        if inside:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                inside = False
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _has_surrogate(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if any("\ud800" <= letter <= "\udfff" for letter in item):
                return True
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False
