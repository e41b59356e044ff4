"""Load: the keys that silver changed enter the warehouse, exactly once.

The warehouse keeps its own watermark on each table, in the transaction that replaces the rows of the
touched keys. A table whose publication is held is not loaded, and stays at its last good batch.
"""

from __future__ import annotations

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import ATTRIBUTION, LOG, REWRITTEN
from aura_lake.lake import Lake
from aura_lake.layouts import TOUCHPOINTS
from aura_lake.steps.attribute import with_columns
from aura_lake.steps.fold import versions
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
        goal, rows, touched = _touchpoints(lake, read_to)
    else:
        goal, rows, touched = _folded(lake, lake.contract(source_tables(name)[0]), name, read_to)
    if goal <= read_to:
        return None
    rows = with_columns(rows, columns_of(name))
    if read_to != NEVER:
        rows = rows.join(touched.lazy(), on=list(LOADED[name]), how="semi")
    table = rows.collect()
    if read_to == NEVER:
        touched = touched.clear()
    return warehouse.load(spec, table.to_arrow(), touched.to_arrow(), read_to, goal)


def _was_rewritten(lake: Lake, contract: Contract, read_to: int) -> bool:
    """Whether log and state were rebuilt since the warehouse read them."""
    return NEVER < read_to < lake.log(contract).watermark(REWRITTEN) <= lake.current(contract).watermark(LOG)


def _folded(lake: Lake, contract: Contract, name: str, read_to: int) -> tuple[int, pl.LazyFrame, pl.DataFrame]:
    """(batch the state stands at, its rows, keys that changed since `read_to`)."""
    current, history = lake.current(contract), lake.history(contract)
    goal = current.watermark(LOG)
    columns = list(columns_of(source_tables(name)[0]))
    there = [column for column in columns if column in history.layout.columns]
    rows = versions(history, there) if name.endswith("_history") else current.scan().select(there)
    return goal, rows, _touched_keys(lake.log(contract), history, contract, read_to, goal)


def _touched_keys(log: LakeTable, history: LakeTable, contract: Contract, read_to: int, goal: int) -> pl.DataFrame:
    """The keys of the log rows in (read_to, goal]; every key there is where a truncate is among them."""
    key = list(contract.key)
    if goal <= read_to:
        return pl.DataFrame(schema={name: pl.String() for name in key})
    fresh = log.scan().filter(
        pl.col("log_batch").is_between(read_to + 1, goal)
        & (pl.col("outcome").is_in(["valid", "truncate"]) | (pl.col("judgement") > 0))
    )
    narrow = fresh.select(*key, "outcome").collect()
    if (narrow["outcome"] == "truncate").any():
        standing = history.scan().select(key).unique().collect()
        return pl.concat([narrow.select(key), standing]).drop_nulls().unique()
    return narrow.select(key).drop_nulls().unique()


def _touchpoints(lake: Lake, read_to: int) -> tuple[int, pl.LazyFrame, pl.DataFrame]:
    table = lake.touchpoints()
    fresh = table.scan().filter(pl.col("attribution_batch") > read_to)
    touched = fresh.select("order_id").unique().collect()
    rows = table.scan().filter(pl.col("_state") == "current").select(n for n in TOUCHPOINTS.columns if n[0] != "_")
    return table.watermark(ATTRIBUTION), rows, touched
