"""From a field's text and kind to the column's type, or to the name of the rule it breaks.

Casting here never raises, never rounds in silence and never goes through a float on the way to a
decimal. A string where the contract says number is a broken rule, not a lucky parse.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

import polars as pl

from aura_lake.cdc.semantics import Semantic
from aura_lake.contracts.contract import Column

#: Debezium's sentinels for PostgreSQL's infinite timestamps, in microseconds; as milliseconds they are
#: the same divided by 1000 (connector page, "Temporal types").
INFINITE_MICROS = (9223372036825200000, -9223372036854775808, -9223372036832400000)

#: Years Delta and Polars hold in microseconds and people can read.
FIRST_MICROS = -62135596800000000  # 0001-01-01
LAST_MICROS = 253402300799999999  # 9999-12-31T23:59:59.999999

#: Decimal's own context keeps 28 digits and rounds the rest in silence; a column holds up to 38.
WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)

#: PostgreSQL's numeric has at most so many digits after its point ("Numeric Types").
MOST_DIGITS_AFTER_POINT = 16_383

RULE_WORDS = {
    "string": "is_text",
    "integer": "is_a_whole_number",
    "number": "is_a_number",
    "boolean": "is_true_or_false",
    "date": "is_a_date",
    "timestamp": "is_a_timestamp",
    "object": "is_json",
    "array": "is_json",
}


@dataclass(frozen=True)
class Cast:
    """Typed values, which of them broke the type rule, and which were infinite (null by convention)."""

    values: pl.Series
    broken: pl.Series
    infinite: pl.Series | None = None


def type_rule(column: Column) -> str:
    """The name of the rule that a wrong type breaks: `order_amount_is_a_number`."""
    return f"{column.name}_{RULE_WORDS.get(column.logical_type, 'has_its_type')}"


def cast_field(
    text: pl.Series, kind: pl.Series, column: Column, semantic: Semantic | None, time_zone: str
) -> Cast:
    """The field as the column's type.

    `text`/`kind` as in `extract`. Null and missing are null and break nothing (whether the column is
    required is another rule). `semantic` is what the wire's schema, or the contract's physicalType, says of
    the encoding. `time_zone` is where naive timestamps are.
    """
    absent = kind.is_in(["null", "missing"])
    text = text.set(absent, None) if absent.any() else text
    if column.dtype.is_decimal():
        cast = _decimal(text, kind, column, semantic)
    elif column.dtype.is_integer():
        cast = _integer(text, kind, column)
    elif column.dtype.is_float():
        cast = _float(text, kind)
    elif column.dtype == pl.Boolean:
        cast = _boolean(text, kind)
    elif column.dtype == pl.Date:
        cast = _date(text, kind, semantic)
    elif column.dtype.is_temporal():
        cast = _timestamp(text, kind, semantic, time_zone)
    else:
        cast = _string(text, kind, column)
    return Cast(cast.values, cast.broken & ~absent, cast.infinite)


def _unreadable(text: pl.Series, values: pl.Series, allowed: pl.Series) -> pl.Series:
    return (text.is_not_null() & values.is_null()) | ~allowed


def _string(text: pl.Series, kind: pl.Series, column: Column) -> Cast:
    is_json = column.logical_type in ("object", "array") or (column.physical_type or "") in ("json", "jsonb")
    allowed = kind.is_in(["string", "text", "integer", *(("object", "array", "number", "boolean") if is_json else ())])
    if column.physical_type == "uuid":
        text = text.str.to_lowercase().str.replace(r"^urn:uuid:", "").str.strip_chars("{}")
    return Cast(text.set(~allowed, None), ~allowed)


def _integer(text: pl.Series, kind: pl.Series, column: Column) -> Cast:
    allowed = kind.is_in(["integer", "number", "text"])
    whole = text.str.replace(r"\.0+$", "")
    values = whole.cast(column.dtype, strict=False)
    values = values.set(~allowed, None)
    return Cast(values, _unreadable(text, values, allowed))


def _float(text: pl.Series, kind: pl.Series) -> Cast:
    allowed = kind.is_in(["integer", "number", "text"])
    values = text.cast(pl.Float64, strict=False)
    values = values.set(~allowed | values.is_nan().fill_null(False) | values.is_infinite().fill_null(False), None)
    return Cast(values, _unreadable(text, values, allowed))


def _boolean(text: pl.Series, kind: pl.Series) -> Cast:
    allowed = kind.is_in(["boolean", "text"])
    words = {"true": True, "false": False, "t": True, "f": False}
    values = text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    values = values.set(~allowed, None)
    return Cast(values, _unreadable(text, values, allowed))


def _decimal(text: pl.Series, kind: pl.Series, column: Column, semantic: Semantic | None) -> Cast:
    dtype = column.dtype
    assert isinstance(dtype, pl.Decimal)
    allowed_kinds = ["integer", "number", "text"]
    if semantic is not None and semantic.encoding == "base64":
        scale = semantic.scale
        text = _map(text, kind == "string", lambda value: decode_decimal(value, scale))
        allowed_kinds.append("string")
    elif semantic is not None and semantic.encoding == "variable":
        text = _map(text, kind == "object", decode_variable_decimal)
        allowed_kinds.append("object")
    elif semantic is not None and semantic.encoding == "string":
        allowed_kinds.append("string")
    allowed = kind.is_in(allowed_kinds)
    lossy = semantic is not None and semantic.encoding == "double"
    # Polars rounds what does not fit the scale; such texts, and those with exponents, are read one by one.
    plain = r"^-?[0-9]{1,%d}(?:\.[0-9]{0,%d}0*)?$" % (dtype.precision - dtype.scale, dtype.scale)
    is_plain = text.str.contains(plain).fill_null(True)
    values = text.set(~is_plain, None).cast(dtype, strict=False)
    if not is_plain.all():
        careful = pl.Series(
            [_exactly(value, dtype, lossy) for value in text.set(is_plain, None).to_list()], dtype=dtype
        )
        values = careful.zip_with(~is_plain, values)
    values = values.set(~allowed, None)
    return Cast(values, _unreadable(text, values, allowed))


def _exactly(text: str | None, dtype: pl.Decimal, lossy: bool) -> Decimal | None:
    """The number at the column's scale, or None where it does not fit without loss."""
    if text is None or not re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", text):
        return None
    value = Decimal(text)
    if value and value.adjusted() >= dtype.precision - dtype.scale:
        return None
    step = Decimal(1).scaleb(-dtype.scale)
    try:
        held = value.quantize(step, context=WIDE)
    except InvalidOperation:
        return None
    return held if lossy or held == value else None


