"""What an op that makes several assets reports: each of them, chosen for this run or not.

A step always brings all its tables up to date. Where a person chose one of them, the others' events are
logged beside it, so that Dagster never shows an older state than the tables have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dagster import AssetExecutionContext, AssetKey, AssetMaterialization, MaterializeResult


def report(
    context: AssetExecutionContext, metadata: Mapping[AssetKey, Mapping[str, Any]]
) -> Iterator[MaterializeResult[Any]]:
    """One result for each asset of the run's selection; the others as events."""
    chosen: Collection[AssetKey] = context.selected_asset_keys
    for key, facts in metadata.items():
        if key in chosen:
            yield MaterializeResult(asset_key=key, metadata=facts)
        else:
            context.log_event(AssetMaterialization(asset_key=key, metadata=facts))
