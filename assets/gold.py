"""Gold: every model of the dbt project that people see, its tests as checks."""

from __future__ import annotations

from dagster import AssetsDefinition

from aura_lake.orchestration.gold import gold_assets as build_gold_assets
from aura_lake.orchestration.workbench import Workbench


def gold_assets(bench: Workbench) -> list[AssetsDefinition]:
    """`gold/<model>`, all made by one op."""
    return [build_gold_assets(bench)]