def decode_decimal(text: str, scale: int | None) -> str | None:
    """Debezium's precise decimal: base64 of a big-endian two's complement integer (KIP-481), as its digits.
    None where it cannot be read: no base64, no scale, or more digits than PostgreSQL's numeric has."""
    if scale is None or abs(scale) > MOST_DIGITS_AFTER_POINT:
        return None
    try:
        unscaled = int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)
        digits = str(abs(unscaled))  # ValueError beyond 4,300 digits, which no column holds
    except ValueError:
        return None
    sign = "-" if unscaled < 0 else ""
    if scale <= 0:
        return sign + digits + "0" * -scale
    digits = digits.rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def decode_variable_decimal(text: str) -> str | None:
    """Debezium's VariableScaleDecimal: `{"scale": s, "value": base64}`."""
    try:
        parts = json.loads(text)
    except ValueError:
        return None
    if not isinstance(parts, dict) or not isinstance(parts.get("scale"), int) or not isinstance(parts.get("value"), str):
        return None
    return decode_decimal(parts["value"], parts["scale"])


def _map(text: pl.Series, where: pl.Series, decode: Callable[[str], str | None]) -> pl.Series:
    """`text` with each distinct value chosen by `where` decoded once; what cannot be read keeps its text."""
    distinct = text.filter(where).drop_nulls().unique().to_list()
    decoded = {value: result for value in distinct if (result := decode(value)) is not None}
    if not decoded:
        return text
    replaced = text.replace_strict(decoded, default=None, return_dtype=pl.String)
    return replaced.zip_with(where & replaced.is_not_null(), text)


