"""Records taken apart into units: one row a record, or one an element where the table takes an array.

A unit has its fields as text and kind (see `extract`), the change it belongs to, and what was already
found wrong with it. Nothing is typed yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aura_lake.cdc import envelope
from aura_lake.cdc.absence import ABSENCE_TOPIC
from aura_lake.cdc.envelope import Form, Shape
from aura_lake.cdc.framed import Unframed, unframe
from aura_lake.cdc.semantics import Semantic, from_schema
from aura_lake.cdc.wire_schema import SchemasOf
from aura_lake.contracts import extract, strict_json
from aura_lake.contracts.contract import Contract, Feed, Format, Kind
from aura_lake.contracts.extract import Path, kind_column, text_column

#: What an envelope says beside the row, as (our name, places it may stand in, nearest first).
_ENVELOPE_META: Mapping[str, tuple[Path, ...]] = {
    "op": (("op",),),
    "lsn": (("source", "lsn"),),
    "ts_us": (("source", "ts_us"),),
    "ts_ms": (("source", "ts_ms"), ("ts_ms",)),
    "snapshot": (("source", "snapshot"),),
}
_FLAT_META: Mapping[str, tuple[Path, ...]] = {
    "op": (("__op",),),
    "lsn": (("__lsn",), ("__source_lsn",)),
    "ts_us": (("__source_ts_us",), ("__ts_us",)),
    "ts_ms": (("__source_ts_ms",), ("__ts_ms",)),
    "snapshot": (("__source_snapshot",), ("__snapshot",)),
    "deleted": (("__deleted",),),
}

#: The rule a record breaks whose bytes begin like Confluent's framing on a feed of JSON that names no registry.
NOT_FRAMED = "record_is_json_and_not_framed_avro"
IS_ARRAY = "array_is_readable"
EMPTY_ARRAY = "empty_array"


@dataclass
class Units:
    """`frame`: `row`, `part`, a text and a kind column for each field, `keys`, and for changes `op`, `lsn`,
    `ts_us`, `ts_ms`, `snapshot` (text). `semantics` says how their values are encoded, where the wire said it."""

    frame: pl.DataFrame
    semantics: Mapping[str, Semantic] = field(default_factory=dict)


@dataclass
class Sorted:
    """All records of a slice: units to judge, and rows that are ignored or broken as a whole."""

    units: list[Units] = field(default_factory=list)
    ignored: dict[int, str] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)


def take_apart(
    records: pl.DataFrame,
    headers: pl.DataFrame,
    contract: Contract,
    feed: Feed,
    paths: Sequence[Path],
    schemas_of: SchemasOf | None = None,
) -> Sorted:
    """The units of a slice of bronze.

    In:  `row` (number of the record in the slice), bronze's columns; `headers` (`object`, `etag`, `header`);
    `schemas_of`: the schemas that framed records name, for a feed with a registry.
    """
    if feed.format is Format.CSV:
        return _from_csv(records, headers, feed, paths)
    result = Sorted()
    # A record without bytes and without a hash is a tombstone (Kafka); over the cap it has a hash.
    empty = records.filter(pl.col("value").is_null() & pl.col("value_hash").is_null())["row"].to_list()
    result.ignored.update(dict.fromkeys(empty, "tombstone"))
    plain = records.filter(~pl.col("row").is_in(empty)) if empty else records
    unframed = _unframed(plain, feed, schemas_of)
    result.broken.update(unframed.broken)
    readable, broken, exact = extract.triage(unframed.records)
    result.broken.update(broken)
    told_by = unframed.records.select("row", "schema_id")
    readable = readable.join(told_by, on="row", how="left", maintain_order="left")
    for shape, schema, rows in _by_shape(readable, unframed.meanings, contract):
        if shape.form is Form.IGNORED:
            result.ignored.update(dict.fromkeys(rows["row"].to_list(), shape.reason or "control"))
        elif shape.form is Form.BROKEN:
            result.broken.update(dict.fromkeys(rows["row"].to_list(), shape.reason or strict_json.OBJECT))
        elif contract.array is not None:
            _explode(rows, shape, schema, contract, paths, exact, result)
        else:
            _read_rows(rows, shape, schema, paths, exact, result)
    return result


def _unframed(records: pl.DataFrame, feed: Feed, schemas_of: SchemasOf | None) -> Unframed:
    """The records as JSON: framed ones decoded where the feed has a registry, else broken."""
    if schemas_of is not None:
        # A delete that the lake wrote itself has no frame.
        is_ours = (pl.col("topic") == ABSENCE_TOPIC).fill_null(False)
        ours = records.filter(is_ours).with_columns(schema_id=pl.lit(None, pl.Int64))
        told = unframe(records.filter(~is_ours), schemas_of, all_framed=feed.format is Format.AVRO)
        return Unframed(pl.concat([told.records, ours]).sort("row"), told.meanings, told.broken)
    framed = records.filter(pl.col("value").bin.starts_with(b"\x00"))["row"].to_list()
    plain = records.filter(~pl.col("row").is_in(framed)) if framed else records
    return Unframed(plain.with_columns(schema_id=pl.lit(None, pl.Int64)), {}, dict.fromkeys(framed, NOT_FRAMED))


def _from_csv(records: pl.DataFrame, headers: pl.DataFrame, feed: Feed, paths: Sequence[Path]) -> Sorted:
    result = Sorted()
    by_object = records.join(headers, on=["object", "etag"], how="left")
    for (header,), rows in by_object.group_by("header", maintain_order=True):
        if not isinstance(header, bytes):
            result.broken.update(dict.fromkeys(rows["row"].to_list(), extract.FIELD_COUNT))
            continue
        read = extract.extract_csv(rows, header, feed.delimiter, paths)
        result.broken.update(read.broken)
        result.units.append(Units(read.frame.with_columns(part=pl.lit(0, pl.Int32))))
    return result


def _by_shape(
    readable: pl.DataFrame, meanings: Mapping[int, str], contract: Contract
) -> list[tuple[Shape, str | None, pl.DataFrame]]:
    """Rows grouped by shape (and schema text), each distinct set of member names looked at once."""
    groups: list[tuple[Shape, str | None, pl.DataFrame]] = []
    for (kind, keys, schema_id), rows in readable.group_by(["type", "keys", "schema_id"], maintain_order=True):
        schema = meanings.get(schema_id) if isinstance(schema_id, int) else None
        if kind == "NULL":
            groups.append((envelope.TOMBSTONE, None, rows))
            continue
        if kind != "OBJECT":
            whole = kind == "ARRAY" and contract.array == "$"
            shape = Shape(Form.ROW) if whole else Shape(Form.BROKEN, reason=strict_json.OBJECT)
            groups.append((shape, schema, rows))
            continue
        names = set(str(keys).split("\x1f")) if keys else set()
        if len(names) != len(str(keys).split("\x1f")) and keys:
            groups.append((Shape(Form.BROKEN, reason=strict_json.UNIQUE_KEYS), None, rows))
        elif schema_id is None and envelope.is_wrapped(names):
            groups.extend(_unwrapped(rows, contract))
        else:
            groups.append((_shape(names, contract, ()), schema, rows))
    return groups


def _shape(names: set[str], contract: Contract, prefix: Path) -> Shape:
    if contract.kind is Kind.CDC:
        return envelope.shape_of_change(names, prefix)
    return Shape(Form.ROW, prefix)


def _unwrapped(rows: pl.DataFrame, contract: Contract) -> list[tuple[Shape, str | None, pl.DataFrame]]:
    inner = extract.payloads(rows)
    groups: list[tuple[Shape, str | None, pl.DataFrame]] = []
    for (kind, keys, schema), part in inner.group_by(["type", "keys", "schema"], maintain_order=True):
        chosen = part.select("row", "text")
        names = set(str(keys).split("\x1f")) if keys else set()
        if kind == "NULL":
            groups.append((envelope.TOMBSTONE, None, chosen))
        elif kind != "OBJECT":
            groups.append((Shape(Form.BROKEN, reason=strict_json.OBJECT), None, chosen))
        elif keys and len(names) != len(str(keys).split("\x1f")):
            groups.append((Shape(Form.BROKEN, reason=strict_json.UNIQUE_KEYS), None, chosen))
        else:
            groups.append((_shape(names, contract, ("payload",)), None if schema is None else str(schema), chosen))
    return groups


def _read_rows(
    rows: pl.DataFrame,
    shape: Shape,
    schema: str | None,
    paths: Sequence[Path],
    exact: Mapping[int, Any],
    result: Sorted,
) -> None:
    if shape.form is Form.ENVELOPE:
        _read_envelopes(rows, shape, schema, paths, exact, result)
        return
    meta = _FLAT_META if shape.form is Form.FLAT else {}
    beside = [place for places in meta.values() for place in places]
    frame = extract.extract_json(rows, shape.prefix, [*paths, *beside], ())
    frame = extract.overrule(frame, exact, shape.prefix, paths)
    frame = frame.with_columns(_first(places).alias(name) for name, places in meta.items())
    if shape.form is Form.FLAT:
        deleted = pl.col("deleted").str.to_lowercase() == "true"
        op = pl.when(deleted).then(pl.lit("d")).otherwise(pl.col("op").fill_null("u"))
        frame = frame.with_columns(op=op, keys=_without_marks(frame["keys"]))
        is_known = pl.col("op").is_in(envelope.ROW_OPERATIONS)
        result.broken.update(dict.fromkeys(frame.filter(~is_known)["row"].to_list(), envelope.KNOWN_OPERATION))
        frame = frame.filter(is_known)
    twice = extract.ambiguous_rows(rows, shape.prefix, paths)
    _finish(frame, {} if schema is None else from_schema(schema), twice, result)


def _read_envelopes(
    rows: pl.DataFrame,
    shape: Shape,
    schema: str | None,
    paths: Sequence[Path],
    exact: Mapping[int, Any],
    result: Sorted,
) -> None:
    """A delete tells its row in `before`, everything else in `after`."""
    beside = [place for places in _ENVELOPE_META.values() for place in places]
    head = extract.extract_json(rows, shape.prefix, [*beside, ("before",), ("after",)], None)
    head = head.with_columns(_first(places).alias(name) for name, places in _ENVELOPE_META.items())
    head = head.with_columns(op=pl.col("op").fill_null(""))
    unknown = head.filter(~pl.col("op").is_in([*envelope.ROW_OPERATIONS, envelope.MESSAGE]))
    result.broken.update(dict.fromkeys(unknown["row"].to_list(), envelope.KNOWN_OPERATION))
    messages = head.filter(pl.col("op") == envelope.MESSAGE)
    result.ignored.update(dict.fromkeys(messages["row"].to_list(), "logical_decoding_message"))
    meta = ["row", *_ENVELOPE_META]
    for image, chosen in (
        ("before", pl.col("op") == envelope.DELETE),
        ("after", pl.col("op").is_in([envelope.CREATE, envelope.UPDATE, envelope.READ])),
    ):
        mine = head.filter(chosen)
        absent = mine.filter(pl.col(kind_column((image,))) != "object")["row"].to_list()
        result.broken.update(dict.fromkeys(absent, envelope.HAS_ROW))
        mine = mine.filter(pl.col(kind_column((image,))) == "object").select(meta)
        if mine.is_empty():
            continue
        prefix = (*shape.prefix, image)
        imaged = rows.join(mine, on="row", how="semi")
        fields = extract.overrule(extract.extract_json(imaged, prefix, paths, ()), exact, prefix, paths)
        semantics = {} if schema is None else from_schema(schema, [image]) or from_schema(schema, ["after"])
        twice = extract.ambiguous_rows(imaged, prefix, paths)
        _finish(fields.join(mine, on="row"), semantics, twice, result)
    truncates = head.filter(pl.col("op") == envelope.TRUNCATE).select(meta)
    if not truncates.is_empty():
        nothing = [pl.lit(None, pl.String).alias(text_column(path)) for path in dict.fromkeys(paths)]
        missing = [pl.lit(extract.MISSING).alias(kind_column(path)) for path in dict.fromkeys(paths)]
        _finish(truncates.with_columns(*nothing, *missing, keys=pl.lit(None, pl.String)), {}, [], result)


def _explode(
    rows: pl.DataFrame,
    shape: Shape,
    schema: str | None,
    contract: Contract,
    paths: Sequence[Path],
    exact: Mapping[int, Any],
    result: Sorted,
) -> None:
    """One unit an element; an empty or absent array is one ignored, an unreadable one is one quarantined."""
    assert contract.array is not None
    place = () if contract.array == "$" else tuple(contract.array.split("."))
    elements = extract.elements(rows, (*shape.prefix, *place))
    unreadable = elements.filter(~pl.col("kind").is_in(["array", "null", extract.MISSING]))
    result.broken.update(dict.fromkeys(unreadable["row"].to_list(), IS_ARRAY))
    empty = elements.filter(pl.col("kind").is_in(["null", extract.MISSING]) | (pl.col("length") == 0))
    result.ignored.update(dict.fromkeys(empty["row"].to_list(), EMPTY_ARRAY))
    parts = elements.filter(pl.col("text").is_not_null())
    if parts.is_empty():
        return
    inner = [path for path in paths if path[0] != "$"]
    outer = [path for path in paths if path[0] == "$"]
    numbered = parts.select("row", "part", "text").with_row_index("unit").with_columns(pl.col("unit").cast(pl.Int64))
    fields = extract.extract_json(numbered.select(row="unit", text="text"), (), inner, ())
    twice = numbered.join(
        fields.filter(extract.duplicated_keys(fields["keys"])), left_on="unit", right_on="row", how="semi"
    )
    result.broken.update(dict.fromkeys(twice["row"].to_list(), strict_json.UNIQUE_KEYS))
    numbered = numbered.join(twice, on="row", how="anti")
    by_unit = {
        unit: extract.walk(exact[row], (*shape.prefix, *place))[part]
        for unit, row, part in numbered.select("unit", "row", "part").iter_rows()
        if row in exact
    }
    fields = extract.overrule(fields, by_unit, (), inner)
    frame = numbered.select(pl.col("unit"), pl.col("row").alias("record"), "part").join(
        fields.rename({"row": "unit"}), on="unit"
    )
    if outer:
        whole = extract.extract_json(rows, shape.prefix, [path[1:] for path in outer], None)
        whole = extract.overrule(whole, dict(exact), shape.prefix, [path[1:] for path in outer]).drop("keys")
        renamed = {text_column(p[1:]): text_column(p) for p in outer} | {
            kind_column(p[1:]): kind_column(p) for p in outer
        }
        frame = frame.join(whole.rename({"row": "record", **renamed}), on="record")
    semantics = {}
    if schema is not None:
        semantics = {f"$.{name}": semantic for name, semantic in from_schema(schema).items()}
        semantics |= from_schema(schema, place)
    result.units.append(Units(frame.drop("unit").rename({"record": "row"}), semantics))


def _finish(frame: pl.DataFrame, semantics: Mapping[str, Semantic], ambiguous: Sequence[int], result: Sorted) -> None:
    twice = [*frame.filter(extract.duplicated_keys(frame["keys"]))["row"].to_list(), *ambiguous]
    if twice:
        result.broken.update(dict.fromkeys(twice, strict_json.UNIQUE_KEYS))
        frame = frame.filter(~pl.col("row").is_in(twice))
    result.units.append(Units(frame.with_columns(part=pl.lit(0, pl.Int32)), semantics))


def _first(places: Sequence[Path]) -> pl.Expr:
    return pl.coalesce(pl.col(text_column(place)) for place in places)


def _without_marks(keys: pl.Series) -> pl.Series:
    """Key lists without the names the flattening transform added; they are not the producer's fields."""
    distinct = keys.drop_nulls().unique()
    kept = {text: "\x1f".join(n for n in text.split("\x1f") if not n.startswith("__")) for text in distinct.to_list()}
    return keys.replace_strict(kept, default=None, return_dtype=pl.String) if kept else keys
