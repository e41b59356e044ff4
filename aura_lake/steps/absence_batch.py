"""Deletes that nobody sent, into bronze: a batch of a feed like any other, so that judging, ledger and rebuild read
it as they read what came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from aura_lake.cdc.absence import ABSENCE_TOPIC
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import NEVER, LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import CommitConflict, WatermarkError
from aura_lake.layouts import BRONZE
from aura_lake.steps.topic_batch import ATTEMPTS


def commit_absences(table: LakeTable, values: Sequence[bytes], request: str, at: datetime) -> int:
    """Write the deletes as the next batch of a feed's bronze table; the batch's number.

    They stand in a lane of their own, that of the request, which is written once. Raises CommitConflict where others
    were first too often.
    """
    lane = f"absence/{request}"
    for attempt in range(ATTEMPTS):
        number = table.watermark(LANE) + 1
        try:
            with Commit(table) as commit:
                commit.add(_rows(values, lane, request, number, at))
                commit.publish({LANE: (number - 1, number), lane: (NEVER, len(values) - 1)})
            return number
        except (CommitConflict, WatermarkError):
            if attempt == ATTEMPTS - 1:
                raise
            table.refresh()
    raise AssertionError("unreachable")


def _rows(values: Sequence[bytes], lane: str, request: str, number: int, at: datetime) -> pl.DataFrame:
    landed_at = datetime.now(UTC)
    shared = {
        "lane": lane,
        "batch": number,
        "landed_at": landed_at,
        "landed_date": landed_at.date(),
        "topic": ABSENCE_TOPIC,
        "partition": 0,
        "etag": request,
        "timestamp": at,
    }
    rows: list[dict[str, Any]] = [
        {**shared, "row_kind": "record", "offset": offset, "value": value, "value_size": len(value)}
        for offset, value in enumerate(values)
    ]
    told = {"offset": 0, "next_offset": len(values), "record_count": len(values)}
    rows.append({**shared, "row_kind": "range", **told, "value_size": sum(map(len, values))})
    frame = [{name: row.get(name) for name in BRONZE.columns} for row in rows]
    return pl.DataFrame(frame, schema=dict(BRONZE.columns), orient="row")
