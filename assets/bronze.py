"""Bronze: every feed of the shop, also one that no table reads yet."""

from __future__ import annotations

from dagster import AssetsDefinition

from aura_lake.orchestration.bronze import feed_asset
from aura_lake.orchestration.workbench import Workbench


def bronze_assets(bench: Workbench) -> list[AssetsDefinition]:
    """`bronze/<feed>` for each feed."""
    return [feed_asset(bench.settings, bench.shop, feed) for feed in bench.shop.feeds.values()]
