"""The records of one feed as judging reads them, and which object versions of it count."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.contracts.objects import live_objects
from aura_lake.delta.table import LakeTable
from aura_lake.layouts import POSITION
from aura_lake.steps.land import object_rows

#: Records judged at a time; memory is bounded by it, whatever the backlog.
SLICE_RECORDS = 100_000

_COLUMNS = (*POSITION, "byte_offset", "landed_at", "batch", "key", "headers", "value", "value_hash")


class BronzeRecords:
    """The bronze table of a contract's feed, for judging."""

    def __init__(self, bronze: LakeTable, contract: Contract) -> None:
        self._bronze, self._contract = bronze, contract
        self._objects = object_rows(bronze)
        self.headers = self._objects.select("object", "etag", "header")

    def read(self, chosen: pl.Expr) -> Iterator[pl.DataFrame]:
        """Records in position order within an object, in slices of bounded size."""
        rows = self._bronze.scan().filter((pl.col("row_kind") == "record") & chosen).select(_COLUMNS)
        for frame in rows.collect_batches(chunk_size=SLICE_RECORDS, maintain_order=True):
            yield from frame.iter_slices(SLICE_RECORDS)

    def live(self, last: int) -> pl.DataFrame | None:
        """The object versions (`object`, `etag`) that count as of a batch. None where every version counts: in
        `cdc`, and where no name was ever written twice."""
        return self.liveness(0, last)[0]

    def liveness(self, first: int, last: int) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
        """(live object versions now, versions of batches before `first` whose liveness these batches change)."""
        now = self._objects.filter(pl.col("batch") <= last)
        if self._contract.kind is Kind.CDC or now["object"].is_unique().all():
            return None, None
        before = now.filter(pl.col("batch") < first)
        was, live = live_objects(before), live_objects(now)
        on = ["object", "etag"]
        dead = was.join(live, on=on, how="anti").with_columns(is_live=pl.lit(False))
        earlier = before.filter(pl.col("object_error").is_null()).select(on)
        revived = earlier.join(was, on=on, how="anti").join(live, on=on, how="semi").with_columns(is_live=pl.lit(True))
        flipped = pl.concat([dead, revived])
        return live, None if flipped.is_empty() else flipped


def supersede(judged: pl.DataFrame, live: pl.DataFrame) -> pl.DataFrame:
    """`judged` with the verdict `superseded` on records of object versions that do not count (any more)."""
    marked = live.with_columns(_live=pl.lit(True))
    joined = judged.join(marked, on=["object", "etag"], how="left", maintain_order="left")
    dead = pl.col("_live").is_null()
    return joined.with_columns(
        verdict=pl.when(dead).then(pl.lit("superseded")).otherwise("verdict"),
        outcome=pl.when(dead).then(pl.lit("set_aside")).otherwise("outcome"),
    ).drop("_live")
