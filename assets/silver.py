"""Silver: every table of the shop with its log, history and quarantine, and the credit of each order."""

from __future__ import annotations

from dagster import AssetChecksDefinition, AssetsDefinition

from aura_lake.orchestration.drift import drift_checks
from aura_lake.orchestration.rule_checks import table_rule_checks
from aura_lake.orchestration.silver import silver_table
from aura_lake.orchestration.touchpoints import touchpoint_assets
from aura_lake.orchestration.workbench import Workbench


def silver_assets(bench: Workbench) -> list[AssetsDefinition]:
    """`silver/<table>…` for each contract, and `silver/order_touchpoints` where there are orders."""
    tables = [silver_table(bench.settings, bench.shop, contract) for contract in bench.shop.contracts.values()]
    credit = touchpoint_assets(bench.settings, bench.shop)
    return [*tables, credit] if credit else tables


def silver_checks(bench: Workbench) -> list[AssetChecksDefinition]:
    """The table rules of each contract, and the look for drift; row rules are checks of the table's own op."""
    checks = [table_rule_checks(bench.shop, contract) for contract in bench.shop.contracts.values()]
    return [check for check in (*checks, drift_checks(bench.shop)) if check is not None]
