"""Relatives: the keys that key changes connect, whose rows lend each other what was left out.

What a moved row left out stands under its old key, perhaps in another partition, perhaps not landed yet. So
whatever comes for one of these keys, all of them are derived again, together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from aura_lake.cdc.envelope import DELETE
from aura_lake.cdc.moves import family, is_moved, links, members
from aura_lake.contracts.contract import Contract
from aura_lake.delta.table import LakeTable
from aura_lake.steps.placement import marked_buckets


@dataclass(frozen=True)
class Relatives:
    """`rows`: all changes of the connected keys, fresh and standing. `keys`: these keys; `buckets`: where
    they stand."""

    rows: pl.DataFrame
    keys: pl.DataFrame
    buckets: frozenset[str]


def relatives_of(
    changes: pl.DataFrame,
    standing: pl.LazyFrame,
    history: LakeTable,
    contract: Contract,
    *,
    everything: bool = False,
    leaving: Collection[str] = (),
) -> Relatives | None:
    """The families of the fresh `changes` (`everything`: of all changes); None where there are none.

    In: `changes`: placed, with `_is_valid`; `standing`: the rows of `history` that stay; `leaving`: partitions
    that keys of `changes` leave. A table in which no row ever moved is not read.
    """
    key = list(contract.key)
    columns = [*key, "_op", "_left_out", "_epoch", "_lsn", "_bucket"]
    moves_before = standing.filter(
        pl.col("_bucket").is_in(marked_buckets(history, "_moved_lsn")) & pl.col("_moved_lsn").is_not_null()
    )
    moves = pl.concat([changes.filter(is_moved()).select(columns), moves_before.select(columns).collect()])
    if moves.is_empty():
        return None
    at = moves["_lsn"].unique().to_list()
    deletes_before = standing.filter(
        pl.col("_bucket").is_in(marked_buckets(history, "_gone_lsn", at)) & pl.col("_gone_lsn").is_in(at)
    )
    deletes = pl.concat(
        [changes.filter(pl.col("_op") == DELETE).select(columns), deletes_before.select(columns).collect()]
    )
    found = links(pl.concat([moves, deletes]), key)
    connected = members(found, key)
    keys = connected if everything else family(connected.join(changes, on=key, how="semi"), found)
    if keys.is_empty():
        return None
    marks = pl.concat([moves, deletes]).join(keys, on=key, how="semi")
    buckets = frozenset(marks["_bucket"].to_list())
    theirs = standing.filter(pl.col("_bucket").is_in([*buckets, *leaving])).join(keys.lazy(), on=key, how="semi")
    shared = [name for name in changes.columns if name in history.layout.columns]
    rows = pl.concat([changes.join(keys, on=key, how="semi").select(shared), theirs.select(shared).collect()])
    return Relatives(rows, keys, buckets)
