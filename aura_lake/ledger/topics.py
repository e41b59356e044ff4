"""Bronze of topics against itself: every lane read without a hole, no offset twice, every record there."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aura_lake.delta.table import LakeTable
from aura_lake.ledger.equation import NAMED, Equation

#: Offsets `[from, to)` of a lane that a person gave up.
Gap = tuple[str, int, int]


def read_ranges(bronze: LakeTable) -> pl.DataFrame:
    """What was read of topics, a row for each lane and batch; empty for a feed of objects."""
    rows = bronze.scan().filter(pl.col("row_kind") == "range")
    return rows.select("lane", "batch", "offset", "next_offset", "record_count").collect()


def count_topics(
    bronze: LakeTable, ranges: pl.DataFrame, gaps_accepted: Sequence[Gap]
) -> tuple[int, tuple[Equation, Equation]]:
    """Records that stand, and two equations: the ranges of each lane follow each other (a gap that a person
    accepted is counted), and they hold the records they tell, each once."""
    ordered = ranges.sort("lane", "offset", "batch")
    before = pl.col("next_offset").shift().over("lane")
    steps = ordered.with_columns(missing=(pl.col("offset") - before).fill_null(0), missing_from=before)
    accepted = pl.lit(False)
    for lane, start, end in gaps_accepted:
        accepted |= (pl.col("lane") == lane) & (pl.col("missing_from") >= start) & (pl.col("offset") <= end)
    unread = steps.filter((pl.col("missing") != 0) & ~((pl.col("missing") > 0) & accepted))
    span = ranges.group_by("lane").agg(pl.col("next_offset").max() - pl.col("offset").min())["next_offset"].sum()
    read = (ranges["next_offset"] - ranges["offset"]).sum()
    given_up = steps.filter((pl.col("missing") > 0) & accepted)["missing"].sum()
    covered = Equation(
        "offsets between the ends of each lane = offsets read + offsets a person gave up",
        int(span),
        int(read) + int(given_up),
        tuple(
            f"{lane}, batch {batch}: " + (f"{missing} offsets missing" if missing > 0 else f"{-missing} read twice")
            for lane, batch, missing in unread.head(NAMED).select("lane", "batch", "missing").iter_rows()
        ),
    )
    rows = bronze.scan().filter(pl.col("row_kind") == "record").group_by("lane", "batch")
    found = rows.agg(
        records=pl.len().cast(pl.Int64),
        distinct=pl.col("offset").n_unique().cast(pl.Int64),
        low=pl.col("offset").min(),
        high=pl.col("offset").max(),
    ).collect(engine="streaming")
    both = ranges.join(found, on=["lane", "batch"], how="full", coalesce=True).with_columns(
        pl.col("record_count", "records", "distinct").fill_null(0)
    )
    inside = pl.col("low").is_null() | ((pl.col("low") >= pl.col("offset")) & (pl.col("high") < pl.col("next_offset")))
    even = (pl.col("records") == pl.col("record_count")) & (pl.col("distinct") == pl.col("records"))
    off = both.filter(~(even & inside.fill_null(False))).sort("lane", "batch").head(NAMED)
    whole = Equation(
        "records of the ranges = records that stand, each offset once",
        int(ranges["record_count"].sum()),
        int(found["distinct"].sum()),
        tuple(
            f"{lane}, batch {batch}: {records} records stand and its range tells {told}"
            for lane, batch, records, told in off.select("lane", "batch", "records", "record_count").iter_rows()
        ),
    )
    return int(found["records"].sum()), (covered, whole)
