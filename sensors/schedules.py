"""What runs by the clock, in the shop's own time zone."""

from __future__ import annotations

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from aura_lake.orchestration.bronze import RECENT_ONLY
from aura_lake.orchestration.instance import runs_in_progress
from aura_lake.orchestration.jobs import BATCH, LOAD, UPKEEP
from aura_lake.orchestration.news import unpublished_tables
from aura_lake.orchestration.workbench import Workbench

RUNNING = DefaultScheduleStatus.RUNNING


def schedules(bench: Workbench) -> list[ScheduleDefinition]:
    """Load every hour, publish every three hours where something came, look at everything and tidy up at night."""
    zone = bench.shop.time_zone
    hourly = ScheduleDefinition(
        name="hourly_load",
        job_name=LOAD,
        cron_schedule="0 * * * *",
        execution_timezone=zone,
        tags=RECENT_ONLY,
        default_status=RUNNING,
        description="Lands what is new under the feeds' recent prefixes, judges and folds it.",
    )
    nightly_listing = ScheduleDefinition(
        name="nightly_listing",
        job_name=LOAD,
        cron_schedule="30 1 * * *",
        execution_timezone=zone,
        default_status=RUNNING,
        description="The same over whole feeds, for late objects under old prefixes.",
    )
    nightly_upkeep = ScheduleDefinition(
        name="nightly_upkeep",
        job_name=UPKEEP,
        cron_schedule="30 3 * * *",
        execution_timezone=zone,
        default_status=RUNNING,
        description="Compacts, vacuums and checkpoints the tables; forgets old runs.",
    )

    @schedule(
        name="three_hourly_batch",
        job_name=BATCH,
        cron_schedule="20 */3 * * *",
        execution_timezone=zone,
        default_status=RUNNING,
        description="Builds, tests and publishes gold, only after new data is in.",
    )
    def three_hourly_batch(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        busy = runs_in_progress(context.instance)
        if busy:
            return SkipReason(
                f"Run {busy[0].run_id[:8]} ({busy[0].job_name}) is in progress; next time what it brings."
            )
        grown = unpublished_tables(bench.lake)
        if not grown:
            return SkipReason("No silver table has grown since gold was published, or those that have are held back.")
        context.log.info(f"new data in {', '.join(grown)}")
        return RunRequest()

    return [hourly, three_hourly_batch, nightly_listing, nightly_upkeep]
