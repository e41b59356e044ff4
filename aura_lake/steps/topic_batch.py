"""Messages of topics into bronze: one commit for all lanes that moved, rows and offsets together.

A commit holds the records, one row for each range `[offset, next_offset)` it read, and the watermark of each
lane: the last offset that bronze holds. Whoever was second, with the same range or with another, finds the
watermark moved and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import CommitConflict, WatermarkError
from aura_lake.layouts import BRONZE
from aura_lake.outside.topic_chunk import Lane, TopicChunk

#: How often a commit is tried again when another process lands other lanes of the same feed.
ATTEMPTS = 20

_DATA_SCHEMA = pa.schema([BRONZE.arrow_schema().field(name) for name in BRONZE.data_columns])


def commit_chunks(table: LakeTable, chunks: Sequence[TopicChunk], read_to: dict[Lane, int]) -> list[TopicChunk]:
    """Publish chunks as the next batch of the feed's bronze table; those that were published.

    The chunks of a lane follow each other. `read_to` is what the caller read on from: the last offset of each
    lane that bronze held then (-1: none); it is moved on. A lane that another process has read on meanwhile is
    left out whole, and its place in `read_to` becomes what stands: seek it there, or leave it to the other.
    Raises CommitConflict where others were first too often.
    """
    for attempt in range(ATTEMPTS):
        standing = {chunk.lane: table.watermark(chunk.lane.watermark) for chunk in chunks}
        mine = [chunk for chunk in chunks if standing[chunk.lane] == read_to[chunk.lane]]
        try:
            if mine:
                _commit(table, mine)
        except (CommitConflict, WatermarkError):
            if attempt == ATTEMPTS - 1:
                raise
            table.refresh()
            continue
        read_to.update(standing)
        read_to.update({chunk.lane: chunk.next_offset - 1 for chunk in mine})
        return mine
    raise AssertionError("unreachable")


def _commit(table: LakeTable, chunks: Sequence[TopicChunk]) -> None:
    landed_at = datetime.now(UTC)
    number = table.watermark(LANE) + 1
    moved: dict[str, tuple[int, int]] = {LANE: (number - 1, number)}
    with Commit(table) as commit:
        records = [_records(chunk, number, landed_at) for chunk in chunks if len(chunk)]
        if records:
            part = commit.part({"landed_date": landed_at.date().isoformat(), "row_kind": "record"})
            part.write(pa.concat_tables(records))
            part.close()
        commit.add(_ranges(chunks, number, landed_at))
        for chunk in chunks:
            name = chunk.lane.watermark
            before = moved[name][0] if name in moved else table.watermark(name)
            moved[name] = (before, chunk.next_offset - 1)
        commit.publish(moved)


def _records(chunk: TopicChunk, number: int, landed_at: datetime) -> pa.Table:
    lane, count = chunk.lane, len(chunk)
    constant = {
        "lane": lane.watermark,
        "batch": number,
        "landed_at": landed_at,
        "topic": lane.topic,
        "partition": lane.partition,
        "etag": lane.topic_id,
    }
    given: Mapping[str, pa.Array] = {
        "offset": pa.array(chunk.offsets),
        "timestamp": pa.array(chunk.timestamps * 1000, mask=chunk.timestamps < 0),
        "key": chunk.keys,
        "headers": chunk.headers,
        "value": chunk.values,
        "value_size": pa.array(chunk.value_sizes),
        "value_hash": chunk.value_hashes,
    }
    columns = []
    for column in _DATA_SCHEMA:
        if column.name in constant:
            columns.append(pa.repeat(pa.scalar(constant[column.name], column.type), count))
        elif column.name in given:
            columns.append(given[column.name].cast(column.type))
        else:
            columns.append(pa.nulls(count, column.type))
    return pa.Table.from_arrays(columns, schema=_DATA_SCHEMA)


def _ranges(chunks: Sequence[TopicChunk], number: int, landed_at: datetime) -> pl.DataFrame:
    """One row for each range that was read, also where nothing but a transaction's markers stood in it."""
    by_lane: dict[Lane, list[TopicChunk]] = {}
    for chunk in chunks:
        by_lane.setdefault(chunk.lane, []).append(chunk)
    rows: list[dict[str, Any]] = []
    for lane, parts in by_lane.items():
        newest = max((int(part.timestamps.max()) for part in parts if len(part)), default=-1)
        rows.append(
            {
                "row_kind": "range",
                "lane": lane.watermark,
                "batch": number,
                "landed_at": landed_at,
                "landed_date": landed_at.date(),
                "topic": lane.topic,
                "partition": lane.partition,
                "etag": lane.topic_id,
                "offset": parts[0].first_offset,
                "next_offset": parts[-1].next_offset,
                "timestamp": None if newest < 0 else datetime.fromtimestamp(newest / 1000, UTC),
                "record_count": sum(len(part) for part in parts),
                "value_size": int(sum(np.sum(part.value_sizes) for part in parts)),
            }
        )
    frame = [{name: row.get(name) for name in BRONZE.columns} for row in rows]
    return pl.DataFrame(frame, schema=dict(BRONZE.columns), orient="row")
