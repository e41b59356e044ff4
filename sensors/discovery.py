"""New topics and prefixes are noticed without anybody asking; `discovery` in shop.yaml switches it off."""

from __future__ import annotations

from dagster import DefaultSensorStatus, RunRequest, SensorDefinition, SensorEvaluationContext, SkipReason, sensor

from aura_lake.orchestration.discovery import run_for_found
from aura_lake.orchestration.jobs import DISCOVER
from aura_lake.orchestration.workbench import Workbench

#: New feeds come by the week; their records may wait some minutes.
LOOK_EVERY_SECONDS = 300


def unnamed_places(bench: Workbench) -> SensorDefinition:
    """One sensor for topics and prefixes."""
    is_on = bench.shop.discovery.is_on

    @sensor(
        name="unnamed_places",
        job_name=DISCOVER,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING if is_on else DefaultSensorStatus.STOPPED,
        description="Looks for topics and prefixes that no contract names, and starts what lands and drafts them.",
    )
    def look(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        return run_for_found(context, bench)

    return look
