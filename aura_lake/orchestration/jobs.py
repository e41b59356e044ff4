"""The jobs: everything at once, its two halves, and upkeep. One process each, step after step."""

from __future__ import annotations

from dagster import AssetSelection, define_asset_job, in_process_executor
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

EVERYTHING, LOAD, BATCH, UPKEEP, DISCOVER = "everything", "load", "batch", "upkeep", "discover"


def asset_jobs() -> list[UnresolvedAssetJobDefinition]:
    """`everything` from record to gold; `load` to silver; `batch` from silver to gold; `discover` beside them."""
    layers = {
        EVERYTHING: (
            AssetSelection.all() - AssetSelection.groups("discovery"),
            "All that is new, from the feeds to gold.",
        ),
        LOAD: (AssetSelection.groups("bronze", "silver"), "What is new in the feeds, to silver."),
        BATCH: (AssetSelection.groups("gold"), "What is new in silver, to gold."),
        DISCOVER: (AssetSelection.groups("discovery"), "What no contract names: landed raw, drafted, waiting."),
    }
    return [
        define_asset_job(name, selection=selection, description=says, executor_def=in_process_executor)
        for name, (selection, says) in layers.items()
    ]
