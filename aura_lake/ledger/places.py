"""Sums that tell whether two sets of rows are the same, and the names of the rows that differ.

A set of rows is summed up as a count and the sum of a hash of each row, modulo 2**64. Neither depends on
order, both are had in one pass of bounded memory, and one row doubled while another is lost changes the
second. Only where they differ are the rows themselves compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from aura_lake.ledger.equation import NAMED


@dataclass(frozen=True)
class Sum:
    """A set of rows: how many, and the sum of their hashes."""

    rows: int = 0
    checksum: int = 0


def row_count() -> pl.Expr:
    """How many rows."""
    return pl.len().cast(pl.Int64).alias("rows")


def checksum(columns: Sequence[str]) -> pl.Expr:
    """The sum of the rows' hashes over some columns; wraps around."""
    return pl.struct(columns).hash().sum().alias("checksum")


def sum_of(rows: pl.LazyFrame, columns: Sequence[str]) -> Sum:
    """The sum of a whole frame."""
    found = rows.select(row_count(), checksum(columns)).collect(engine="streaming").row(0)
    return Sum(int(found[0]), int(found[1] or 0))


def sums_by(rows: pl.LazyFrame, group: str, columns: Sequence[str]) -> dict[int, Sum]:
    """The sum of each group of rows."""
    found = rows.group_by(group).agg(row_count(), checksum(columns)).collect(engine="streaming")
    return {int(key): Sum(int(count), int(total)) for key, count, total in found.iter_rows()}


def differing(
    left: pl.LazyFrame, right: pl.LazyFrame, columns: Sequence[str], left_name: str, right_name: str
) -> tuple[str, ...]:
    """The first rows that one side has and the other lacks, or has twice, as sentences.

    In: two frames with `columns`; what each is called. Null equals null.
    """
    columns = list(columns)
    counted = [side.select(columns).group_by(columns).agg(pl.len().alias("times")) for side in (left, right)]
    both = counted[0].join(counted[1], on=columns, how="full", nulls_equal=True, coalesce=True, suffix="_right")
    both = both.with_columns(pl.col("times", "times_right").fill_null(0))
    off = both.filter(pl.col("times") != pl.col("times_right")).sort(columns).head(NAMED).collect()
    found = []
    for row in off.iter_rows(named=True):
        has, lacks = (left_name, right_name) if row["times"] > row["times_right"] else (right_name, left_name)
        more, fewer = max(row["times"], row["times_right"]), min(row["times"], row["times_right"])
        where = name_place(row)
        if fewer == 0:
            found.append(f"{where} is missing in {lacks}" + (f" and stands {more} times in {has}" if more > 1 else ""))
        else:
            found.append(f"{where} stands {more} times in {has} and {fewer} in {lacks}")
    return tuple(found)


def name_place(row: dict[str, object]) -> str:
    """A unit or a key as people write it: `object#ordinal`, `topic[partition]@offset`, or the key's values."""
    part = f" part {row['part']}" if row.get("part") else ""
    if row.get("object") is not None:
        return f"{row['object']}#{row['ordinal']}{part}"
    if row.get("topic") is not None:
        return f"{row['topic']}[{row['partition']}]@{row['offset']}{part}"
    shown = [str(value) for name, value in row.items() if not name.startswith(("times", "_")) and value is not None]
    return " / ".join(shown)
