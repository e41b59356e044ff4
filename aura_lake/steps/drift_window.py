"""The records of a feed that a look at drift sees: some from before, some that came since, in bounded number.

What is read is bounded in records and in batches, whatever came; records with fields that no contract names are
added to what is drawn evenly, so that a change in one of a thousand shows as well.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

import polars as pl

from aura_lake.cdc import envelope
from aura_lake.cdc.envelope import Form
from aura_lake.cdc.framed import unframe
from aura_lake.cdc.wire_schema import SchemasOf, WireSchema
from aura_lake.contracts.contract import Feed, Format, Kind
from aura_lake.contracts.profile import looks_personal
from aura_lake.contracts.verdicts import standing_rows
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.drift.reads import to_path
from aura_lake.drift.schema_change import SchemaChange, schema_change
from aura_lake.drift.window import Window, load, window_of
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION
from aura_lake.steps.land import object_rows
from aura_lake.steps.schemas import feed_schemas

#: Records looked at from before and from after, of those with unknown fields, and the batches they are drawn from.
BEFORE, AFTER, UNKNOWN, BATCHES = 1_000, 2_000, 400, 16

#: Records held at a time while they are drawn.
CHUNK = 20_000

_COLUMNS = (*POSITION, "batch", "timestamp", "value")
_ORDER = {True: ("timestamp", "topic", "partition", "offset"), False: ("batch", "object", "etag", "ordinal")}


@dataclass(frozen=True)
class Seen:
    """The window of a feed, and what its schema registry says of it."""

    window: Window
    schema: SchemaChange | None


def see(lake: Lake, feed: Feed, baseline: int) -> Seen | None:
    """The window of a feed: records up to the batch `baseline` are as they always were, and those after it are looked
    at. None where nothing came since."""
    bronze = lake.bronze(feed.name)
    last = bronze.watermark(LANE)
    if last <= baseline:
        return None
    counts = _counts(bronze)
    before = _draw(bronze, _last_of(counts, baseline, BEFORE), BEFORE) if baseline >= 0 else None
    since = counts.filter(pl.col("batch") > baseline)
    after = _draw(bronze, since, AFTER)
    if since["records"].sum() > AFTER:
        rare = _with_unknown_fields(lake, feed, bronze, baseline)
        after = pl.concat([after, rare]).unique(list(POSITION), keep="first")
    order = list(_ORDER[feed.is_topics])
    parts = [part.sort(order) for part in (before, after) if part is not None and not part.is_empty()]
    if not parts:
        return None
    records = pl.concat(parts)
    split = None if before is None or before.is_empty() else before.height
    return _Reading(lake, feed).window(records, split)


def _counts(bronze: LakeTable) -> pl.DataFrame:
    """`batch`, `records`: how many each batch brought."""
    told = bronze.scan().filter(pl.col("row_kind") != "record").select("batch", "record_count")
    counted = told.group_by("batch").agg(pl.col("record_count").sum().alias("records")).collect()
    return counted.filter(pl.col("records") > 0).sort("batch")


def _last_of(counts: pl.DataFrame, upto: int, wanted: int) -> pl.DataFrame:
    """The newest batches up to one that hold so many records together."""
    newest = counts.filter(pl.col("batch") <= upto).sort("batch", descending=True)
    return newest.filter(pl.col("records").cum_sum() - pl.col("records") < wanted).sort("batch")


def _draw(bronze: LakeTable, counts: pl.DataFrame, wanted: int) -> pl.DataFrame:
    """At most about so many records of some batches, evenly: every n-th of each."""
    chosen = counts.gather_every(max(1, -(-counts.height // BATCHES))) if counts.height > BATCHES else counts
    if counts.height > BATCHES:  # the newest batch is always among them
        chosen = pl.concat([chosen, counts.tail(1)]).unique("batch").sort("batch")
    total = int(chosen["records"].sum())
    every = max(1, -(-total // wanted))
    rows = bronze.scan().filter((pl.col("row_kind") == "record") & pl.col("batch").is_in(chosen["batch"].to_list()))
    rows = rows.filter(pl.col("value").is_not_null()).select(_COLUMNS)
    drawn, skipped = [], 0
    for frame in rows.collect_batches(chunk_size=CHUNK, maintain_order=True):
        drawn.append(frame.gather_every(every, offset=skipped) if skipped < frame.height else frame.clear())
        skipped = (skipped - frame.height) % every
    return pl.concat(drawn) if drawn else rows.limit(0).collect()


def _with_unknown_fields(lake: Lake, feed: Feed, bronze: LakeTable, baseline: int) -> pl.DataFrame:
    """Records of the batches since that carry fields no contract names, some of each list of names."""
    found: list[pl.DataFrame] = []
    for contract in lake.shop.readers(feed.name):
        log = lake.log(contract)
        if not log.exists:
            continue
        rows = standing_rows(log, ["valid", "quarantined"]).filter(
            (pl.col("feed_batch") > baseline) & (pl.col("_unknown_fields").list.len() > 0)
        )
        names = pl.col("_unknown_fields").list.sort().list.join("\x1f").alias("names")
        places = rows.select(*POSITION, "feed_batch", names).collect(engine="streaming")
        found.append(places.group_by("names").head(UNKNOWN // 4).head(UNKNOWN).select(*POSITION, "feed_batch"))
    places = pl.concat(found).unique(list(POSITION)) if found else pl.DataFrame()
    if places.is_empty():
        return bronze.scan().select(_COLUMNS).limit(0).collect()
    batches = places["feed_batch"].unique().sort().to_list()[:BATCHES]
    records = bronze.scan().filter((pl.col("row_kind") == "record") & pl.col("batch").is_in(batches))
    wanted = places.select(list(POSITION)).lazy()
    return records.select(_COLUMNS).join(wanted, on=list(POSITION), how="semi", nulls_equal=True).collect()


class _Reading:
    """Turns records of a feed into a window."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self._feed = lake, feed
        self._contracts = lake.shop.readers(feed.name)
        self._is_change = any(contract.kind is Kind.CDC for contract in self._contracts)

    def window(self, records: pl.DataFrame, split: int | None) -> Seen:
        """The window of records in order, of which the first `split` are from before."""
        records = records.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        schema = None
        if self._feed.format is Format.CSV:
            values = self._from_csv(records)
        else:
            records, schema = self._unframed(records)
            values = [load(value) for value in records["value"].to_list()]
        rows = [self._row_in(value) for value in values]
        told = [at for at, row in enumerate(rows) if row is not None]
        known = None if split is None else sum(records["row"][at] < split for at in told)
        arrays = {"" if c.array == "$" else c.array for c in self._contracts if c.array is not None}
        window = window_of(
            [rows[at] for at in told],
            known,
            personal=self._personal(rows),
            arrays=arrays,
            has_types=self._feed.format is not Format.CSV,
            batches=[records["batch"][at] for at in told],
        )
        return Seen(window, schema)

    def _from_csv(self, records: pl.DataFrame) -> list[dict[str, str] | None]:
        headers = object_rows(self._lake.bronze(self._feed.name)).select("object", "etag", "header")
        found: list[dict[str, str] | None] = []
        both = records.join(headers, on=["object", "etag"], how="left", maintain_order="left")
        for value, header in both.select("value", "header").iter_rows():
            try:
                names, fields = (
                    next(csv.reader([text.decode("utf-8-sig")], delimiter=self._feed.delimiter))
                    for text in (header or b"", value)
                )
            except (UnicodeDecodeError, csv.Error, StopIteration):
                found.append(None)  # it waits in quarantine by a rule of its own
                continue
            found.append(dict(zip(names, fields, strict=True)) if len(names) == len(fields) else None)
        return found

    def _unframed(self, records: pl.DataFrame) -> tuple[pl.DataFrame, SchemaChange | None]:
        """The records as JSON, and the difference of the schemas they were written with, in their order."""
        known = feed_schemas(self._lake, self._feed)
        if known is None:
            return records, None
        schemas: SchemasOf = known.remembered
        plain = unframe(records, schemas, all_framed=self._feed.format is Format.AVRO).records
        ids = [i for i in plain["schema_id"].unique(maintain_order=True).to_list() if i is not None]
        texts = schemas(ids)
        first, last = (texts.get(ids[0]), texts.get(ids[-1])) if len(ids) > 1 else (None, None)
        return plain, None if first is None or last is None else _change(first, last)

    def _row_in(self, value: Any) -> Any:
        """The row of a record; None of one that carries none: a delete, a tombstone, a heartbeat."""
        if isinstance(value, dict) and envelope.is_wrapped(value.keys()):
            value = value["payload"]
        if not isinstance(value, dict):
            return value if isinstance(value, list) and any(c.array == "$" for c in self._contracts) else None
        if not self._is_change:
            return value
        form = envelope.shape_of_change(value.keys()).form
        if form is Form.ENVELOPE:
            row = value.get("after")
            return row if isinstance(row, dict) and value.get("op") in ("c", "u", "r") else None
        if form is Form.FLAT and value.get("__deleted") not in (True, "true"):
            return {name: member for name, member in value.items() if not name.startswith("__")}
        return None

    def _personal(self, rows: list[Any]) -> set[str]:
        """Paths whose texts are not kept: those of personal columns, and names that look like a person's."""
        names = {
            to_path(contract, name)
            for contract in self._contracts
            for column in contract.columns
            if column.personal
            for name in (column.source or column.name, *column.synonyms)
        }
        first = {name for row in rows[:200] + rows[-200:] if isinstance(row, dict) for name in row}
        return names | {name for name in first if looks_personal(name)}


def _change(first: WireSchema, last: WireSchema) -> SchemaChange:
    return schema_change(first.text, last.text)
