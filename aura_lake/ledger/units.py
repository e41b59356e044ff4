"""Records in bronze against verdicts in the log: law 2, recounted for each batch."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from aura_lake.contracts.blocking import blocking_rules
from aura_lake.contracts.contract import Contract
from aura_lake.contracts.judge import paths_of
from aura_lake.contracts.units import take_apart
from aura_lake.contracts.verdicts import UNIT
from aura_lake.delta.schemas import KeptSchemas
from aura_lake.delta.table import LakeTable
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION
from aura_lake.ledger.equation import BatchLine
from aura_lake.ledger.places import Sum, differing, sums_by

#: Records of an array table taken apart at a time.
SLICE_RECORDS = 100_000

#: Batches whose places are named; of the others the difference is told.
DETAILED = 3


class UnitCount:
    """The units of one table, counted on both sides."""

    def __init__(self, lake: Lake, contract: Contract, bronze: LakeTable, log: LakeTable) -> None:
        self._contract, self._bronze, self._log = contract, bronze, log
        self._feed = lake.shop.feeds[contract.feed]
        # what was judged was read with these; the ledger asks nobody else
        self._schemas_of = None if self._feed.registry is None else KeptSchemas(lake, contract.feed)
        self.watermark = log.watermark(f"bronze/{contract.feed}")

    def lines(self) -> tuple[BatchLine, ...]:
        """The equation of each batch up to the watermark, and of any other the log speaks of."""
        records = self._records_by_batch()
        expected = self._expected()
        standing = standing_units(self._log)
        judged = sums_by(standing, "feed_batch", UNIT)
        verdicts: dict[int, dict[str, int]] = {}
        by_verdict = standing.group_by("feed_batch", "verdict").agg(pl.len()).collect(engine="streaming")
        for batch, verdict, count in by_verdict.iter_rows():
            verdicts.setdefault(batch, {})[verdict] = count
        lines, detailed = [], 0
        for batch in sorted({*range(self.watermark + 1), *expected, *judged}):
            first: tuple[str, ...] = ()
            if expected.get(batch, Sum()) != judged.get(batch, Sum()):
                first = self._name_differences(batch) if detailed < DETAILED else ("not looked into",)
                detailed += 1
            units = expected.get(batch, Sum()).rows
            lines.append(BatchLine(batch, records.get(batch, 0), units, verdicts.get(batch, {}), first))
        return tuple(lines)

    def waiting_records(self) -> int:
        """Records of the batches behind the watermark."""
        rows = self._bronze.scan().filter((pl.col("row_kind") == "record") & (pl.col("batch") > self.watermark))
        return int(rows.select(pl.len()).collect().item())

    def _records(self) -> pl.LazyFrame:
        rows = self._bronze.scan().filter((pl.col("row_kind") == "record") & (pl.col("batch") <= self.watermark))
        return rows.with_columns(part=pl.lit(0, pl.Int32))

    def _records_by_batch(self) -> dict[int, int]:
        found = self._records().group_by("batch").agg(pl.len()).collect(engine="streaming")
        return dict(found.iter_rows())

    def _expected(self) -> dict[int, Sum]:
        """The units each batch must have."""
        if self._contract.array is None:
            return sums_by(self._records().select("batch", *UNIT), "batch", UNIT)
        total: dict[int, Sum] = {}
        for units in self._elements(pl.lit(True)):
            for batch, more in sums_by(units.lazy(), "batch", UNIT).items():
                so_far = total.get(batch, Sum())
                total[batch] = Sum(so_far.rows + more.rows, (so_far.checksum + more.checksum) % 2**64)
        return total

    def _elements(self, chosen: pl.Expr) -> Iterator[pl.DataFrame]:
        """One row an element of the contract's array, at least one a record: `batch` and the unit."""
        headers = pl.DataFrame(schema={"object": pl.String, "etag": pl.String, "header": pl.Binary})
        columns = [*POSITION, "batch", "value", "value_hash"]
        rows = self._records().filter(chosen).select(columns)
        for frame in rows.collect_batches(chunk_size=SLICE_RECORDS, maintain_order=True):
            numbered = frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
            apart = take_apart(
                numbered, headers, self._contract, self._feed, paths_of(self._contract), self._schemas_of
            )
            parts = [units.frame.select("row", pl.col("part").cast(pl.Int32)) for units in apart.units]
            found = pl.concat(parts) if parts else pl.DataFrame(schema={"row": pl.Int64, "part": pl.Int32})
            # a record without elements is one unit all the same, whatever taking it apart made of it
            units = numbered.join(found, on="row", how="left").with_columns(pl.col("part").fill_null(0))
            yield units.select("batch", *UNIT)

    def _name_differences(self, batch: int) -> tuple[str, ...]:
        mine = pl.col("batch") == batch
        if self._contract.array is None:
            expected = self._records().filter(mine).select(UNIT)
        else:
            parts = [units.select(UNIT) for units in self._elements(mine)]
            expected = pl.concat(parts).lazy() if parts else self._records().filter(mine).select(UNIT)
        judged = standing_units(self._log).filter(pl.col("feed_batch") == batch).select(UNIT)
        return differing(expected, judged, UNIT, "bronze", "the log")


def standing_units(log: LakeTable, upto: int | None = None) -> pl.LazyFrame:
    """The rows of a log whose judgement is the highest of their unit, each row that stands; of the commits
    up to `upto` alone where it is given. A unit that stands twice is there twice."""
    rows = log.scan()
    if upto is not None:
        rows = rows.filter(pl.col("log_batch") <= upto)
    again = rows.filter(pl.col("judgement") > 0).group_by(UNIT).agg(pl.col("judgement").max().alias("_highest"))
    highest = again.collect(engine="streaming")
    if highest.is_empty():
        return rows
    joined = rows.join(highest.lazy(), on=UNIT, how="left", nulls_equal=True)
    return joined.filter(pl.col("_highest").is_null() | (pl.col("judgement") == pl.col("_highest"))).drop("_highest")


def blocked_units(log: LakeTable, contract: Contract) -> int:
    """Units in quarantine that broke a rule which blocks publication."""
    blocking = list(blocking_rules(contract))
    if not blocking:
        return 0
    waiting = standing_units(log).filter(pl.col("verdict") == "quarantined")
    breaks = pl.col("broken_rules").list.eval(pl.element().is_in(blocking)).list.any()
    return int(waiting.filter(breaks).select(pl.len()).collect().item())
