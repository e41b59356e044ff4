"""Lanes that have messages and that nobody of ours reads.

Somebody else's client may have joined our consumer group, and then it is given lanes that we read no more; a
process of ours may hang and keep its lanes. Whoever notices lands them: two that land the same do no harm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from aura_lake.contracts.contract import Feed
from aura_lake.lake import Lake
from aura_lake.outside.kafka import TopicReader
from aura_lake.outside.topic_chunk import Lane
from aura_lake.steps.land_report import LandReport
from aura_lake.steps.land_topics import land_topics, plan_lanes


class UnreadLanes:
    """Looks again and again; a lane counts as unread when it waits and has not moved since the last look."""

    def __init__(self, lake: Lake, feeds: Iterable[Feed]) -> None:
        self._lake, self._feeds = lake, list(feeds)
        self._waited: dict[tuple[str, Lane], int] = {}

    def land(self, ours: Collection[Lane]) -> Iterator[LandReport]:
        """Land the unread lanes that are not `ours`."""
        waiting: dict[tuple[str, Lane], int] = {}
        for feed in self._feeds:
            with TopicReader(feed, self._lake.settings.environ) as reader:
                plan = plan_lanes(self._lake, feed, self._lake.bronze(feed.name), reader)
            stuck = []
            for lane, (start, end) in plan.ranges.items():
                if lane in ours or start >= end:
                    continue
                waiting[feed.name, lane] = start
                if self._waited.get((feed.name, lane)) == start:
                    stuck.append(lane)
            if stuck:
                yield land_topics(self._lake, feed, only=stuck)
        self._waited = waiting
