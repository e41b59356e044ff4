"""Lenders: the further positions at which a change was delivered, for the reads that borrow an LSN from it.

A read without an LSN takes the highest one at a lower position of its lane. A change that was delivered at
several positions lends from each of them, whichever copy came first and is the valid one: otherwise the
order of arrival would decide what the read takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from aura_lake.cdc.envelope import TRUNCATE
from aura_lake.contracts.contract import Contract, Kind
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.delta.table import LakeTable
from aura_lake.steps.placement import marked_buckets


@dataclass(frozen=True)
class Lenders:
    """`rows`: key, position, `_epoch` and `_lsn` of every copy that may lend. `keys`: those for which a copy
    came now, so that they are derived again; `buckets`: where these stand."""

    rows: pl.DataFrame
    keys: pl.DataFrame
    buckets: frozenset[str]


def lenders_of(
    changes: pl.DataFrame, log: LakeTable, history: LakeTable, contract: Contract, read_to: int, last: int
) -> Lenders | None:
    """The copies in the log's commits up to `last` that lend to reads among `changes` (placed) or in the
    history; None where there are none. A table without such reads is not read for them."""
    if contract.kind is not Kind.CDC:
        return None
    key = list(contract.key)
    fresh = changes.filter(pl.col("_lsn").is_null()).select(*key, "_bucket")
    marked = marked_buckets(history, "_without_lsn") if read_to >= 0 else []
    if fresh.is_empty() and not marked:
        return None
    again = standing_rows(log, ["set_aside"]).filter((pl.col("verdict") == "duplicate") & (pl.col("log_batch") <= last))
    copies = again.select(*key, *UNIT, "_op", "_epoch", "_lsn", "log_batch").collect()
    if copies.is_empty():
        return None
    borrows = pl.col("_bucket").is_in(marked) & pl.col("_without_lsn").is_not_null()
    standing = history.scan().filter(borrows).select(*key, "_bucket").collect()
    borrowers = pl.concat([fresh, standing]).unique()
    of_keys = copies.filter(pl.col("_op") != TRUNCATE).join(borrowers.select(key), on=key, how="semi")
    of_all = copies.filter(pl.col("_op") == TRUNCATE).drop(key)
    lenders = pl.concat([of_keys, borrowers.select(key).unique().join(of_all, how="cross").select(of_keys.columns)])
    keys = lenders.filter(pl.col("log_batch") > read_to).select(key).unique()
    buckets = frozenset(borrowers.join(keys, on=key, how="semi")["_bucket"].to_list())
    return Lenders(lenders.select(*key, *UNIT, "_epoch", "_lsn"), keys, buckets)
