"""Bronze against itself: no batch missing, every object with exactly the records it came with."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.ledger.equation import NAMED, Equation, FeedLine
from aura_lake.ledger.topics import Gap, count_topics, read_ranges


def count_feed(feed: str, bronze: LakeTable, gaps_accepted: Sequence[Gap] = ()) -> FeedLine:
    """The feed's batches and records, recounted."""
    watermark = bronze.watermark(LANE)
    batches = set(bronze.scan().select(pl.col("batch").unique()).collect(engine="streaming")["batch"].to_list())
    wanted = set(range(watermark + 1))
    gaps = [f"batch {number} is missing" for number in sorted(wanted - batches)]
    gaps += [f"batch {number} is beyond the watermark" for number in sorted(batches - wanted)]
    gapless = Equation(f"batches 0 to {watermark} = batches that stand", len(wanted), len(batches), tuple(gaps[:NAMED]))
    ranges = read_ranges(bronze)
    if not ranges.is_empty():
        records, equations = count_topics(bronze, ranges, gaps_accepted)
        return FeedLine(feed, watermark, 0, records, (gapless, *equations))
    told = _told(bronze)
    found = _found(bronze)
    records = int(found["records"].sum())
    whole = Equation(
        "records of the objects = records that stand", int(told["told"].sum()), records, _uneven(told, found)
    )
    return FeedLine(feed, watermark, told.height, records, (gapless, whole))


def _told(bronze: LakeTable) -> pl.DataFrame:
    """What each object's own row says: `object`, `etag`, `told` records."""
    rows = bronze.scan().filter(pl.col("row_kind") == "object")
    return rows.select("object", "etag", told="record_count").collect()


def _found(bronze: LakeTable) -> pl.DataFrame:
    """What stands of each object: how many records, and the sum and the highest of their ordinals."""
    rows = bronze.scan().filter(pl.col("row_kind") == "record").group_by("object", "etag")
    counted = rows.agg(
        records=pl.len().cast(pl.Int64), ordinals=pl.col("ordinal").sum(), highest=pl.col("ordinal").max()
    )
    return counted.collect(engine="streaming")


def _uneven(told: pl.DataFrame, found: pl.DataFrame) -> tuple[str, ...]:
    """Objects whose ordinals are not 0 to n-1, each once, where n is what the object's row tells."""
    both = told.join(found, on=["object", "etag"], how="full", coalesce=True)
    both = both.with_columns(pl.col("told", "records", "ordinals").fill_null(0), pl.col("highest").fill_null(-1))
    last = pl.col("told") - 1
    even = (pl.col("records") == pl.col("told")) & (pl.col("highest") == last)
    even &= pl.col("ordinals") == pl.col("told") * last // 2
    off = both.filter(~even).sort("object", "etag").head(NAMED)
    return tuple(
        f"{name}: {records} records stand and its row tells {count}"
        + (" (another stands twice)" if records == count else "")
        for name, records, count in off.select("object", "records", "told").iter_rows()
    )
