"""How a PostgreSQL type arrives, and what a contract calls it.

For the connector that `aura source connect` sets up: decimals as text, times in ISO, intervals in ISO, hstore as
JSON. Seen with Debezium 3.7 on PostgreSQL 15, snapshot and stream (docs/sources.md, "What becomes of types").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aura_lake.source.facts import ColumnFacts

#: A decimal of silver has no more digits.
MOST_DIGITS = 38

_INTEGERS = frozenset({"int2", "int4", "int8", "oid"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "char", "citext", "xml", "ltree", "uuid", "tsvector"})
_ADDRESSES = frozenset({"inet", "cidr", "macaddr", "macaddr8"})
_SHAPES = frozenset({"point", "line", "lseg", "box", "path", "polygon", "circle", "geometry", "geography"})
_RANGES = frozenset({"int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"})
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")


@dataclass(frozen=True)
class Wire:
    """`logical_type` and `physical_type` as a contract has them. `note` says what somebody should know. A type
    that `travels` not is left out of the stream, or comes wrong."""

    logical_type: str
    physical_type: str | None = None
    note: str = ""
    travels: bool = True


def wire_of(column: ColumnFacts) -> Wire:
    """How the column's values arrive."""
    base, written = column.base, column.type
    if column.is_generated:
        return _absent("is generated: it is in a snapshot and never in the stream; compute it with transformLogic")
    if column.family == "e":
        return Wire("string", written)
    if base in _RANGES:
        return Wire("string", written, "a range, as PostgreSQL writes it")
    if base.startswith("_"):
        return _array(column)
    if base == "numeric":
        return _numeric(written)
    if base in _SIMPLE:
        simple = _SIMPLE[base]
        return Wire(simple.logical_type, simple.physical_type or written, simple.note)
    if base == "bit" and written == "bit(1)":
        return Wire("boolean", written)
    if base in ("bit", "varbit"):
        return Wire("string", written, "bits in base64, the lowest byte first")
    if base == "name":
        return _absent("is of type name, which is null in the stream; make it text")
    return _absent(f"is of type {written}, which Debezium leaves out")


def _absent(why: str) -> Wire:
    return Wire("string", None, why, travels=False)


def _numeric(written: str) -> Wire:
    sized = _NUMERIC.fullmatch(written)
    if sized is None:
        return Wire("string", "numeric", "numeric without a size, by its digits; a number once you give it one")
    digits, scale = int(sized[1]), int(sized[2])
    if digits <= MOST_DIGITS and 0 <= scale <= digits:
        return Wire("number", written)
    return Wire("string", written, f"no decimal of {MOST_DIGITS} digits holds it: by its digits")


def _array(column: ColumnFacts) -> Wire:
    """An array is JSON text; inner arrays are lost on the way."""
    element = column.base.removeprefix("_")
    if element not in (*_SIMPLE, "numeric", "bit", "varbit") and column.element_family != "e":
        return _absent(f"is of type {column.type}, which Debezium leaves out")
    note = "inner arrays arrive as nulls" if column.dimensions > 1 else ""
    return Wire("array", column.type, note)


#: A physicalType of None is the catalog's own.
_SIMPLE: dict[str, Wire] = {
    **{name: Wire("integer") for name in _INTEGERS},
    **{name: Wire("string") for name in _TEXTS | _ADDRESSES},
    **{name: Wire("object", None, "a shape, as JSON with its well-known binary") for name in _SHAPES},
    "bpchar": Wire("string", None, "filled with blanks to its length"),
    "bool": Wire("boolean"),
    "float4": Wire("number"),
    "float8": Wire("number"),
    "money": Wire("number", "numeric(19,2)", "money of the database's own currency"),
    "date": Wire("date"),
    "timestamp": Wire("timestamp"),
    "timestamptz": Wire("timestamp"),
    "time": Wire("time", None, "24:00 arrives as 00:00"),
    "timetz": Wire("time", None, "in UTC, its offset is lost"),
    "interval": Wire("string", None, "an ISO 8601 duration"),
    "json": Wire("object"),
    "jsonb": Wire("object"),
    "hstore": Wire("object", None, "as JSON"),
    "bytea": Wire("string", None, "in base64"),
    "vector": Wire("array"),
    "halfvec": Wire("array"),
    "sparsevec": Wire("object"),
}
