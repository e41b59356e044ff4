"""The columns of bronze, of a log, of a current table and of a history."""

from __future__ import annotations

import polars as pl

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.delta.layout import Layout

UTC_MICROS = pl.Datetime("us", "UTC")

#: A record's identity. For files: (object, etag, ordinal); for topics: (topic, partition, offset), with the
#: topic's id as `etag`, since a topic that was made anew counts its offsets from 0 again.
POSITION: dict[str, pl.DataType] = {
    "topic": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "object": pl.String(),
    "etag": pl.String(),
    "ordinal": pl.Int64(),
}

BRONZE = Layout(
    columns={
        "row_kind": pl.String(),
        "lane": pl.String(),
        "batch": pl.Int64(),
        "landed_at": UTC_MICROS,
        "landed_date": pl.Date(),
        **POSITION,
        "byte_offset": pl.Int64(),
        "timestamp": UTC_MICROS,
        "key": pl.Binary(),
        "headers": pl.String(),
        "value": pl.Binary(),
        "value_size": pl.Int64(),
        "value_hash": pl.String(),
        "object_modified_at": UTC_MICROS,
        "object_size": pl.Int64(),
        "object_hash": pl.String(),
        "object_error": pl.String(),
        "object_copy_of": pl.String(),
        "record_count": pl.Int64(),
        "header": pl.Binary(),
        "next_offset": pl.Int64(),
    },
    partition_by=("landed_date", "row_kind"),
    statistics=("batch", "landed_at", "ordinal", "offset"),
    counting=("ordinal", "offset", "byte_offset", "value_size"),
)

#: What the log says of a unit, beside the table's own columns.
JUDGEMENT: dict[str, pl.DataType] = {
    **POSITION,
    "part": pl.Int32(),
    "byte_offset": pl.Int64(),
    "landed_at": UTC_MICROS,
    "feed_batch": pl.Int64(),
    "log_batch": pl.Int64(),
    "judgement": pl.Int32(),
    "outcome": pl.String(),
    "log_period": pl.String(),
    "verdict": pl.String(),
    "reason": pl.String(),
    "broken_rules": pl.List(pl.String()),
    "warnings": pl.List(pl.String()),
    "_unknown_fields": pl.List(pl.String()),
}

#: What a change says of itself; null in `events`.
CHANGE: dict[str, pl.DataType] = {
    "_op": pl.String(),
    "_epoch": pl.Int64(),
    "_lsn": pl.Int64(),
    "_is_snapshot": pl.Boolean(),
    "_committed_at": UTC_MICROS,
    "_left_out": pl.List(pl.String()),
}

#: What the state keeps of a change, to fold it again when an earlier one arrives late.
VERSION: dict[str, pl.DataType] = {
    **POSITION,
    "part": pl.Int32(),
    **CHANGE,
    "valid_from": UTC_MICROS,
    "valid_to": UTC_MICROS,
    "is_current": pl.Boolean(),
    "_is_version": pl.Boolean(),
    "_is_valid": pl.Boolean(),
    "_is_held": pl.Boolean(),
    "_is_latest": pl.Boolean(),
    "_has_newer_in_quarantine": pl.Boolean(),
    #: The LSN of a row that left values under its old key (`cdc.moves`), and that of a delete (0: none). Nearly
    #: always null; their statistics say which partitions must be read to find one.
    "_moved_lsn": pl.Int64(),
    "_gone_lsn": pl.Int64(),
    #: 0 on a change that came without an LSN, with the same use.
    "_without_lsn": pl.Int64(),
    "_bucket": pl.String(),
}


def table_columns(contract: Contract) -> dict[str, pl.DataType]:
    """The columns of the silver table itself, personal ones as text hashes."""
    return {column.silver_name: column.silver_dtype for column in contract.columns}


def log_layout(contract: Contract) -> Layout:
    """The log: every unit of the feed with its verdict, partitioned by outcome and by its own time."""
    extra = [name for name in (contract.period, contract.event_time, contract.ordering) if name]
    plain = {c.silver_name for c in contract.columns if not c.personal}
    return Layout(
        columns={**JUDGEMENT, **CHANGE, **table_columns(contract)},
        partition_by=("outcome", "log_period"),
        statistics=("log_batch", "feed_batch", "judgement", "_lsn", *(n for n in extra if n in plain)),
    )


def current_layout(contract: Contract) -> Layout:
    """The current rows; `_has_newer_in_quarantine` marks a key whose newest change waits."""
    return Layout(
        columns={**table_columns(contract), "_has_newer_in_quarantine": pl.Boolean(), "_bucket": pl.String()},
        partition_by=("_bucket",),
    )


def history_layout(contract: Contract) -> Layout:
    """Every distinct change of every key; rows with `_is_version` are the versions people see."""
    return Layout(
        columns={**VERSION, **table_columns(contract)},
        partition_by=("_bucket",),
        statistics=("_moved_lsn", "_gone_lsn", "_without_lsn"),
    )


def is_folded(contract: Contract) -> bool:
    """Whether the table has a state beside its log."""
    return contract.kind is not Kind.EVENTS


#: One row an order with the touch it is credited to. `_state` is `current`, or `restated` for a row that a
#: late click or a changed order replaced, or `gone` for that of a deleted order; all stand in one table, so
#: that they change in one commit.
TOUCHPOINTS = Layout(
    columns={
        "order_id": pl.String(),
        "touch_number": pl.Int32(),
        "occurred_at": UTC_MICROS,
        "channel": pl.String(),
        "campaign": pl.String(),
        "device_os": pl.String(),
        "session_id": pl.String(),
        "model": pl.String(),
        "weight": pl.Decimal(18, 9),
        "attributed_revenue": pl.Decimal(18, 4),
        "is_final": pl.Boolean(),
        "ordered_at": UTC_MICROS,
        "user_id": pl.String(),
        "restated_at": UTC_MICROS,
        "attribution_batch": pl.Int64(),
        "_state": pl.String(),
        "_bucket": pl.String(),
    },
    partition_by=("_state", "_bucket"),
    statistics=("attribution_batch",),
)

#: The columns of `order_touchpoints` that people see.
TOUCHPOINT_COLUMNS = tuple(TOUCHPOINTS.columns)[:11]
