"""New objects start a run: the feeds that have some, and everything made from them."""

from __future__ import annotations

from dagster import DefaultSensorStatus, RunRequest, SensorDefinition, SensorEvaluationContext, SkipReason, sensor

from aura_lake.orchestration.alerts import sensor_lives
from aura_lake.orchestration.jobs import EVERYTHING
from aura_lake.orchestration.looking import run_for_news
from aura_lake.orchestration.workbench import Workbench

#: Looking more often gains nothing: the daemon's own loop takes five seconds.
LOOK_EVERY_SECONDS = 30


def new_objects(bench: Workbench) -> SensorDefinition:
    """One sensor for all feeds of objects, so that objects of several feeds share a run."""
    feeds = [feed for feed in bench.shop.feeds.values() if not feed.is_topics]

    @sensor(
        name="new_objects",
        job_name=EVERYTHING,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Looks at the feeds' recent prefixes and starts what new objects need.",
    )
    def look(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        sensor_lives(bench.lake, "new_objects", LOOK_EVERY_SECONDS)
        return run_for_news(context, bench, feeds, "objects")

    return look
