"""People are told: of runs that fail, and of everything else that is wrong with the lake."""

from __future__ import annotations

from dagster import (
    DefaultSensorStatus,
    RunFailureSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from aura_lake.orchestration.alerts import (
    failure_line,
    failures_of,
    look_and_tell,
    look_at_run,
    sensor_lives,
    was_mended,
)
from aura_lake.orchestration.workbench import Workbench
from aura_lake.steps.tell_people import WAIT_SECONDS, tell_people

#: A look reads the rows that wait and little else; nobody is quicker than a minute.
LOOK_EVERY_SECONDS = 60


def run_failures(bench: Workbench) -> SensorDefinition:
    """Every failed run of this code location, once."""

    @run_failure_sensor(
        name="run_failures",
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=10,
        description="Tells people of each step that failed in a run, once however often it fails.",
    )
    def hear(context: RunFailureSensorContext) -> None:
        run = context.dagster_run
        failures = failures_of(context.get_step_failure_events(), context.failure_event.message or "")
        context.log.error(failure_line(run.run_id, run.job_name, failures))
        if not was_mended(context.instance, run, failures):
            look = look_at_run(bench.lake, run.run_id, run.job_name, failures, done=())
            tell_people(bench.lake, look, wait_seconds=WAIT_SECONDS)

    return hear


def people_are_told(bench: Workbench) -> SensorDefinition:
    """A sensor that starts nothing: it looks for causes, and tells people."""

    @sensor(
        name="people_are_told",
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Looks for what is wrong with the lake, tells people once, and again when it is over.",
    )
    def look(context: SensorEvaluationContext) -> SkipReason:
        sensor_lives(bench.lake, "people_are_told", LOOK_EVERY_SECONDS)
        told = look_and_tell(bench.lake, context.instance)
        for sink, why in told.untold.items():
            context.log.error(f"{sink} was not told and will be: {why}")
        if told.is_busy:
            return SkipReason("Another process tells people just now.")
        return SkipReason(
            f"{len(told.opened)} incidents opened, {len(told.resolved)} resolved; {told.taken} actions told."
        )

    return look
