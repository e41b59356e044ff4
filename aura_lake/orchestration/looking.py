"""What a sensor does: look at feeds, and start what their news needs.

What is new is asked of bronze each time. A run that failed leaves it new, so the next look starts another;
nothing is remembered, and there is no run key to be remembered for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dagster import AssetSelection, RunRequest, SensorEvaluationContext, SkipReason

from aura_lake.contracts.contract import Feed
from aura_lake.errors import AuraError
from aura_lake.orchestration.bronze import RECENT_ONLY
from aura_lake.orchestration.describe import bronze_key
from aura_lake.orchestration.instance import runs_in_progress
from aura_lake.orchestration.news import FeedNews, look_at_feed
from aura_lake.orchestration.workbench import Workbench
from aura_lake.steps.hints import Hinted, Hints


def run_for_news(
    context: SensorEvaluationContext, bench: Workbench, feeds: Sequence[Feed], what: str
) -> RunRequest | SkipReason:
    """A run of the feeds that have something new, and of everything made from them; or why there is none.

    `what` names what is counted, `objects` or `messages`. Raises the first error of a feed that cannot be looked
    at, where no other has news.
    """
    busy = runs_in_progress(context.instance)
    if busy:
        return SkipReason(f"Run {busy[0].run_id[:8]} ({busy[0].job_name}) is in progress; looking again after it.")
    seen: list[FeedNews] = []
    unreadable: list[AuraError] = []
    for feed in feeds:
        try:
            seen.append(look_at_feed(bench.lake, feed))
        except AuraError as error:
            context.log.error(f"{feed.name}: {error}")
            unreadable.append(error)
    hints = Hints(bench.lake, feeds)
    hinted = Hinted()
    try:
        hinted = hints.look()
    except AuraError as error:
        context.log.error(f"notifications: {error}")
        unreadable.append(error)
    for trouble in hinted.trouble.values():
        context.log.error(trouble)  # the listing goes on without it
    # The listing looks at recent prefixes; a queue also names what came late into an old one.
    seen = [replace(n, fresh=max(n.fresh, hinted.fresh[n.feed])) for n in seen]
    fresh = [news for news in seen if news.fresh]
    if not fresh and unreadable:
        # Other feeds go first; with nothing else to do the tick fails, and says how to mend it.
        raise unreadable[0]
    state = f"{sum(n.waiting for n in seen)} wait, {sum(n.skipped for n in seen)} are skipped"
    if hints.has_queues:
        state += f"; queues: {hinted}"
    stopped = sum(news.stopped for news in seen)
    if stopped:
        context.log.error(f"{stopped} partitions cannot be read on; the check of their feed says why.")
        state += f", {stopped} partitions are stopped"
    if not fresh:
        return SkipReason(f"No new {what} in {len(seen)} feeds; {state}.")
    context.log.info(f"new {what}: {', '.join(f'{n.fresh} in {n.feed}' for n in fresh)}; {state}")
    below = AssetSelection.assets(*(bronze_key(news.feed) for news in fresh)).downstream()
    repository = context.repository_def
    assert repository is not None  # the daemon always gives it
    return RunRequest(asset_selection=sorted(below.resolve(repository.asset_graph)), tags=RECENT_ONLY)
