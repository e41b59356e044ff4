"""The types of the rule language, and how they mix.

There are eight: boolean, integer (64 bits), decimal(p, s), double, text, date,
timestamp (a UTC instant, microseconds) and interval (a length of time that is the same
everywhere: weeks to seconds, never months). `NULL` has a type of its own that turns into
any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

#: Digits of the widest decimal that Polars, DuckDB and Snowflake share.
MAX_DIGITS = 38
#: Digits of a 64-bit integer.
INTEGER_DIGITS = 19


class TypeName(StrEnum):
    """The kinds of value an expression can have."""

    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class RuleType:
    """A kind of value; `digits` and `scale` only say something for decimals."""

    name: TypeName
    digits: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.name is TypeName.DECIMAL:
            return f"decimal({self.digits},{self.scale})"
        return self.name.value

    @property
    def is_number(self) -> bool:
        """Whether arithmetic is defined on it."""
        return self.name in {TypeName.INTEGER, TypeName.DECIMAL, TypeName.DOUBLE}


NULL = RuleType(TypeName.NULL)
BOOLEAN = RuleType(TypeName.BOOLEAN)
INTEGER = RuleType(TypeName.INTEGER)
DOUBLE = RuleType(TypeName.DOUBLE)
TEXT = RuleType(TypeName.TEXT)
DATE = RuleType(TypeName.DATE)
TIMESTAMP = RuleType(TypeName.TIMESTAMP)
INTERVAL = RuleType(TypeName.INTERVAL)


def decimal(digits: int, scale: int) -> RuleType:
    """DECIMAL(digits, scale), cut to 38 digits."""
    return RuleType(TypeName.DECIMAL, min(digits, MAX_DIGITS), scale)


_SIGNED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)


def from_polars(dtype: pl.DataType) -> RuleType | None:
    """The rule type of a column of `dtype`; None where rules cannot read such a column."""
    if isinstance(dtype, pl.Decimal):
        return decimal(dtype.precision or MAX_DIGITS, dtype.scale)
    if isinstance(dtype, pl.Datetime):
        return TIMESTAMP if dtype.time_zone == "UTC" else None
    if isinstance(dtype, _SIGNED):
        return INTEGER
    if isinstance(dtype, (pl.Float32, pl.Float64)):
        return DOUBLE
    if isinstance(dtype, pl.Boolean):
        return BOOLEAN
    if isinstance(dtype, pl.Date):
        return DATE
    return TEXT if isinstance(dtype, pl.String) else None


def to_polars(rule_type: RuleType) -> pl.DataType:
    """The Polars type that an expression of `rule_type` yields."""
    if rule_type.name is TypeName.DECIMAL:
        return pl.Decimal(rule_type.digits, rule_type.scale)
    return {
        TypeName.NULL: pl.Null(),
        TypeName.BOOLEAN: pl.Boolean(),
        TypeName.INTEGER: pl.Int64(),
        TypeName.DOUBLE: pl.Float64(),
        TypeName.TEXT: pl.String(),
        TypeName.DATE: pl.Date(),
        TypeName.TIMESTAMP: pl.Datetime("us", "UTC"),
        TypeName.INTERVAL: pl.Duration("us"),
    }[rule_type.name]


def common_type(types: Iterable[RuleType]) -> RuleType | None:
    """The narrowest type that holds all of `types`; None where they do not mix.

    Numbers mix with numbers and dates with timestamps (midnight UTC). Text mixes with
    nothing else: `amount > 'abc'` is a mistake, not false.
    """
    result = NULL
    for other in types:
        if result == other or other == NULL:
            continue
        if result == NULL:
            result = other
        elif result.is_number and other.is_number:
            result = _common_number(result, other)
        elif {result.name, other.name} == {TypeName.DATE, TypeName.TIMESTAMP}:
            result = TIMESTAMP
        else:
            return None
    return result


def as_decimal(number: RuleType) -> RuleType:
    """The decimal that holds every value of an integer or decimal type."""
    return decimal(INTEGER_DIGITS, 0) if number == INTEGER else number


def _common_number(left: RuleType, right: RuleType) -> RuleType:
    if TypeName.DOUBLE in (left.name, right.name):
        return DOUBLE
    left, right = as_decimal(left), as_decimal(right)
    scale = max(left.scale, right.scale)
    return decimal(max(left.digits - left.scale, right.digits - right.scale) + scale, scale)
