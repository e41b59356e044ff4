"""What Dagster shows of a table: its columns, where each comes from, who owns it, how old it may grow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl
from dagster import (
    AssetKey,
    FreshnessPolicy,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
)

from aura_lake.contracts.contract import Contract, Feed, Shop
from aura_lake.layouts import BRONZE, POSITION, VERSION, log_layout
from aura_lake.settings import Settings
from aura_lake.steps.shadow import Shadow

#: What the schedules keep: a table that was not looked at for longer is worth a look, then an alarm.
WARN_AFTER, FAIL_AFTER = timedelta(hours=6), timedelta(hours=24)

#: Columns that steps add, and what they mean.
TECHNICAL: Mapping[str, str] = {
    "topic": "Topic of the record; null for files.",
    "partition": "Partition of the topic; null for files.",
    "offset": "Offset in the partition; null for files.",
    "object": "Object the record lies in, named relative to its feed's root.",
    "etag": "Version of the object.",
    "ordinal": "Number of the record in its object, from 0.",
    "part": "Number of the element, where the table takes one row per element of an array.",
    "byte_offset": "Where the record begins in the decompressed object.",
    "row_kind": "record, or object: one row for each version of each object looked at.",
    "lane": "What is read in order: the feed's files, or a partition of a topic.",
    "batch": "Number of the commit that brought it, without gaps in a lane.",
    "landed_at": "When it was landed, UTC.",
    "landed_date": "Date of landed_at; partition.",
    "timestamp": "Time of the message, UTC; null for files.",
    "key": "Key of the message; null for files.",
    "headers": "Headers of the message as JSON; null for files.",
    "value": "The record, byte for byte; null over the size cap.",
    "value_size": "Bytes of the record.",
    "value_hash": "SHA-256 of a record over the size cap.",
    "object_modified_at": "When the object was last modified, UTC.",
    "object_size": "Stored bytes of the object.",
    "object_hash": "SHA-256 of the stored bytes.",
    "object_error": "Why the object could not be read; then it brought no records.",
    "object_copy_of": "The byte-equal object whose records stand for this one's.",
    "record_count": "Records of the object.",
    "header": "Header line of a CSV object.",
    "next_offset": "Of a range of a topic partition: the offset at which reading goes on.",
    "feed_batch": "Bronze batch of the record.",
    "log_batch": "Commit of the log that judged it, without gaps.",
    "judgement": "Number of the judgement; of a record's, the highest counts.",
    "outcome": "valid, truncate, quarantined or set_aside; partition.",
    "log_period": "Period of the record's own time; partition.",
    "verdict": "valid, quarantined, duplicate, ignored, superseded, discarded or erased.",
    "reason": "Why it was ignored.",
    "broken_rules": "Every rule it broke.",
    "warnings": "Rules of severity warn that it broke.",
    "_unknown_fields": "Names of fields that no contract mentions.",
    "_op": "Change: c, u, d, r or t.",
    "_epoch": "Life of the source's log; a new one begins after it was lost.",
    "_lsn": "Place in the source's log.",
    "_is_snapshot": "Whether it was read from the table, not from the log.",
    "_committed_at": "When the source committed it, UTC.",
    "_left_out": "Columns the change did not carry.",
    "valid_from": "From when the version held, UTC; null: from the beginning.",
    "valid_to": "Until when, UTC; null: until now.",
    "is_current": "Whether it is the version that holds now.",
    "_is_version": "Whether it is a version people see.",
    "_is_valid": "Whether the change broke no rule.",
    "_is_held": "Whether it waits for a value that an earlier change must bring.",
    "_is_latest": "Whether it is the key's current row.",
    "_has_newer_in_quarantine": "Whether a newer change of the key waits in quarantine.",
    "_bucket": "Period or hash of the key; partition.",
}


def bronze_key(feed: str) -> AssetKey:
    """`bronze/<feed>`."""
    return AssetKey(["bronze", feed])


def silver_key(table: str) -> AssetKey:
    """`silver/<table>`, also of its log, history and quarantine."""
    return AssetKey(["silver", table])


def gold_key(model: str) -> AssetKey:
    """`gold/<model>`."""
    return AssetKey(["gold", model])


def place(settings: Settings, schema: str, table: str) -> dict[str, str]:
    """Where a table lies and what queries call it."""
    return {"dagster/uri": settings.uri(schema, table), "dagster/table_name": f"{schema}.{table}"}


def owners(shop: Shop, owner: str | None) -> list[str]:
    """Who to ask: the contract's owner, else the shop's, else a team of the shop's name."""
    return [owner or shop.owners.get("default") or f"team:{shop.id}"]


