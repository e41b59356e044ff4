"""Further forms in which a column's values may come, tried where its type rule breaks.

A contract says one form; what an approved patch adds stands here. Only values that broke the rule are read
again, so that a reading never changes a value that was right before, and what it cannot read stays broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from aura_lake.cdc.semantics import Semantic
from aura_lake.contracts.cast import Cast, cast_field
from aura_lake.contracts.contract import Column
from aura_lake.contracts.extract import KIND, MISSING

#: A number that came as a JSON string: `"60.04"`; one with a decimal comma; one with its thousands apart.
NUMBER_IN_TEXT, DECIMAL_COMMA, GROUPED_NUMBER = "number_in_text", "decimal_comma", "grouped_number"

#: A number with its currency before or behind it, `12.30 USD`: the code follows the colon.
WITH_CURRENCY = "number_with_currency:"

#: How currencies are written beside their codes, where a shop sells in that one.
SIGNS: Mapping[str, Sequence[str]] = {
    "USD": ("US$", "$"),
    "EUR": ("€",),
    "GBP": ("£",),
    "BRL": ("R$",),
    "JPY": ("¥",),
    "CNY": ("¥",),
    "INR": ("₹",),
}

#: An instant counted since 1970.
EPOCHS = ("epoch_seconds", "epoch_millis", "epoch_micros", "epoch_nanos")

#: yes, no, on, off, y, n, t, f, 1, 0, also as numbers and in JSON strings.
BOOLEAN_WORDS = "boolean_words"

#: A number or a truth value where text is wanted, by its digits or its word; a whole one that came as 12.0.
TEXT_OF_SCALAR, WHOLE_NUMBER = "text_of_scalar", "whole_number"

#: A timestamp at midnight where a date is wanted.
DATE_OF_MIDNIGHT = "date_of_midnight"

#: The one element of an array of length one.
ONLY_ELEMENT = "only_element"

#: A time in a form of its own: a strftime pattern follows the colon.
TIME_FORM = "time_form:"

_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_MIDNIGHT = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]00:00(?::00(?:\.0+)?)?\s*(?:Z|UTC|[+-]00:?00)?$"
_ONLY_WORD = r"^\[\s*([^\"\[\]{},\s]+)\s*\]$"
_ONLY_TEXT = r'^\[\s*("(?:[^"\\]|\\.)*")\s*\]$'
_FORMS = (
    "%d/%m/%Y %H:%M:%S%.f",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%d%H%M%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y%m%d",
)


@dataclass(frozen=True)
class _Read:
    """Values as the cast takes them: text, kind, and what they mean."""

    text: pl.Series
    kind: pl.Series
    semantic: Semantic | None = None


def readings_for(column: Column, currency: str | None = None) -> Iterator[str]:
    """The readings that make sense of a column's type, the plainest first."""
    if column.dtype.is_numeric():
        yield from (NUMBER_IN_TEXT, ONLY_ELEMENT, GROUPED_NUMBER, DECIMAL_COMMA)
        if currency is not None:
            yield f"{WITH_CURRENCY}{currency}"
    elif column.dtype == pl.Boolean:
        yield from (BOOLEAN_WORDS, ONLY_ELEMENT)
    elif column.dtype == pl.Date:
        yield from (DATE_OF_MIDNIGHT, ONLY_ELEMENT, *(f"{TIME_FORM}{form}" for form in _FORMS))
    elif column.dtype.is_temporal():
        yield from (*EPOCHS, ONLY_ELEMENT, *(f"{TIME_FORM}{form}" for form in _FORMS))
    elif column.dtype == pl.String:
        yield from (TEXT_OF_SCALAR, WHOLE_NUMBER, ONLY_ELEMENT)


def is_reading(name: str, column: Column) -> bool:
    """Whether a reading of that name exists for a column of that type."""
    if name.startswith(WITH_CURRENCY):
        return column.dtype.is_numeric() and re.fullmatch(r"[A-Z]{3}", name.removeprefix(WITH_CURRENCY)) is not None
    return name in readings_for(column)


def read_again(
    cast: Cast, text: pl.Series, kind: pl.Series, column: Column, semantic: Semantic | None, time_zone: str
) -> Cast:
    """`cast` with the values that broke the type rule as the column's further readings have them.

    In: what `cast_field` was given."""
    for name in column.readings:
        broken = cast.broken
        for flag in cast.breaks.values():
            broken = broken | flag
        if not broken.any():
            return cast
        read = _read(name, text.set(~broken, None), kind.set(~broken, "missing"), semantic)
        again = cast_field(read.text, read.kind, replace(column, physical_type=None), read.semantic, time_zone)
        heals = broken & ~again.broken & again.values.is_not_null()
        breaks = {words: flag & ~heals for words, flag in cast.breaks.items()}
        notes = {words: flag & ~heals for words, flag in cast.notes.items()}
        cast = Cast(again.values.zip_with(heals, cast.values), cast.broken & ~heals, notes, breaks)
    return cast


def respell(text: pl.Series, respelled: Sequence[tuple[str, str]]) -> pl.Series:
    """The texts with those that are written otherwise here as they are meant."""
    return text.replace(dict(respelled)) if respelled else text


