"""Render a checked expression for Polars.

Nothing here raises on a row and nothing prints a value: a text that is no number, a sum
that overflows and a division by zero are null. NaN is read as null, so that it is never
greater than a number.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import reduce

import polars as pl

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import MAX_DIGITS, RuleType, TypeName

#: The column that holds when a record landed; what now() reads.
LANDED_AT = "landed_at"

BLANKS = r"[ \t\r\n]*"
WHOLE_NUMBER = rf"^{BLANKS}([+-]?[0-9]+){BLANKS}$"
NUMBER = rf"^{BLANKS}([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?){BLANKS}$"
DAY = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-4])(?::[0-5][0-9])?)"
DATE_TEXT = rf"^{BLANKS}({DAY}){BLANKS}$"
TIME_TEXT = rf"^{BLANKS}({DAY}(?:[T ]{CLOCK}{OFFSET}?)?){BLANKS}$"

#: Microseconds since 1970 of the first and last instant a date can be written for.
FIRST_MICROSECOND = -62_135_596_800_000_000
LAST_MICROSECOND = 253_402_300_799_999_999


def to_polars(node: Node) -> pl.Expr:
    """The Polars expression of `node`.

    Reads the columns it names, and `landed_at` for now(). An expression without any
    column is a literal: use it where Polars broadcasts (`with_columns`, `filter`).
    """
    return _RENDERERS[node.operation](node, [to_polars(part) for part in node.arguments])


# --- names, constants, conversions


def _column(node: Node, _: list[pl.Expr]) -> pl.Expr:
    column = pl.col(str(node.value))
    if node.type == types.INTEGER:
        return column.cast(pl.Int64)
    if node.type == types.DOUBLE:
        return column.cast(pl.Float64).fill_nan(None)
    return column


def _literal(node: Node, _: list[pl.Expr]) -> pl.Expr:
    return pl.lit(node.value, dtype=types.to_polars(node.type))


def _cast(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    source, target, value = node.arguments[0].type, node.type, parts[0]
    if source == types.TEXT:
        return _cast_text(value, target)
    if source.name is TypeName.DECIMAL and target == types.INTEGER:
        return _round_decimal(value, source, 0).cast(pl.Int64, strict=False)
    if source.name is TypeName.DECIMAL and target.name is TypeName.DECIMAL:
        if target.scale < source.scale:
            value = _round_decimal(value, source, target.scale)
        return value.cast(types.to_polars(target), strict=False)
    if source == types.TIMESTAMP and target == types.DATE:
        return value.dt.date()
    if source == types.DATE and target == types.TIMESTAMP:
        return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return value.cast(types.to_polars(target), strict=False)


def _cast_text(text: pl.Expr, target: RuleType) -> pl.Expr:
    if target == types.INTEGER:
        return text.str.extract(WHOLE_NUMBER).cast(pl.Int64, strict=False)
    if target == types.DOUBLE:
        return text.str.extract(NUMBER).cast(pl.Float64, strict=False)
    if target.name is TypeName.DECIMAL:
        # Polars reads halves to even; so read all digits there is room for, then round.
        room = MAX_DIGITS - (target.digits - target.scale) - 1
        wide = text.str.extract(NUMBER).cast(pl.Decimal(MAX_DIGITS, room), strict=False)
        rounded = _round_decimal(wide, types.decimal(MAX_DIGITS, room), target.scale)
        return rounded.cast(types.to_polars(target), strict=False)
    if target == types.BOOLEAN:
        yes_or_no = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
        lowered = text.str.strip_chars(" \t\r\n").str.to_lowercase()
        return lowered.replace_strict(yes_or_no, default=None, return_dtype=pl.Boolean)
    if target == types.DATE:
        return text.str.extract(DATE_TEXT).str.to_date("%Y-%m-%d", strict=False)
    return (
        text.str.extract(TIME_TEXT)
        .str.replace(r"^(.{10})$", "${1}T00:00")
        .str.replace(r"Z$", "+00:00")
        .str.replace(r"([T ][0-9:.]+)$", "${1}+00:00")
        .str.replace(r"([T ].*[+-][0-9]{2})$", "${1}:00")
        .str.replace(r"^(.{10})[T ]([0-9:]{5})([+-])", "${1}T${2}:00${3}")
        .str.replace(r"^(.{10}) ", "${1}T")
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False)
        .dt.convert_time_zone("UTC")
    )


def _round_decimal(value: pl.Expr, source: RuleType, places: int) -> pl.Expr:
    """Halves away from zero."""
    if places >= source.scale:
        return value
    return value.round(places, mode="half_away_from_zero")


# --- logic and comparison


def _and(_: Node, parts: list[pl.Expr]) -> pl.Expr:
    return reduce(lambda left, right: left & right, parts)


def _or(_: Node, parts: list[pl.Expr]) -> pl.Expr:
    return reduce(lambda left, right: left | right, parts)


def _in(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    value, options = node.arguments[0], node.arguments[1:]
    if not all(option.is_literal for option in options) or value.is_literal:
        # A literal stands on the right: see `compared` in rule_operands.
        pairs = [(part, parts[0]) if value.is_literal else (parts[0], part) for part in parts[1:]]
        return reduce(lambda left, right: left | right, [one == other for one, other in pairs])
    known = [option.value for option in options if option.value is not None]
    listed = pl.Series(known, dtype=types.to_polars(value.type))
    found = parts[0].is_in(pl.lit(listed).implode())
    if len(known) < len(options):
        # x in (…, null) is true or unknown, never false.
        return pl.when(found).then(True).otherwise(pl.lit(None, dtype=pl.Boolean))
    return found


def _case(_: Node, parts: list[pl.Expr]) -> pl.Expr:
    chosen = parts[-1]
    for condition, value in reversed(list(zip(parts[:-1:2], parts[1:-1:2], strict=True))):
        chosen = pl.when(condition).then(value).otherwise(chosen)
    return chosen


def _nullif(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    nothing = pl.lit(None, dtype=types.to_polars(node.type))
    value, other = parts
    equal = other == value if node.arguments[0].is_literal else value == other
    return pl.when(equal).then(nothing).otherwise(value)


# --- arithmetic

_OPERATIONS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "add": lambda left, right: left + right,
    "subtract": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
}


def _arithmetic(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    left, right = parts
    operate = _OPERATIONS[node.operation]
    if node.type == types.INTEGER:
        wide = operate(left.cast(pl.Int128), right.cast(pl.Int128))
        return wide.cast(pl.Int64, strict=False)
    if node.type == types.DOUBLE:
        return operate(left, right).fill_nan(None)
    wide_type = pl.Decimal(MAX_DIGITS, node.type.scale)
    if not node.settings[0]:
        left = pl.when(_fits(node, left, right)).then(left)
    result = operate(left.cast(wide_type, strict=False), right.cast(wide_type, strict=False))
    return result.cast(types.to_polars(node.type), strict=False)


def _fits(node: Node, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Whether 38 digits are certainly enough for the result (Polars raises otherwise)."""
    limit = overflow_limit(node)
    left_size = left.cast(pl.Float64).abs()
    right_size = right.cast(pl.Float64).abs()
    if node.operation != "multiply":
        return left_size + right_size < limit
    return (left_size * right_size < limit) & (left_size < limit) & (right_size < limit)


