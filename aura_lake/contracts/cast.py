"""From a field's text and kind to the column's type, or to the name of the rule it breaks.

Casting here never raises, never rounds in silence and never goes through a float on the way to a
decimal. A string where the contract says number is a broken rule, not a lucky parse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

import polars as pl

from aura_lake.cdc.semantics import Semantic
from aura_lake.contracts.contract import Column
from aura_lake.contracts.encoded import digits, digits_of_items

#: Years Delta and Polars hold in microseconds and people can read.
FIRST_MICROS = -62135596800000000  # 0001-01-01
LAST_MICROS = 253402300799999999  # 9999-12-31T23:59:59.999999

#: PostgreSQL's own dates and timestamps end here ("Date/Time Types"). What lies beyond is Debezium's stand-in
#: for infinity, whose number differs with the column's precision and the connector's time zone.
PG_FIRST_DAY, PG_LAST_DAY = -2_440_588, 2_145_031_948  # 4714-11-24 BC, 5874897-12-31
PG_FIRST_MICROS, PG_LAST_MICROS = -210_866_803_200_000_000, 9_224_318_015_999_999_999  # …, 294276-12-31
PG_FIRST_YEAR, PG_LAST_YEAR, PG_LAST_TIMESTAMP_YEAR = -4714, 5_874_897, 294_276

#: In microseconds 64 bits end before PostgreSQL does; from here on the number is its infinity.
INFINITE_FROM_MICROS = 9_223_372_036_800_000_000

#: Types of a database whose numbers a column of text takes by their digits: with NaN and the infinities, which no
#: number of silver is.
INEXACT = frozenset({"double", "double precision", "real", "float", "float4", "float8"})

#: Decimal's own context keeps 28 digits and rounds the rest in silence; a column holds up to 38.
WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)

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


#: What is told of a value that passed: it was infinite and is null by convention; it came as a double and
#: did not fit the column's scale; and what breaks a rule of its own: a number without its scale.
IS_INFINITE, IS_ROUNDED, SCALE_IS_KNOWN = "is_infinite", "is_rounded_from_a_double", "has_a_known_scale"


@dataclass(frozen=True)
class Cast:
    """Typed values, and which of them broke the type rule. `notes` warn of values that passed; `breaks` names
    broken rules that say more than the type rule. Both by the words that follow the column's name."""

    values: pl.Series
    broken: pl.Series
    notes: Mapping[str, pl.Series] = field(default_factory=dict)
    breaks: Mapping[str, pl.Series] = field(default_factory=dict)


def type_rule(column: Column) -> str:
    """The name of the rule that a wrong type breaks: `order_amount_is_a_number`."""
    return f"{column.name}_{RULE_WORDS.get(column.logical_type, 'has_its_type')}"


def sent_rule(column: Column) -> str:
    """The name of the rule that a record without the field breaks, where the contract is enforced."""
    return f"{column.name}_is_in_the_record"


def cast_field(text: pl.Series, kind: pl.Series, column: Column, semantic: Semantic | None, time_zone: str) -> Cast:
    """The field as the column's type.

    `text`/`kind` as in `extract`. Null and missing are null and break nothing (whether the column is
    required is another rule). `semantic` is what the wire's schema, or the contract's physicalType, says of
    the encoding. `time_zone` is where naive timestamps are.
    """
    absent = kind.is_in(["null", "missing"])
    is_number = column.dtype.is_integer() or column.dtype.is_float()
    if is_number and semantic is not None and semantic.encoding == "string":
        kind = kind.set(kind == "string", "number")  # a decimal by its digits, where the contract wants less
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
        cast = _string(text, kind, column, semantic)
    breaks = {words: flag & ~absent for words, flag in cast.breaks.items()}
    return Cast(cast.values, cast.broken & ~absent, cast.notes, breaks)


def _unreadable(text: pl.Series, values: pl.Series, allowed: pl.Series) -> pl.Series:
    return (text.is_not_null() & values.is_null()) | ~allowed


