"""Load: the keys that silver changed enter the warehouse, exactly once.

The warehouse keeps its own watermark on each table, in the transaction that replaces the rows of the
touched keys. A table whose publication is held is not loaded, and stays at its last good batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import ATTRIBUTION, LOG, REWRITTEN
from aura_lake.lake import Lake
from aura_lake.layouts import TOUCHPOINTS
from aura_lake.steps.attribute import with_columns
from aura_lake.steps.fold import versions_in
from aura_lake.steps.placement import UNKNOWN_PERIOD, buckets_of, find_partitions
from aura_lake.warehouse.tables import LOADED, columns_of, source_tables
from aura_lake.warehouse.warehouse import NEVER, LoadReport, TableSpec, Warehouse


def load(lake: Lake, warehouse: Warehouse, name: str) -> LoadReport | None:
    """Bring one warehouse table up to its silver table; None where there is nothing new or no such table
    in the shop."""
    if source_tables(name)[0] not in lake.shop.contracts:
        return None
    spec = TableSpec.from_polars(name, pl.Schema(columns_of(name)), LOADED[name])
    read_to = warehouse.watermark(name)
    if name != "order_touchpoints" and _was_rewritten(lake, lake.contract(source_tables(name)[0]), read_to):
        warehouse.reset(spec)  # rows may have gone without a trace in the log
        read_to = NEVER
    if name == "order_touchpoints":
        fresh = _touchpoints(lake, read_to)
    else:
        fresh = _folded(lake, lake.contract(source_tables(name)[0]), name, read_to)
    if fresh.goal <= read_to:
        return None
    table = with_columns(fresh.rows, columns_of(name)).collect()
    touched = fresh.touched.clear() if read_to == NEVER else fresh.touched
    return warehouse.load(spec, table.to_arrow(), touched.to_arrow(), read_to, fresh.goal)


@dataclass(frozen=True)
class _Fresh:
    """The batch a silver table stands at, the keys that changed since the warehouse read it, and the rows these
    keys have now; all rows where it never did."""

    goal: int
    rows: pl.LazyFrame
    touched: pl.DataFrame


def _was_rewritten(lake: Lake, contract: Contract, read_to: int) -> bool:
    """Whether log and state were rebuilt since the warehouse read them."""
    return NEVER < read_to < lake.log(contract).watermark(REWRITTEN) <= lake.current(contract).watermark(LOG)


def _folded(lake: Lake, contract: Contract, name: str, read_to: int) -> _Fresh:
    key = list(contract.key)
    current, history = lake.current(contract), lake.history(contract)
    goal = current.watermark(LOG)
    columns = list(columns_of(source_tables(name)[0]))
    there = [column for column in columns if column in history.layout.columns]
    is_history = name.endswith("_history")
    if read_to == NEVER or goal <= read_to:
        rows = versions_in(history.scan(), there) if is_history else current.scan().select(there)
        return _Fresh(goal, rows, pl.DataFrame(schema=dict.fromkeys(key, pl.String())))
    changes = _changes(lake.log(contract), contract, read_to, goal)
    if (changes["outcome"] == "truncate").any():
        standing = history.scan().select(key).unique().collect()
        touched = pl.concat([changes.select(key), standing]).drop_nulls().unique()
        state = history.scan() if is_history else current.scan()
    else:
        changes = changes.drop_nulls(key)
        touched = changes.select(key).unique()
        state = _partitions(history if is_history else current, history, changes, contract)
    rows = versions_in(state, there) if is_history else state.select(there)
    return _Fresh(goal, _rows_of(rows, touched, key), touched)


def _changes(log: LakeTable, contract: Contract, read_to: int, goal: int) -> pl.DataFrame:
    """Key, outcome and creation time of the log rows in (read_to, goal] that changed something."""
    fresh = log.scan().filter(
        pl.col("log_batch").is_between(read_to + 1, goal)
        & (pl.col("outcome").is_in(["valid", "truncate"]) | (pl.col("judgement") > 0))
    )
    period = [contract.period] if contract.period else []
    return fresh.select(list(dict.fromkeys([*contract.key, "outcome", *period]))).collect()


def _partitions(state: LakeTable, history: LakeTable, changes: pl.DataFrame, contract: Contract) -> pl.LazyFrame:
    """The partitions of a state in which the changed keys stand, so that a large table is not read for a few rows.

    Most stand where their changes tell. A delete tells no creation time: keys that are not there are looked for
    everywhere. The history is asked, which knows deleted keys too; both have a key in the same partition.
    """
    key = list(contract.key)
    near = pl.col("_bucket").is_in(buckets_of(changes, contract).unique().append(pl.Series([UNKNOWN_PERIOD])).implode())
    if not contract.period:
        return state.scan().filter(near)
    keys = changes.select(key).unique()
    places = history.scan().filter(near).select(*key, "_bucket")
    found = places.join(keys.lazy(), on=key, how="semi").unique().collect()
    found = pl.concat([found, find_partitions(history, keys.join(found, on=key, how="anti"))])
    return state.scan().filter(pl.col("_bucket").is_in(found["_bucket"].unique().implode()))


def _rows_of(rows: pl.LazyFrame, touched: pl.DataFrame, key: list[str]) -> pl.LazyFrame:
    """The rows of these keys. The first column of the key is filtered for before the others are decoded."""
    first = touched[key[0]].unique()
    return rows.filter(pl.col(key[0]).is_in(first.implode())).join(touched.lazy(), on=key, how="semi")


def _touchpoints(lake: Lake, read_to: int) -> _Fresh:
    table = lake.touchpoints()
    fresh = table.scan().filter(pl.col("attribution_batch") > read_to)
    touched = fresh.select("order_id").unique().collect()
    rows = table.scan().filter(pl.col("_state") == "current").select(n for n in TOUCHPOINTS.columns if n[0] != "_")
    if read_to != NEVER:
        rows = _rows_of(rows, touched, ["order_id"])
    return _Fresh(table.watermark(ATTRIBUTION), rows, touched)
