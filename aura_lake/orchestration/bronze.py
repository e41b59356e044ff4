"""How a feed becomes an asset: one op that lands what is new and reports what came."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    asset,
)

from aura_lake.contracts.contract import Feed, Shop
from aura_lake.orchestration import describe
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.outside.objects import ListingScope
from aura_lake.settings import Settings
from aura_lake.steps.land import LandReport, land, object_rows

#: Tag of a run that only looks at the feeds' newest prefixes: `recent`. Without it everything is listed.
LISTING_TAG = "aura/listing"
RECENT_ONLY = {LISTING_TAG: ListingScope.RECENT.value}

#: The check of every feed.
READABLE_OBJECTS = "every_object_is_readable"

#: So many names stand in the metadata; the rest is in the table.
NAMED = 20


def feed_asset(settings: Settings, shop: Shop, feed: Feed) -> AssetsDefinition:
    """The asset `bronze/<feed>`."""
    key = describe.bronze_key(feed.name)
    check = AssetCheckSpec(
        READABLE_OBJECTS,
        asset=key,
        description="No object is corrupt; one that is stands in bronze with its error and brought no records.",
    )

    @asset(
        key=key,
        group_name="bronze",
        kinds={"delta", "s3" if feed.location.startswith("s3://") else "file"},
        description=feed.description or f"Every record of the feed {feed.name}, byte for byte, as it came.",
        owners=describe.feed_owners(shop, feed),
        tags={"aura/format": feed.format.value},
        metadata={
            **describe.place(settings, "bronze", feed.name),
            "dagster/column_schema": describe.bronze_schema(),
            "location": feed.location,
        },
        check_specs=[check],
        freshness_policy=describe.freshness(),
        pool=f"bronze_{feed.name}",
        required_resource_keys={BENCH},
    )
    def land_feed(context: AssetExecutionContext) -> Iterator[Any]:
        bench: Workbench = getattr(context.resources, BENCH)
        scope = ListingScope(context.run.tags.get(LISTING_TAG, ListingScope.EVERYTHING.value))
        with telling(context, f"land {feed.name}") as voice:
            report = land(bench.lake, feed, scope=scope, progress=voice.progress)
            objects = object_rows(bench.lake.bronze(feed.name))
            corrupt = objects.filter(objects["object_error"].is_not_null())
            voice.done(
                f"{report.records:,} records in {report.objects:,} objects",
                batches=report.batches, waiting=len(report.waiting), skipped=len(report.skipped),
                seconds=round(report.seconds, 2),
            )  # fmt: skip
        yield MaterializeResult(
            asset_key=key, metadata=_metadata(report, int(objects["record_count"].sum()), objects.height)
        )
        yield AssetCheckResult(
            asset_key=key,
            check_name=READABLE_OBJECTS,
            passed=corrupt.is_empty(),
            severity=AssetCheckSeverity.WARN,
            metadata={"objects": objects.height, "corrupt": corrupt.height},
        )

    return land_feed


def _metadata(report: LandReport, rows: int, objects: int) -> dict[str, Any]:
    return describe.counted(
        rows,
        records=report.records,
        objects=report.objects,
        objects_in_all=objects,
        batches=report.batches,
        watermark=report.watermark,
        raw_bytes=report.raw_bytes,
        copies=report.copies,
        corrupt=_some(report.corrupt),
        waiting=_some(report.waiting),
        skipped=_some(report.skipped),
        seconds=round(report.seconds, 3),
    )


def _some(named: dict[str, str]) -> dict[str, str] | None:
    return dict(sorted(named.items())[:NAMED]) or None
