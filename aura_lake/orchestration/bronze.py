"""How a feed becomes an asset: one op that lands what is new and reports what came."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    asset,
)

from aura_lake.contracts.contract import Feed, Shop
from aura_lake.delta.table import LakeTable
from aura_lake.lake import Lake
from aura_lake.orchestration import describe
from aura_lake.orchestration.telling import Telling, telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.outside.objects import ListingScope
from aura_lake.settings import Settings
from aura_lake.steps.hints import Hints
from aura_lake.steps.land import land, object_rows
from aura_lake.steps.land_report import LandReport

#: Tag of a run that only looks at the feeds' newest prefixes: `recent`. Without it everything is listed.
LISTING_TAG = "aura/listing"
RECENT_ONLY = {LISTING_TAG: ListingScope.RECENT.value}

#: The check of every feed of objects, and of every feed of topics.
READABLE_OBJECTS = "every_object_is_readable"
LANES_GO_ON = "every_partition_is_read_on"

#: So many names stand in the metadata; the rest is in the table.
NAMED = 20


def feed_asset(settings: Settings, shop: Shop, feed: Feed) -> AssetsDefinition:
    """The asset `bronze/<feed>`."""
    key = describe.bronze_key(feed.name)

    @asset(
        key=key,
        group_name="bronze",
        kinds={"delta", _kind(feed)},
        description=feed.description or f"Every record of the feed {feed.name}, byte for byte, as it came.",
        owners=describe.feed_owners(shop, feed),
        tags={"aura/format": feed.format.value},
        metadata={
            **describe.place(settings, "bronze", feed.name),
            "dagster/column_schema": describe.bronze_schema(),
            "location": feed.location,
            **({"topics": list(feed.topics)} if feed.is_topics else {}),
        },
        check_specs=[_check(feed, key)],
        freshness_policy=describe.freshness(),
        pool=f"bronze_{feed.name}",
        required_resource_keys={BENCH},
    )
    def land_feed(context: AssetExecutionContext) -> Iterator[Any]:
        bench: Workbench = getattr(context.resources, BENCH)
        scope = ListingScope(context.run.tags.get(LISTING_TAG, ListingScope.EVERYTHING.value))
        with telling(context, f"land {feed.name}") as voice:
            report = land(bench.lake, feed, scope=scope, progress=voice.progress)
            if feed.notifications:
                report = _land_hinted(bench, feed, report, voice)
            came = f"{report.records:,} records" + ("" if feed.is_topics else f" in {report.objects:,} objects")
            voice.done(
                came,
                batches=report.batches, waiting=len(report.waiting), skipped=len(report.skipped),
                stopped=len(report.stopped), seconds=round(report.seconds, 2),
            )  # fmt: skip
        yield from landed(bench.lake, feed, report)

    return land_feed


def _land_hinted(bench: Workbench, feed: Feed, report: LandReport, voice: Telling) -> LandReport:
    """What the listing brought, and what the feed's queue names beyond it, such as a late object in an old prefix."""
    hinted = Hints(bench.lake, bench.shop.feeds.values()).land(only=feed.name)
    voice.say("progress", f"queue: {hinted}", missing=len(hinted.missing))
    for trouble in hinted.trouble.values():
        voice.say("waiting", trouble)
    for more in hinted.reports:
        report = report.followed_by(more)
    return report


def landed(lake: Lake, feed: Feed, report: LandReport) -> Iterator[Any]:
    """What a landing did, as Dagster tells it: the materialization and the feed's check."""
    key = describe.bronze_key(feed.name)
    bronze = lake.bronze(feed.name)
    if feed.is_topics:
        yield MaterializeResult(asset_key=key, metadata=_metadata(report, records=_rows(bronze)))
        yield AssetCheckResult(
            asset_key=key,
            check_name=LANES_GO_ON,
            passed=not report.stopped,
            severity=AssetCheckSeverity.ERROR,
            metadata={"stopped": _some(report.stopped) or {}, "notes": list(report.notes)},
        )
        return
    objects = object_rows(bronze)
    corrupt = objects.filter(objects["object_error"].is_not_null())
    records = int(objects["record_count"].sum())
    yield MaterializeResult(asset_key=key, metadata=_metadata(report, records=records, objects=objects.height))
    yield AssetCheckResult(
        asset_key=key,
        check_name=READABLE_OBJECTS,
        passed=corrupt.is_empty(),
        severity=AssetCheckSeverity.WARN,
        metadata={"objects": objects.height, "corrupt": corrupt.height},
    )


def _kind(feed: Feed) -> str:
    if feed.is_topics:
        return "kafka"
    return "s3" if feed.location.startswith("s3://") else "file"


def _check(feed: Feed, key: AssetKey) -> AssetCheckSpec:
    if feed.is_topics:
        says = "No offset was gone before it was read, no topic was made anew, no batch is corrupt."
        return AssetCheckSpec(LANES_GO_ON, asset=key, description=says)
    says = "No object is corrupt; one that is stands in bronze with its error and brought no records."
    return AssetCheckSpec(READABLE_OBJECTS, asset=key, description=says)


def _rows(bronze: LakeTable) -> int:
    """Records of the table, by the files in its log."""
    files = bronze.files()
    if "partition.row_kind" not in files.columns:
        return 0
    return int(files.filter(files["partition.row_kind"] == "record")["num_records"].sum())


def _metadata(report: LandReport, *, records: int, objects: int | None = None) -> dict[str, Any]:
    return describe.counted(
        records,
        records=report.records,
        objects=report.objects if objects is not None else None,
        objects_in_all=objects,
        batches=report.batches,
        watermark=report.watermark,
        raw_bytes=report.raw_bytes,
        copies=report.copies if objects is not None else None,
        corrupt=_some(report.corrupt),
        waiting=_some(report.waiting),
        skipped=_some(report.skipped),
        stopped=_some(report.stopped),
        seconds=round(report.seconds, 3),
    )


def _some(named: dict[str, str]) -> dict[str, str] | None:
    return dict(sorted(named.items())[:NAMED]) or None
