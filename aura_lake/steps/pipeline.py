"""All steps in order, once, without Dagster: what tests, benchmarks and a live process call.

The Dagster graph runs the same steps, an op a step.
"""

from __future__ import annotations

from aura_lake.contracts.contract import Contract
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.steps.attribute import attribute
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.load import load
from aura_lake.steps.publish import PublishReport, publish
from aura_lake.warehouse.dbt_runner import DbtGold
from aura_lake.warehouse.tables import LOADED, table_specs
from aura_lake.warehouse.warehouse import Warehouse


def bring_up_to_date(lake: Lake, warehouse: Warehouse, gold: DbtGold) -> PublishReport:
    """Land, judge, fold, attribute, load and publish everything that is new."""
    for feed in lake.shop.feeds.values():
        land(lake, feed)
    for contract in lake.shop.contracts.values():
        refresh_silver(lake, contract)
    if "orders" in lake.shop.contracts:
        attribute(lake)
    warehouse.prepare(table_specs())
    for name in LOADED:
        load(lake, warehouse, name)
    return publish(lake, warehouse, gold, held={})


def refresh_silver(lake: Lake, contract: Contract) -> None:
    """Judge a table's new batches and fold what they changed."""
    judge(lake, contract)
    if is_folded(contract):
        fold(lake, contract)
