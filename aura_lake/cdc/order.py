"""The order of the changes of one key, whatever the order in which they arrived.

Row locks make the LSN order of a key its commit order (across keys the LSN means nothing). A snapshot
read sorts before a streamed change of the same LSN. An incremental-snapshot read has no LSN: it saw
the row after every change at a lower position of its lane, so it borrows the highest LSN of its key
there, and sorts after the change it borrowed it from.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aura_lake.cdc.envelope import DELETE
from aura_lake.layouts import POSITION

#: Position in a lane: topics by partition and offset, files by object, version and record.
POSITION_ORDER = (*POSITION, "part")

#: Sort rank of a snapshot read, a streamed change, and a change that borrowed its LSN.
SNAPSHOT, STREAMED, BORROWED = 0, 1, 2


def in_change_order(changes: pl.DataFrame, key: Sequence[str], copies: pl.DataFrame | None = None) -> pl.DataFrame:
    """`changes` sorted by key and then oldest first.

    In: `_epoch`, `_lsn` (null: none), `_is_snapshot`, the position columns and the key; `copies`: key,
    position and `_lsn` of the same changes delivered elsewhere, which lend their LSN from there too. The
    result does not depend on the order of the input.
    """
    lane = [*key, "topic", "partition"]
    borrowed = pl.coalesce("_lsn", pl.col("_lsn").fill_null(-1).cum_max().over(lane))
    lending = changes.with_columns(_is_copy=pl.lit(False))
    if copies is not None:
        lending = pl.concat([lending, copies.with_columns(_is_copy=pl.lit(True))], how="diagonal")
    rank = (
        pl.when(pl.col("_lsn").is_null()).then(BORROWED).when(pl.col("_is_snapshot")).then(SNAPSHOT).otherwise(STREAMED)
    )
    placed = lending.sort([*key, *POSITION_ORDER]).with_columns(_order_lsn=borrowed, _order_rank=rank)
    ordered = placed.filter(~pl.col("_is_copy")).sort([*key, "_epoch", "_order_lsn", "_order_rank", *POSITION_ORDER])
    return ordered.drop("_order_lsn", "_order_rank", "_is_copy")


def in_row_order(rows: pl.DataFrame, key: Sequence[str], ordering: str | None) -> pl.DataFrame:
    """`rows` sorted by key and then by the ordering column (null first), else by position alone."""
    by = [*key, *([ordering] if ordering else []), *POSITION_ORDER]
    return rows.sort(by, nulls_last=False)


def stale_reads(changes: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Snapshot reads that stand at a later position than a delete of their key which is newer: whoever
    applied changes as they come would bring the row back."""
    deleted = changes.filter(pl.col("_op") == DELETE).select(key).unique()
    read = changes.filter("_is_snapshot").join(deleted, on=key, how="semi").select(key).unique()
    concerned = changes.join(read, on=key, how="semi")
    if concerned.is_empty():
        return concerned
    placed = concerned.sort(POSITION_ORDER).with_row_index("_place")
    deleted_at = pl.when(pl.col("_op") == DELETE).then("_place").otherwise(concerned.height)
    newer = in_change_order(placed, key).with_columns(_deleted_at=deleted_at.cum_min(reverse=True).over(key))
    is_stale = pl.col("_is_snapshot") & pl.col("_lsn").is_not_null() & (pl.col("_deleted_at") < pl.col("_place"))
    return newer.filter(is_stale).select(changes.columns)
