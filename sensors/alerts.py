"""A run that failed is heard: one clear line in the log, and one in a file that others can follow."""

from __future__ import annotations

from dagster import DefaultSensorStatus, RunFailureSensorContext, SensorDefinition, run_failure_sensor

from aura_lake.orchestration.alerts import failure_alert, write_alert
from aura_lake.orchestration.workbench import Workbench


def run_failures(bench: Workbench) -> SensorDefinition:
    """Every failed run of this code location, once."""

    @run_failure_sensor(
        name="run_failures",
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=10,
        description="Writes a line to alerts.jsonl in the state folder for each run that failed.",
    )
    def hear(context: RunFailureSensorContext) -> None:
        said = context.failure_event.message or ""
        alert = failure_alert(context.dagster_run, context.get_step_failure_events(), said)
        context.log.error(alert.line)
        write_alert(bench.settings, alert)

    return hear
