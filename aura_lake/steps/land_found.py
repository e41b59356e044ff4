"""Land what was found, up to a limit a look: whoever has waited longest is first, and what is left says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from aura_lake.contracts.contract import Feed
from aura_lake.delta.table import LakeTable
from aura_lake.delta.upkeep import keep_up
from aura_lake.discovery.found import Found
from aura_lake.errors import AuraError
from aura_lake.lake import Lake
from aura_lake.outside.objects import Listing, ListingScope, ObjectInfo
from aura_lake.outside.records import store_for
from aura_lake.outside.s3_environment import s3_settings
from aura_lake.steps.land import land_listing, new_objects
from aura_lake.steps.land_report import LandReport
from aura_lake.steps.land_topics import land_topics

#: One look lands about so many bytes of all that was found; of objects, stored bytes.
LOOK_BYTES = 256 << 20

_NEXT = "for the next look"


def land_found(lake: Lake, found: Iterable[Found], most_bytes: int | None = None) -> list[tuple[Found, int]]:
    """What was found, each with the records that landed of it now. One that cannot be read says so; others go on."""
    left = LOOK_BYTES if most_bytes is None else most_bytes
    done = []
    for each in sorted(found, key=lambda one: (one.landed_at or "", one.name)):
        if left <= 0:
            later = f"{each.units:,} {_unit(each)} were not looked at yet: they wait {_NEXT}"
            done.append((replace(each, waits=later), 0))
            continue
        try:
            landing = _land_topic(lake, each.feed, left) if each.topic else _land_objects(lake, each, left)
        except AuraError as error:
            done.append((replace(each, trouble=str(error)), 0))
            continue
        report, used, waits = landing
        left -= used
        table = lake.bronze(each.name)
        if report.batches:
            keep_up(table)
        landed_at = datetime.now(UTC).isoformat(timespec="seconds")
        trouble = "; ".join(report.stopped.values()) or each.trouble
        now = replace(each, landed=_records(table), landed_at=landed_at, waits=waits, trouble=trouble)
        done.append((now, report.records))
    return done


def _land_topic(lake: Lake, feed: Feed, most_bytes: int) -> tuple[LandReport, int, str | None]:
    report = land_topics(lake, feed, most_bytes=most_bytes)
    waits = "; ".join(f"{lane}: {why}" for lane, why in report.waiting.items())
    return report, report.raw_bytes, waits or None


def _land_objects(lake: Lake, found: Found, most_bytes: int) -> tuple[LandReport, int, str | None]:
    feed = found.feed
    store = store_for(feed, s3_settings(lake.settings.environ))
    is_caught_up = found.landed > 0 and found.waits is None
    listing = store.list(ListingScope.RECENT if is_caught_up else ListingScope.EVERYTHING)
    taken: list[ObjectInfo] = []
    used = 0
    fresh = new_objects(lake.bronze(feed.name), listing)
    for info in fresh:
        if taken and used + info.size > most_bytes:
            break  # the first is taken whatever its size: it would never fit
        taken.append(info)
        used += info.size
    report = land_listing(lake, feed, store, Listing(taken, listing.waiting, listing.skipped))
    rest = fresh[len(taken) :]
    waits = f"{len(rest):,} objects of {sum(info.size for info in rest):,} bytes wait {_NEXT}" if rest else None
    return report, used, waits


def _unit(found: Found) -> str:
    return "messages" if found.topic else "objects"


def _records(table: LakeTable) -> int:
    """Records that stand in bronze, by the files in the table's log."""
    if not table.exists:
        return 0
    files = table.files()
    if "partition.row_kind" not in files.columns:
        return 0
    return int(files.filter(files["partition.row_kind"] == "record")["num_records"].sum())
