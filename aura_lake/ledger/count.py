"""Count: every record of every feed against what became of it, from the tables alone.

Nothing here trusts a number written on the way: records are counted in bronze, verdicts in the log, rows
in state and warehouse, money in silver and gold.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.decisions import ACCEPT_GAP, decisions
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.ledger.bronze import count_feed
from aura_lake.ledger.equation import Equation, Ledger, TableLine
from aura_lake.ledger.money import count_money
from aura_lake.ledger.state import count_state
from aura_lake.ledger.topics import Gap
from aura_lake.ledger.units import UnitCount, blocked_units

if TYPE_CHECKING:
    from aura_lake.warehouse.warehouse import Warehouse


def count(lake: Lake, warehouse: Warehouse | None = None) -> Ledger:
    """The ledger of the whole shop, recounted; with a warehouse, its rows too.

    Reads bronze's positions, the logs' verdicts and the keys of the state; memory stays bounded by a few
    columns of one table. Writes nothing.
    """
    gaps: dict[str, list[Gap]] = {}
    for decision in decisions(lake, ACCEPT_GAP):
        facts = decision.facts
        gaps.setdefault(facts["feed"], []).append((facts["lane"], facts["from"], facts["to"]))
    feeds = [count_feed(name, lake.bronze(name), gaps.get(name, ())) for name in sorted(lake.shop.feeds)]
    tables = [_count_table(lake, contract, warehouse) for _, contract in sorted(lake.shop.contracts.items())]
    return Ledger(
        shop=lake.shop.id,
        home=lake.settings.home,
        counted_at=datetime.now(UTC),
        feeds=tuple(feeds),
        tables=tuple(tables),
        money=tuple(count_money(lake)),
    )


def _count_table(lake: Lake, contract: Contract, warehouse: Warehouse | None) -> TableLine:
    bronze, log = lake.bronze(contract.feed), lake.log(contract)
    units = UnitCount(lake, contract, bronze, log)
    landed = bronze.watermark("lane/files")
    equations = []
    if is_folded(contract) and log.exists:
        equations = count_state(contract, log, lake.history(contract), lake.current(contract))
        if warehouse is not None:
            equations += _count_warehouse(lake, contract, warehouse)
    return TableLine(
        table=contract.table,
        feed=contract.feed,
        kind=contract.kind.value,
        watermark=units.watermark,
        waiting_batches=landed - units.watermark,
        waiting_records=units.waiting_records(),
        blocked=blocked_units(log, contract),
        batches=units.lines(),
        equations=tuple(equations),
    )


def _count_warehouse(lake: Lake, contract: Contract, warehouse: Warehouse) -> list[Equation]:
    """Rows of the warehouse against rows of silver, where both stand at the same batch."""
    current, history = lake.current(contract), lake.history(contract)
    sides = {contract.table: current.scan(), f"{contract.table}_history": history.scan().filter("_is_version")}
    equations = []
    for name, rows in sides.items():
        loaded_to = warehouse.watermark(name)
        if loaded_to < 0 or loaded_to != current.watermark("log"):
            continue  # not a table of the warehouse, or a load waits
        silver = int(rows.select(pl.len()).collect().item())
        loaded = warehouse.row_count(f"silver.{name}")
        equations.append(Equation(f"silver.{name} = warehouse silver.{name}", silver, loaded))
    return equations