def _string(text: pl.Series, kind: pl.Series, column: Column, semantic: Semantic | None) -> Cast:
    is_json = column.logical_type in ("object", "array") or (column.physical_type or "") in ("json", "jsonb")
    is_inexact = (column.physical_type or "").lower() in INEXACT
    others = ("object", "array", "number", "boolean") if is_json else ("number",) if is_inexact else ()
    allowed = kind.is_in(["string", "text", "integer", *others])
    if column.physical_type == "uuid":
        text = text.str.to_lowercase().str.replace(r"^urn:uuid:", "").str.strip_chars("{}")
    if semantic is not None and semantic.encoding is not None and not is_json:
        text, encoded = digits(text, kind, semantic)
        allowed = (allowed | encoded | (kind == "number")) & (text.is_not_null() | ~encoded)
    elif semantic is not None and semantic.encoding in ("base64", "variable"):
        text, encoded = digits_of_items(text, kind, semantic)
        allowed = allowed & (text.is_not_null() | ~encoded)
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
    told = text.is_not_null()
    encoding = None if semantic is None else semantic.encoding
    allowed_kinds = ["integer", "number", "text"]
    if encoding == "string":
        allowed_kinds.append("string")
    allowed = kind.is_in(allowed_kinds)
    breaks = {}
    if semantic is not None:
        text, encoded = digits(text, kind, semantic)
        allowed = allowed | encoded
        if encoding == "base64" and semantic.scale is None:
            breaks[SCALE_IS_KNOWN] = encoded
    # Polars rounds what does not fit the scale; such texts, and those with exponents, are read one by one.
    whole = dtype.precision - dtype.scale
    plain = rf"^-?[0-9]{{1,{whole}}}(?:\.[0-9]{{0,{dtype.scale}}}0*)?$"
    is_plain = text.str.contains(plain).fill_null(True)
    values = text.set(~is_plain, None).cast(dtype, strict=False)
    notes = {}
    if not is_plain.all():
        lossy = encoding == "double"
        rest = text.set(is_plain, None).to_list()
        read = [_exactly(value, dtype, lossy) for value in rest]
        values = pl.Series(read, dtype=dtype).zip_with(~is_plain, values)
        if lossy:
            rounded = [held is not None and held != Decimal(value) for held, value in zip(read, rest, strict=True)]
            notes[IS_ROUNDED] = pl.Series(rounded, dtype=pl.Boolean)
    values = values.set(~allowed, None)
    broken = (told & values.is_null()) | ~allowed
    for flag in breaks.values():
        broken = broken & ~flag
    return Cast(values, broken, notes, breaks)


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


def _date(text: pl.Series, kind: pl.Series, semantic: Semantic | None) -> Cast:
    days = semantic is not None and semantic.unit == "days"
    allowed = kind.is_in(["string", "text", *(("integer",) if days else ())])
    iso = text.str.replace(r"Z$", "")
    values = iso.str.to_date("%Y-%m-%d", strict=False)
    values = values.set(~values.dt.year().is_between(1, 9999).fill_null(True), None)
    infinite = _is_written_infinity(iso.set(values.is_not_null(), None), of_date=True)
    if days:
        count = text.set(kind != "integer", None).cast(pl.Int64, strict=False)
        in_range = count.is_between(-719162, 2932896).fill_null(False)  # 0001-01-01 to 9999-12-31
        as_days = count.set(~in_range, None).cast(pl.Int32).cast(pl.Date)
        values = as_days.zip_with(kind == "integer", values)
        infinite = infinite | (~count.is_between(PG_FIRST_DAY, PG_LAST_DAY)).fill_null(False)
    infinite = infinite & allowed
    values = values.set(~allowed | infinite, None)
    return Cast(values, _unreadable(text, values, allowed) & ~infinite, {IS_INFINITE: infinite})


