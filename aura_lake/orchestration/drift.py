"""The look for drift in the graph: one op after judging, one check a feed."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    multi_asset_check,
)

from aura_lake.contracts.contract import Shop
from aura_lake.orchestration import describe
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.steps.drift import detect_drift
from aura_lake.steps.drift_kept import Drift, rows_waiting

#: The check of every feed that a contract reads.
AS_KNOWN = "its_fields_are_those_that_contracts_know"


def drift_checks(shop: Shop) -> AssetChecksDefinition | None:
    """One op that looks at every feed with news, after all tables have judged it; None where no contract reads any."""
    feeds = sorted({contract.feed for contract in shop.contracts.values()})
    if not feeds:
        return None
    specs = [
        AssetCheckSpec(
            AS_KNOWN,
            asset=describe.bronze_key(feed),
            description="No field was renamed, moved, retyped, swapped, added or dropped without a decision.",
            additional_deps=[describe.silver_key(f"{contract.table}_log") for contract in shop.readers(feed)],
        )
        for feed in feeds
    ]

    @multi_asset_check(name="drift", specs=specs, can_subset=True, required_resource_keys={BENCH})
    def look_for_drift(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, "look for drift") as voice:
            report = detect_drift(bench.renew().lake)
            for feed, why in report.away.items():
                voice.say("waiting", f"{feed} is looked at next time: {why}")
            voice.done(report.says, feeds=len(report.looked_at), seconds=round(report.seconds, 2))
        for check in context.selected_asset_check_keys:
            mine = [drift for drift in report.open if drift.finding.feed == check.asset_key.path[-1]]
            yield AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=not mine,
                severity=AssetCheckSeverity.WARN,
                description=_says(mine),
                metadata={"open": len(mine), "rows_waiting": rows_waiting(mine), "findings": [d.id for d in mine]},
            )

    return look_for_drift


def _says(found: Sequence[Drift]) -> str:
    if not found:
        return "No field drifted that nobody decided on."
    told = " ".join(f"{drift.id}: {drift.finding.says}" for drift in found[:5])
    return f"{told} aura drift show {found[0].id}"
