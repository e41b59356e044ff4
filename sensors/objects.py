"""New objects start a run: the feeds that have some, and everything made from them.

What is new is asked of bronze each time. A run that failed leaves its objects new, so the next look starts
another; nothing is remembered here, and there is no run key to be remembered for ever.
"""

from __future__ import annotations

from dagster import (
    AssetSelection,
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from aura_lake.errors import AuraError
from aura_lake.orchestration.bronze import RECENT_ONLY
from aura_lake.orchestration.describe import bronze_key
from aura_lake.orchestration.instance import runs_in_progress
from aura_lake.orchestration.jobs import EVERYTHING
from aura_lake.orchestration.news import FeedNews, look_at_feed
from aura_lake.orchestration.workbench import Workbench

#: Looking more often gains nothing: the daemon's own loop takes five seconds.
LOOK_EVERY_SECONDS = 30


def new_objects(bench: Workbench) -> SensorDefinition:
    """One sensor for all feeds, so that objects of several feeds share a run."""

    @sensor(
        name="new_objects",
        job_name=EVERYTHING,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Looks at the feeds' recent prefixes and starts what new objects need.",
    )
    def look(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        busy = runs_in_progress(context.instance)
        if busy:
            return SkipReason(f"Run {busy[0].run_id[:8]} ({busy[0].job_name}) is in progress; looking again after it.")
        seen: list[FeedNews] = []
        unreadable: list[AuraError] = []
        for feed in bench.shop.feeds.values():
            try:
                seen.append(look_at_feed(bench.lake, feed))
            except AuraError as error:
                context.log.error(f"{feed.name}: {error}")
                unreadable.append(error)
        fresh = [news for news in seen if news.fresh]
        if not fresh and unreadable:
            # Other feeds go first; with nothing else to do the tick fails, and says how to mend it.
            raise unreadable[0]
        waiting, skipped = sum(news.waiting for news in seen), sum(news.skipped for news in seen)
        if not fresh:
            return SkipReason(f"Nothing new in {len(seen)} feeds; {waiting} objects wait, {skipped} are skipped.")
        says = ", ".join(f"{news.fresh} in {news.feed}" for news in fresh)
        context.log.info(f"new objects: {says}; {waiting} wait, {skipped} are skipped")
        below = AssetSelection.assets(*(bronze_key(news.feed) for news in fresh)).downstream()
        repository = context.repository_def
        assert repository is not None  # the daemon always gives it
        return RunRequest(asset_selection=sorted(below.resolve(repository.asset_graph)), tags=RECENT_ONLY)

    return look
