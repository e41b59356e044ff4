"""Messages that wait in topics start a run that catches up: the feeds that lag, and everything made from them.

For seconds instead of half a minute, `aura stream` follows the topics; while it runs, this sensor rests.
"""

from __future__ import annotations

from dagster import DefaultSensorStatus, RunRequest, SensorDefinition, SensorEvaluationContext, SkipReason, sensor

from aura_lake.orchestration.alerts import sensor_lives
from aura_lake.orchestration.jobs import EVERYTHING
from aura_lake.orchestration.looking import run_for_news
from aura_lake.orchestration.workbench import Workbench

#: Looking more often gains nothing: a run of the whole graph takes longer.
LOOK_EVERY_SECONDS = 15


def topic_lag(bench: Workbench) -> SensorDefinition:
    """One sensor for all feeds of topics, so that they share a run."""
    feeds = [feed for feed in bench.shop.feeds.values() if feed.is_topics]

    @sensor(
        name="topic_lag",
        job_name=EVERYTHING,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Compares the topics' ends with what bronze holds, and starts a run that catches up.",
    )
    def look(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        sensor_lives(bench.lake, "topic_lag", LOOK_EVERY_SECONDS)
        return run_for_news(context, bench, feeds, "messages")

    return look
