"""Framed values of a slice of bronze, decoded: what comes out is JSON and goes the way of all JSON.

A framed value is a zero byte, the id of its schema, and a body (see `wire_schema`). Each id is looked up
once for a slice, and each record is read by the schema it was written with, so that schemas may change in
the middle of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from aura_lake.cdc import connect_schema
from aura_lake.cdc.avro_json import AvroReader
from aura_lake.cdc.avro_schema import UnreadableSchema, read_schema
from aura_lake.cdc.avro_values import Undecodable
from aura_lake.cdc.wire_schema import AVRO, HEADER_BYTES, JSON_SCHEMA, SchemasOf, WireSchema

IS_FRAMED = "record_is_framed_with_a_schema_id"
KNOWN_SCHEMA = "record_schema_is_known_to_the_registry"
READABLE_SCHEMA = "record_schema_is_avro_or_json_schema"


@dataclass(frozen=True)
class Unframed:
    """`records`: those that came, less the broken ones; `value` of a framed one is JSON now, and `schema_id` the
    id of its schema (null: it came without). `meanings`: what the fields of each id mean, as a Connect schema in
    JSON. `broken`: the rule of each other row."""

    records: pl.DataFrame
    meanings: dict[int, str] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """How bodies of one schema are read: by `avro`, or as they are; and what its fields mean."""

    meaning: str | None
    avro: AvroReader | None = None


def unframe(records: pl.DataFrame, schemas_of: SchemasOf, *, all_framed: bool) -> Unframed:
    """The records with framed values decoded.

    In: `row`, `value` (Binary; null: a tombstone, or over the size cap). `all_framed`: a value without a frame
    breaks a rule; else it stays as it came. Raises what `schemas_of` raises, where nobody can be asked.
    """
    begins = pl.col("value").bin.starts_with(b"\x00")
    whole = begins & (pl.col("value").bin.size() >= HEADER_BYTES)
    is_framed = records.select(whole.fill_null(False)).to_series()
    wrong = records.filter(~is_framed & pl.col("value").is_not_null() & (begins if not all_framed else pl.lit(True)))
    broken: dict[int, str] = dict.fromkeys(wrong["row"].to_list(), IS_FRAMED)
    number = pl.col("value").bin.slice(1, 4).bin.reinterpret(dtype=pl.UInt32, endianness="big").cast(pl.Int64)
    framed = records.filter(is_framed).with_columns(schema_id=number)
    schemas = schemas_of(framed["schema_id"].unique().sort().to_list()) if framed.height else {}
    plain = records.filter(~is_framed & ~pl.col("row").is_in(list(broken)))
    meanings: dict[int, str] = {}
    decoded = [plain.with_columns(schema_id=pl.lit(None, pl.Int64))]
    for (id_,), rows in framed.group_by("schema_id", maintain_order=True):
        assert isinstance(id_, int)
        schema = schemas.get(id_)
        reading = None if schema is None else _reading(schema)
        if reading is None:
            rule = KNOWN_SCHEMA if schema is None else READABLE_SCHEMA
            broken.update(dict.fromkeys(rows["row"].to_list(), rule))
            continue
        decoded.append(_decode(rows, reading, broken))
        if reading.meaning is not None:
            meanings[id_] = reading.meaning
    return Unframed(pl.concat(decoded).sort("row"), meanings, broken)


def _decode(rows: pl.DataFrame, reading: _Reading, broken: dict[int, str]) -> pl.DataFrame:
    """The readable ones of some records of one schema, their values as JSON; the others into `broken`."""
    if reading.avro is None:
        return rows.with_columns(pl.col("value").bin.slice(HEADER_BYTES))
    texts: list[bytes | None] = []
    for row, value in zip(rows["row"].to_list(), rows["value"].to_list(), strict=True):
        try:
            texts.append(reading.avro(value, HEADER_BYTES).encode())
        except Undecodable as error:
            broken[row] = error.rule
            texts.append(None)
    return rows.with_columns(value=pl.Series(texts, dtype=pl.Binary)).filter(pl.col("value").is_not_null())


@lru_cache(maxsize=512)
def _reading(schema: WireSchema) -> _Reading | None:
    """How a schema's bodies are read; None for a kind we do not read (Protobuf), or a text that is no schema."""
    if schema.kind == JSON_SCHEMA:
        return _Reading(connect_schema.of_json_schema(schema))
    if schema.kind != AVRO:
        return None
    try:
        avro = read_schema(schema.text, [reference.text for reference in schema.references])
    except UnreadableSchema:
        return None
    return _Reading(connect_schema.of_avro(avro), AvroReader(avro))
