"""What is new, asked of the tables themselves: no cursor and no run key is a second truth."""

from __future__ import annotations

from dataclasses import dataclass

from aura_lake.contracts.contract import Feed
from aura_lake.delta.documents import read_document
from aura_lake.lake import Lake
from aura_lake.outside.kafka import TopicReader
from aura_lake.outside.objects import ListingScope
from aura_lake.outside.records import store_for
from aura_lake.outside.s3_environment import s3_settings
from aura_lake.steps.blocks import blocked_tables
from aura_lake.steps.land import new_objects
from aura_lake.steps.land_topics import plan_lanes
from aura_lake.steps.publish import MANIFEST


@dataclass(frozen=True)
class FeedNews:
    """Objects, or messages of topics, that bronze does not have; names that wait, and that are skipped; lanes of
    topics that stop."""

    feed: str
    fresh: int
    waiting: int
    skipped: int
    stopped: int = 0


def look_at_feed(lake: Lake, feed: Feed, scope: ListingScope = ListingScope.RECENT) -> FeedNews:
    """Compare a feed with its bronze table. Raises FeedError where the feed may not be listed, FeedUnavailable
    where brokers do not answer."""
    if feed.is_topics:
        with TopicReader(feed, lake.settings.environ) as reader:
            plan = plan_lanes(lake, feed, lake.bronze(feed.name), reader)
        return FeedNews(feed.name, plan.lag, len(plan.waiting), 0, len(plan.stopped))
    listing = store_for(feed, s3_settings(lake.settings.environ)).list(scope)
    fresh = new_objects(lake.bronze(feed.name), listing)
    return FeedNews(feed.name, len(fresh), len(listing.waiting), len(listing.skipped))


def unpublished_tables(lake: Lake) -> list[str]:
    """Silver tables that have more than the published manifest names and are not held back."""
    pinned = (read_document(lake, MANIFEST) or {}).get("tables", {})
    grown = []
    for name, contract in lake.shop.contracts.items():
        log = lake.log(contract)
        if log.exists and pinned.get(f"silver.{name}_log") != log.version:
            grown.append(name)
    held = blocked_tables(lake) if grown else {}
    return [name for name in grown if name not in held]