#: Written forms of a timestamp, the commonest first; each is tried on what the ones before left. The plainest
#: one is read several times faster than the others.
PLAIN = "%Y-%m-%dT%H:%M:%SZ"
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def _timestamp(text: pl.Series, kind: pl.Series, semantic: Semantic | None, time_zone: str) -> Cast:
    unit = None if semantic is None else semantic.unit
    is_local = semantic is not None and unit is not None and not semantic.is_instant
    factor = {"seconds": 1_000_000, "millis": 1_000, "micros": 1, "nanos": 1}.get(unit or "")
    allowed = kind.is_in(["string", "text", *(("integer",) if factor else ())])
    written = text.set(kind == "integer", None) if factor else text
    if is_local:  # a local time written with a Z (isostring) is as local as one that is counted
        written = written.str.replace(r"Z$", "")
    values = _written_timestamp(written, time_zone)
    infinite = _is_written_infinity(written.set(values.is_not_null(), None))
    if factor and (kind == "integer").any():
        count = text.set(kind != "integer", None).cast(pl.Int64, strict=False)
        if unit == "nanos":
            count = count // 1_000
        # divide the bounds, not multiply the value: a product beyond 64 bits would wrap in silence
        in_range = count.is_between(FIRST_MICROS // factor, LAST_MICROS // factor).fill_null(False)
        stamps = (count.set(~in_range, None) * factor).cast(pl.Datetime("us"))
        values = _in_zone(stamps, time_zone if is_local else "UTC").zip_with(kind == "integer", values)
        last = INFINITE_FROM_MICROS - 1 if factor == 1 else PG_LAST_MICROS // factor
        infinite = infinite | (~count.is_between(PG_FIRST_MICROS // factor, last)).fill_null(False)
    infinite = infinite & allowed
    values = values.set(~allowed | infinite, None)
    return Cast(values, _unreadable(text, values, allowed) & ~infinite, {IS_INFINITE: infinite})


def _is_written_infinity(text: pl.Series, *, of_date: bool = False) -> pl.Series:
    """Whether a time is infinite by its word, or by a year that PostgreSQL does not have (isostring)."""
    if text.null_count() == len(text):
        return pl.repeat(False, len(text), eager=True)
    word = text.str.contains(r"^[+-]?(?i:infinity)$").fill_null(False)
    year = text.str.extract(r"^([+-][0-9]{6,9})-[0-9]{2}-[0-9]{2}").cast(pl.Int64, strict=False)
    last = PG_LAST_YEAR if of_date else PG_LAST_TIMESTAMP_YEAR
    return word | (~year.is_between(PG_FIRST_YEAR, last)).fill_null(False)


def _written_timestamp(text: pl.Series, time_zone: str) -> pl.Series:
    target = pl.Datetime("us", "UTC")
    values = text.str.to_datetime(PLAIN, strict=False, time_unit="us").dt.replace_time_zone("UTC")
    tidy = text.set(values.is_not_null(), None)
    tidy = tidy.str.replace(r"\s*(?:UTC|GMT)$", "Z").str.replace(r"\s+([+-][0-9]{2}:?[0-9]{2}|Z)$", "$1")
    for form in (*ZONED, *NAIVE):
        rest = values.is_null() & tidy.is_not_null()
        if not rest.any():
            break
        parsed = tidy.set(~rest, None).str.to_datetime(form, strict=False, time_unit="us")
        placed = parsed.cast(target) if form in ZONED else _in_zone(parsed, time_zone)
        values = placed.zip_with(rest, values)
    year_ok = values.dt.year().is_between(1, 9999)
    return values.set(~year_ok.fill_null(True), None)


def _in_zone(naive: pl.Series, time_zone: str) -> pl.Series:
    """Naive times placed in a zone, as UTC. An hour that happened twice is its first; one that the
    clock skipped is null, and breaks the column's type rule."""
    if time_zone == "UTC":
        return naive.dt.replace_time_zone("UTC")
    placed = naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC")