def _read(name: str, text: pl.Series, kind: pl.Series, semantic: Semantic | None) -> _Read:
    """A field as a reading takes it; what the reading does not know is missing."""
    is_text = kind.is_in(["string", "text"])
    if name in EPOCHS:
        unit = name.removeprefix("epoch_")
        form = r"^[0-9]{9,11}(?:\.[0-9]+)?$" if unit == "seconds" else r"^-?[0-9]{9,19}(?:\.0+)?$"
        is_scalar = kind.is_in(["integer", "number", "string", "text"])
        counted = is_scalar & text.str.contains(form).fill_null(False)
        if unit == "seconds":  # by the microsecond, since they may have a fraction
            fraction = text.str.extract(r"\.([0-9]{1,6})", 1).fill_null("").str.pad_end(6, "0")
            text, unit = text.str.extract(r"^([0-9]+)", 1) + fraction, "micros"
        else:
            text = text.str.extract(r"^(-?[0-9]+)", 1)
        if unit == "nanos":  # the cast counts them by the microsecond
            text, unit = text.str.slice(0, text.str.len_chars() - 3), "micros"
        return _chosen(text, counted, "integer", Semantic(unit=unit, is_instant=True))
    if name == WHOLE_NUMBER:
        digits = text.str.extract(r"^(-?[0-9]+)(?:\.0+)?$", 1)
        return _chosen(digits, kind.is_in(["number", "integer"]) & digits.is_not_null(), "string")
    if name == TEXT_OF_SCALAR:
        return _chosen(text, kind.is_in(["number", "boolean", "integer"]), "string")
    if name == BOOLEAN_WORDS:
        words = {**dict.fromkeys(_TRUE, "true"), **dict.fromkeys(_FALSE, "false")}
        meant = text.str.strip_chars().str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)
        return _chosen(meant, (is_text | (kind == "integer")) & meant.is_not_null(), "boolean")
    if name == ONLY_ELEMENT:
        word, quoted = text.str.extract(_ONLY_WORD, 1), text.str.extract(_ONLY_TEXT, 1)
        inner = quoted.str.json_path_match("$").fill_null(word)
        kinds = pl.select(pl.when(quoted.is_not_null()).then(pl.lit("string")).otherwise(pl.lit("number"))).to_series()
        kinds = kinds.set(word.is_in(["true", "false"]).fill_null(False), "boolean")
        kinds = kinds.set(word.str.contains(r"^-?[0-9]+$").fill_null(False), "integer")
        those = (kind == "array") & inner.is_not_null() & (word != "null").fill_null(True)
        return _chosen(inner, those, kinds, semantic)
    if name == DATE_OF_MIDNIGHT:
        day = text.str.extract(_MIDNIGHT, 1)
        return _chosen(day, is_text & day.is_not_null(), "string")
    if name.startswith(TIME_FORM):
        form = name.removeprefix(TIME_FORM)
        plain = text.str.strip_chars()
        parsed = (
            plain.str.to_datetime(form, strict=False, time_unit="us")
            if "%H" in form
            else plain.str.to_date(form, strict=False).cast(pl.Datetime("us"))
        )
        whole = parsed.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f" if "%H" in form else "%Y-%m-%d")
        return _chosen(whole, (is_text | (kind == "integer")) & whole.is_not_null(), "string")
    plain = text.str.strip_chars()
    if name == DECIMAL_COMMA:
        fits = plain.str.contains(r"^-?(?:[0-9]{1,3}(?:[. '][0-9]{3})+|[0-9]+)(?:,[0-9]+)?$")
        plain = plain.str.replace_all(r"[. ']", "").str.replace(",", ".", literal=True)
    elif name == GROUPED_NUMBER:
        fits = plain.str.contains(r"^-?(?:[0-9]{1,3}(?:[, '_][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?$")
        plain = plain.str.replace_all(r"[, '_]", "")
    elif name.startswith(WITH_CURRENCY):
        code = name.removeprefix(WITH_CURRENCY)
        mark = "|".join([code, *(re.escape(sign) for sign in SIGNS.get(code, ()))])
        fits = plain.str.contains(rf"^(?:(?:{mark})\s*-?[0-9]+(?:\.[0-9]+)?|-?[0-9]+(?:\.[0-9]+)?\s*(?:{mark}))$")
        plain = plain.str.replace(mark, "").str.strip_chars()
    else:
        fits = plain.str.contains(r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$")
        plain = plain.str.strip_prefix("+")
    return _chosen(plain, is_text & fits.fill_null(False), "text")


def _chosen(text: pl.Series, those: pl.Series, kind: str | pl.Series, semantic: Semantic | None = None) -> _Read:
    """The chosen values under one kind or each under its own, everything else missing."""
    those = those.fill_null(False)
    meant = pl.lit(kind) if isinstance(kind, str) else kind
    kinds = pl.select(pl.when(those).then(meant).otherwise(pl.lit(MISSING)).cast(KIND)).to_series()
    return _Read(text.set(~those, None), kinds, semantic)