def feed_owners(shop: Shop, feed: Feed) -> list[str]:
    """The owners of the tables that read a feed, or its own."""
    readers = {reader.owner for reader in shop.readers(feed.name) if reader.owner}
    return [feed.owner] if feed.owner and not readers else sorted(readers) or owners(shop, feed.owner)


def freshness(contract: Contract | None = None) -> FreshnessPolicy:
    """How old a table may grow: its contract's freshness, else what the schedules keep."""
    hours = [rule.max_age_hours for rule in contract.table_rules if rule.max_age_hours] if contract else []
    if hours:
        limit = timedelta(hours=min(hours))
        return FreshnessPolicy.time_window(fail_window=limit, warn_window=limit * 0.8)
    return FreshnessPolicy.time_window(fail_window=FAIL_AFTER, warn_window=WARN_AFTER)


def bronze_schema() -> TableSchema:
    """The columns of every bronze table."""
    return TableSchema([_technical(name, dtype) for name, dtype in BRONZE.columns.items()])


def table_schema(contract: Contract, *, history: bool = False) -> TableSchema:
    """The columns people see of a silver table or of its history."""
    columns = [_contracted(contract, column.silver_name) for column in contract.columns]
    extra = ("valid_from", "valid_to", "is_current") if history else ()
    return TableSchema([*columns, *(_technical(name, VERSION[name]) for name in extra)])


def log_schema(contract: Contract) -> TableSchema:
    """The columns of a log; those of the table are null where a record was not typed."""
    own = {column.silver_name for column in contract.columns}
    return TableSchema(
        [
            _contracted(contract, name, always_nullable=True) if name in own else _technical(name, dtype)
            for name, dtype in log_layout(contract).columns.items()
        ]
    )


def log_lineage(contract: Contract) -> TableColumnLineage:
    """Columns of a log from bronze: a position from its like, a field from the record's bytes."""
    feed = bronze_key(contract.feed)
    value = [TableColumnDep(feed, "value")]
    deps = {name: [TableColumnDep(feed, name)] for name in [*POSITION, "byte_offset", "landed_at"]}
    deps["feed_batch"] = [TableColumnDep(feed, "batch")]
    deps |= dict.fromkeys(("verdict", "broken_rules", "warnings", "_unknown_fields"), value)
    deps |= {column.silver_name: _read_from(contract, feed, column.silver_name) for column in contract.columns}
    return TableColumnLineage(deps)


def same_columns(contract: Contract, upstream: AssetKey, *more: str) -> TableColumnLineage:
    """Each column of the table from the column of that name one hop before."""
    names = [column.silver_name for column in contract.columns]
    return TableColumnLineage({name: [TableColumnDep(upstream, name)] for name in [*names, *more]})


def _read_from(contract: Contract, feed: AssetKey, name: str) -> list[TableColumnDep]:
    """A field comes from the record's bytes; a transform may also name the record's position."""
    transform = contract.column(name).transform or ""
    words = {"_object": "object", "_etag": "etag", "_ordinal": "ordinal", "_offset": "offset"}
    named = [column for word, column in words.items() if word in transform]
    return [TableColumnDep(feed, column) for column in ["value", *named]]


def type_name(dtype: pl.DataType) -> str:
    """A type as people write it: `decimal(18, 4)`, `timestamp`, `list of string`."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision}, {dtype.scale})"
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        return f"list of {type_name(inner if isinstance(inner, pl.DataType) else inner())}"
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    return {"Int64": "bigint", "Int32": "integer"}.get(str(dtype), str(dtype).lower())


def _contracted(contract: Contract, name: str, *, always_nullable: bool = False) -> TableColumn:
    column = contract.column(name)
    is_key = column.key_position is not None
    notes = [f"one of: {', '.join(column.allowed_values)}"] if column.allowed_values else []
    if column.personal:
        notes.append("hashed")
    return TableColumn(
        name,
        type_name(column.silver_dtype),
        description=column.description or None,
        constraints=TableColumnConstraints(
            nullable=always_nullable or not (column.required or is_key),
            unique=not always_nullable and contract.key == (name,),
            other=notes,
        ),
        tags={"personal": ""} if column.personal else {},
    )


def _technical(name: str, dtype: pl.DataType) -> TableColumn:
    return TableColumn(name, type_name(dtype), description=TECHNICAL.get(name), tags={"technical": ""})


def in_shadow(shadow: Shadow) -> dict[str, int]:
    """What the contract in a table's shadow would have done with the rows that were judged, as metadata."""
    return {"shadow_would_pass": shadow.passing, "shadow_would_wait": shadow.waiting}


def counted(rows: int, **facts: Any) -> dict[str, Any]:
    """Metadata of a materialization: its rows, and facts by name; a fact that is None is left out."""
    told = {name: value for name, value in facts.items() if value is not None}
    return {"dagster/row_count": rows, **told}