def overflow_limit(node: Node) -> float:
    """Results of `node` below this fit its decimal type; a little less than they could be."""
    return 0.99 * float(Decimal(10) ** (node.type.digits - node.type.scale))


def _divide(_: Node, parts: list[pl.Expr]) -> pl.Expr:
    return (parts[0] / parts[1].replace(0.0, None)).fill_nan(None)


def _modulo(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    """The remainder with the sign of the dividend; Polars' own has the divisor's."""
    wide = parts[0].cast(pl.Int128)
    remainder = wide.sign() * (wide.abs() % pl.lit(node.settings[0], dtype=pl.Int128))
    return remainder.cast(pl.Int64, strict=False)


def _negative(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    if node.type == types.INTEGER:
        return (0 - parts[0].cast(pl.Int128)).cast(pl.Int64, strict=False)
    return -parts[0]


def _abs(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    if node.type == types.INTEGER:
        return parts[0].cast(pl.Int128).abs().cast(pl.Int64, strict=False)
    return parts[0].abs()


def _round(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    places = int(str(node.settings[0]))
    rounded = parts[0].round(places, mode="half_away_from_zero")
    return rounded.cast(types.to_polars(node.type), strict=False)


# --- text


def _trim(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    side, characters = node.settings
    text = parts[0].str
    strip = {
        "BOTH": text.strip_chars,
        "LEADING": text.strip_chars_start,
        "TRAILING": text.strip_chars_end,
    }
    return strip[str(side)](str(characters))


def _substring(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    start, count = (None if given is None else int(str(given)) for given in node.settings)
    return parts[0].str.slice((start or 1) - 1, count)


def _split_part(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    separator, number = str(node.settings[0]), int(str(node.settings[1]))
    # Padded with separators, so that a part beyond the last is empty and not missing.
    padded = pl.concat_str(parts[0], pl.lit(separator * number))
    return padded.str.split(separator).list.get(number - 1, null_on_oob=True)


def _pad(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    length, filler = int(str(node.settings[0])), str(node.settings[1])
    cut = parts[0].str.slice(0, length)
    pad = cut.str.pad_start if node.operation == "lpad" else cut.str.pad_end
    return pad(length, filler)


def _regexp_replace(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    regex, new, every = str(node.settings[0]), str(node.settings[1]), bool(node.settings[2])
    return parts[0].str.replace_all(regex, new) if every else parts[0].str.replace(regex, new)


# --- time

_TRUNCATE = {
    "year": "1y",
    "quarter": "1q",
    "month": "1mo",
    "week": "1w",
    "day": "1d",
    "hour": "1h",
    "minute": "1m",
}

_PARTS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "year": lambda time: time.dt.year(),
    "quarter": lambda time: time.dt.quarter(),
    "month": lambda time: time.dt.month(),
    "week": lambda time: time.dt.week(),
    "day": lambda time: time.dt.day(),
    "isodow": lambda time: time.dt.weekday(),
    "hour": lambda time: time.dt.hour(),
    "minute": lambda time: time.dt.minute(),
}


def _from_epoch(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    factor = int(str(node.settings[0]))
    low, high = FIRST_MICROSECOND // factor, LAST_MICROSECOND // factor
    writable = pl.when(parts[0].is_between(low, high)).then(parts[0])
    return (writable * factor).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


_RENDERERS: dict[str, Callable[[Node, list[pl.Expr]], pl.Expr]] = {
    "column": _column,
    "literal": _literal,
    "landed_at": lambda _node, _parts: pl.col(LANDED_AT),
    "cast": _cast,
    "and": _and,
    "or": _or,
    "not": lambda _, parts: ~parts[0],
    "is_null": lambda _, parts: parts[0].is_null(),
    "equal": lambda _, parts: parts[0] == parts[1],
    "not_equal": lambda _, parts: parts[0] != parts[1],
    "less": lambda _, parts: parts[0] < parts[1],
    "less_or_equal": lambda _, parts: parts[0] <= parts[1],
    "greater": lambda _, parts: parts[0] > parts[1],
    "greater_or_equal": lambda _, parts: parts[0] >= parts[1],
    "not_distinct": lambda _, parts: parts[0].eq_missing(parts[1]),
    "in": _in,
    "case": _case,
    "coalesce": lambda _, parts: pl.coalesce(parts),
    "nullif": _nullif,
    "greatest": lambda _, parts: pl.max_horizontal(parts),
    "least": lambda _, parts: pl.min_horizontal(parts),
    "add": _arithmetic,
    "subtract": _arithmetic,
    "multiply": _arithmetic,
    "divide": _divide,
    "modulo": _modulo,
    "negative": _negative,
    "abs": _abs,
    "round": _round,
    "floor": lambda node, parts: parts[0].floor().cast(types.to_polars(node.type)),
    "ceil": lambda node, parts: parts[0].ceil().cast(types.to_polars(node.type)),
    "concat": lambda _, parts: pl.concat_str(parts),
    "lower": lambda _, parts: parts[0].str.to_lowercase(),
    "upper": lambda _, parts: parts[0].str.to_uppercase(),
    "length": lambda _, parts: parts[0].str.len_chars().cast(pl.Int64),
    "trim": _trim,
    "substring": _substring,
    "left": lambda node, parts: parts[0].str.slice(0, int(str(node.settings[0]))),
    "right": lambda node, parts: parts[0].str.tail(int(str(node.settings[0]))),
    "lpad": _pad,
    "rpad": _pad,
    "replace": lambda node, parts: parts[0].str.replace_all(str(node.settings[0]), str(node.settings[1]), literal=True),
    "starts_with": lambda _, parts: parts[0].str.starts_with(parts[1]),
    "ends_with": lambda _, parts: parts[0].str.ends_with(parts[1]),
    "contains": lambda _, parts: parts[0].str.contains(parts[1], literal=True),
    "like": lambda node, parts: parts[0].str.contains(str(node.settings[0])),
    "regexp_matches": lambda node, parts: parts[0].str.contains(str(node.settings[0])),
    "regexp_replace": _regexp_replace,
    "split_part": _split_part,
    "add_interval": lambda _, parts: parts[0] + parts[1],
    "subtract_interval": lambda _, parts: parts[0] - parts[1],
    "time_between": lambda _, parts: parts[0] - parts[1],
    "days_between": lambda _, parts: (parts[0] - parts[1]).dt.total_days(),
    "date_trunc": lambda node, parts: parts[0].dt.truncate(_TRUNCATE[str(node.settings[0])]),
    "date_part": lambda node, parts: _PARTS[str(node.settings[0])](parts[0]).cast(pl.Int64),
    "from_epoch": _from_epoch,
}

#: Operations this engine renders; equal to those of `rule_sql`.
OPERATIONS = frozenset(_RENDERERS)
