"""Numbers that Debezium encoded, by their digits: in a column of their own, or as the items of an array."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import polars as pl

from aura_lake.cdc.decimals import digits_of
from aura_lake.cdc.semantics import Semantic


def digits(text: pl.Series, kind: pl.Series, semantic: Semantic) -> tuple[pl.Series, pl.Series]:
    """Encoded numbers by their digits, null where one cannot be decoded; and which values are encoded."""
    decode: Callable[[str], str | None]
    if semantic.encoding == "base64":
        encoded, scale = kind == "string", semantic.scale
        decode = lambda value: _decode_decimal(value, scale)  # noqa: E731
    elif semantic.encoding == "variable":
        encoded, decode = kind == "object", _decode_variable_decimal
    else:
        return text, pl.repeat(False, len(text), eager=True)
    distinct = text.filter(encoded).drop_nulls().unique().to_list()
    decoded = text.replace_strict({v: decode(v) for v in distinct}, default=None, return_dtype=pl.String)
    return (decoded.zip_with(encoded, text) if distinct else text), encoded


def digits_of_items(text: pl.Series, kind: pl.Series, semantic: Semantic) -> tuple[pl.Series, pl.Series]:
    """Arrays of encoded numbers as arrays of their digits, null where one cannot be decoded; and which values are
    arrays."""
    arrays = kind == "array"
    distinct = text.filter(arrays).drop_nulls().unique().to_list()
    if not distinct:
        return text, arrays
    written = {value: _written_items(value, semantic) for value in distinct}
    return text.replace_strict(written, default=None, return_dtype=pl.String).zip_with(arrays, text), arrays


def _written_items(value: str, semantic: Semantic) -> str | None:
    try:
        items = _read_items(json.loads(value, parse_float=str), semantic)
    except ValueError:  # an integer of more digits than Python reads
        return None
    return None if items is None else json.dumps(items, ensure_ascii=False, separators=(",", ":"))


def _read_items(items: list[object], semantic: Semantic) -> list[object] | None:
    """The numbers of an array by their digits; None where one of them is none. What is written out stays."""
    read: list[object] = []
    for item in items:
        number: object = item
        if isinstance(item, str) and semantic.encoding == "base64":
            number = _decode_decimal(item, semantic.scale)
        elif isinstance(item, dict):
            number = _decode_variable_decimal(json.dumps(item))
        elif isinstance(item, list):
            number = _read_items(item, semantic)
        if number is None and item is not None:
            return None
        read.append(number)
    return read


def _decode_decimal(text: str, scale: int | None) -> str | None:
    """Debezium's precise decimal: base64 of a big-endian two's complement integer (KIP-481), as its digits.
    None where it cannot be read: no base64, no scale, or more digits than PostgreSQL's numeric has."""
    if scale is None:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return digits_of(raw, scale)


def _decode_variable_decimal(text: str) -> str | None:
    """Debezium's VariableScaleDecimal: `{"scale": s, "value": base64}`."""
    try:
        parts = json.loads(text)
    except ValueError:
        return None
    if (
        not isinstance(parts, dict)
        or not isinstance(parts.get("scale"), int)
        or not isinstance(parts.get("value"), str)
    ):
        return None
    return _decode_decimal(parts["value"], parts["scale"])
