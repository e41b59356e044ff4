"""Discovery: what stands beside the feeds and in no contract."""

from __future__ import annotations

from dagster import AssetsDefinition

from aura_lake.orchestration.discovery import discovery_asset
from aura_lake.orchestration.workbench import Workbench


def discovery_assets(bench: Workbench) -> list[AssetsDefinition]:
    """`discovery/found`."""
    return [discovery_asset(bench.settings, bench.shop)]
