"""The order of the changes of one key, whatever the order in which they arrived.

Row locks make the LSN order of a key its commit order (across keys the LSN means nothing). A snapshot
read sorts before a streamed change of the same LSN. An incremental-snapshot read has no LSN: it saw
the row after every change at a lower position of its lane, so it borrows the highest LSN of its key
there, and sorts after the change it borrowed it from.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aura_lake.layouts import POSITION

#: Position in a lane: topics by partition and offset, files by object, version and record.
POSITION_ORDER = (*POSITION, "part")

#: Sort rank of a snapshot read, a streamed change, and a change that borrowed its LSN.
SNAPSHOT, STREAMED, BORROWED = 0, 1, 2


def in_change_order(changes: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """`changes` sorted by key and then oldest first.

    In: `_epoch`, `_lsn` (null: none), `_is_snapshot`, the position columns and the key. The result
    does not depend on the order of the input.
    """
    lane = [*key, "topic", "partition"]
    borrowed = pl.coalesce("_lsn", pl.col("_lsn").fill_null(-1).cum_max().over(lane))
    rank = (
        pl.when(pl.col("_lsn").is_null())
        .then(BORROWED)
        .when(pl.col("_is_snapshot"))
        .then(SNAPSHOT)
        .otherwise(STREAMED)
    )
    placed = changes.sort([*key, *POSITION_ORDER]).with_columns(_order_lsn=borrowed, _order_rank=rank)
    ordered = placed.sort([*key, "_epoch", "_order_lsn", "_order_rank", *POSITION_ORDER])
    return ordered.drop("_order_lsn", "_order_rank")


def in_row_order(rows: pl.DataFrame, key: Sequence[str], ordering: str | None) -> pl.DataFrame:
    """`rows` sorted by key and then by the ordering column (null first), else by position alone."""
    by = [*key, *([ordering] if ordering else []), *POSITION_ORDER]
    return rows.sort(by, nulls_last=False)