def _date(text: pl.Series, kind: pl.Series, semantic: Semantic | None) -> Cast:
    days = semantic is not None and semantic.unit == "days"
    allowed = kind.is_in(["string", "text", *(("integer",) if days else ())])
    iso = text.str.replace(r"Z$", "")
    values = iso.str.to_date("%Y-%m-%d", strict=False)
    infinite = None
    if days:
        count = text.cast(pl.Int64, strict=False)
        in_range = count.is_between(-719162, 2932896)  # 0001-01-01 to 9999-12-31
        infinite = ((kind == "integer") & ~in_range).fill_null(False)
        as_days = count.set(~in_range.fill_null(False), None).cast(pl.Int32).cast(pl.Date)
        values = as_days.zip_with(kind == "integer", values)
    values = values.set(~allowed, None)
    broken = _unreadable(text, values, allowed)
    return Cast(values, broken & ~infinite if infinite is not None else broken, infinite)


#: Written forms of a timestamp, the commonest first; each is tried on what the ones before left.
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def _timestamp(text: pl.Series, kind: pl.Series, semantic: Semantic | None, time_zone: str) -> Cast:
    unit = None if semantic is None else semantic.unit
    counted = unit in ("seconds", "millis", "micros", "nanos")
    allowed = kind.is_in(["string", "text", *(("integer",) if counted else ())])
    written = text.set(kind == "integer", None) if counted else text
    values, infinite_text = _written_timestamp(written, time_zone)
    infinite = infinite_text
    if counted and (kind == "integer").any():
        count = text.set(kind != "integer", None).cast(pl.Int64, strict=False)
        factor = {"seconds": 1_000_000, "millis": 1_000, "micros": 1, "nanos": 1}[unit or "micros"]
        sentinel = count.is_in([value // factor for value in INFINITE_MICROS]).fill_null(False)
        # divide the bounds, not multiply the value: a product beyond 64 bits would wrap in silence
        in_range = count.is_between(FIRST_MICROS // factor, LAST_MICROS // factor).fill_null(False)
        micros = (count.set(~in_range, None)) * factor
        if unit == "nanos":
            in_range = pl.Series([True]).new_from_index(0, len(count)) if len(count) else in_range
            micros = count // 1_000
        stamps = micros.cast(pl.Datetime("us"))
        naive = semantic is not None and not semantic.is_instant
        stamps = _in_zone(stamps, time_zone if naive else "UTC")
        values = stamps.zip_with(kind == "integer", values)
        infinite = infinite | (sentinel & (kind == "integer"))
    values = values.set(~allowed, None)
    return Cast(values, _unreadable(text, values, allowed) & ~infinite, infinite)


def _written_timestamp(text: pl.Series, time_zone: str) -> tuple[pl.Series, pl.Series]:
    target = pl.Datetime("us", "UTC")
    infinite = text.is_in(["infinity", "-infinity", "Infinity", "-Infinity"]).fill_null(False)
    tidy = text.str.replace(r"\s*(?:UTC|GMT)$", "Z").str.replace(r"\s+([+-][0-9]{2}:?[0-9]{2}|Z)$", "$1")
    values = pl.Series(text.name, [None], dtype=target).new_from_index(0, len(text)) if len(text) else text.cast(target)
    for form in (*ZONED, *NAIVE):
        rest = values.is_null() & tidy.is_not_null()
        if not rest.any():
            break
        if form in ZONED:
            parsed = tidy.set(~rest, None).str.to_datetime(form, strict=False, time_unit="us").cast(target)
        else:
            naive = tidy.set(~rest, None).str.to_datetime(form, strict=False, time_unit="us")
            parsed = _in_zone(naive, time_zone)
        values = parsed.zip_with(rest, values)
    year_ok = values.dt.year().is_between(1, 9999)
    return values.set(~year_ok.fill_null(True), None), infinite


def _in_zone(naive: pl.Series, time_zone: str) -> pl.Series:
    """Naive times placed in a zone, as UTC. An hour that happened twice is its first; one that the
    clock skipped is null, and breaks the column's type rule."""
    if time_zone == "UTC":
        return naive.dt.replace_time_zone("UTC")
    placed = naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC")


