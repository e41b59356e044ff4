"""Judge: what bronze holds becomes a table's log, every unit with its verdict.

One commit carries all verdicts of the batches it read and moves the watermark past them, so
quarantine and exactly-once hold together. Judging again (a changed object, a rebuild, a replay) is one
primitive: `rejudge` appends judgements with a higher number, and the highest counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from aura_lake.cdc.wire_schema import SchemasOf
from aura_lake.contracts.contract import Contract, Kind
from aura_lake.contracts.judge import Judge
from aura_lake.contracts.objects import live_objects
from aura_lake.contracts.verdicts import UNIT, identity, mark_duplicates, standing_rows
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE, LOG, REWRITTEN, of_feed
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION, log_layout
from aura_lake.privacy.hash import hash_values
from aura_lake.steps.epochs import epochs_of, fence
from aura_lake.steps.land import object_rows
from aura_lake.steps.schemas import feed_schemas

#: Records judged at a time; memory is bounded by it, whatever the backlog.
SLICE_RECORDS = 100_000


@dataclass(frozen=True)
class JudgeReport:
    """What one judging of a table did: units by verdict, and the batches it read."""

    table: str
    from_batch: int
    to_batch: int
    verdicts: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rows_in(self) -> int:
        """Units judged."""
        return sum(self.verdicts.values())


Progress = Callable[[int, int], None]


def judge(lake: Lake, contract: Contract, *, progress: Progress | None = None) -> JudgeReport:
    """Judge every bronze batch the table has not read yet; a report of the verdicts."""
    started = time.monotonic()
    bronze, log = lake.bronze(contract.feed), lake.log(contract).create()
    begun = log.watermark(of_feed(contract.feed))
    judging = Judging(lake, contract, bronze, log)
    goal = bronze.watermark(LANE)
    for last in batch_groups(bronze, begun, goal):
        judging.read_batches(last)
        if progress:
            progress(last - begun, goal - begun)
    return JudgeReport(
        contract.table,
        begun,
        log.watermark(of_feed(contract.feed)),
        judging.verdicts,
        judging.rules,
        time.monotonic() - started,
    )


def batch_groups(bronze: LakeTable, read_to: int, goal: int) -> Iterator[int]:
    """The last batch of each group of batches that are judged in one commit."""
    if goal <= read_to:
        return
    told = bronze.scan().filter((pl.col("row_kind") != "record") & (pl.col("batch") > read_to))
    counts = dict(told.group_by("batch").agg(pl.col("record_count").sum()).collect().iter_rows())
    held = 0
    for batch in range(read_to + 1, goal + 1):
        count = counts.get(batch, 0)
        if held and held + count > SLICE_RECORDS:
            yield batch - 1
            held = 0
        held += count
    yield goal


class Judging:
    """Judges groups of batches of one table into its log, one commit a group."""

    def __init__(self, lake: Lake, contract: Contract, bronze: LakeTable, log: LakeTable) -> None:
        self._contract, self._bronze, self._log = contract, bronze, log
        self._lake, self._schemas = lake, feed_schemas(lake, lake.shop.feeds[contract.feed])
        self._judge = self._judging_with(None if self._schemas is None else self._schemas.current)
        self._objects = object_rows(bronze)
        self._headers = self._objects.select("object", "etag", "header")
        self.verdicts: dict[str, int] = {}
        self.rules: dict[str, int] = {}

    def _judging_with(self, schemas_of: SchemasOf | None) -> Judge:
        return Judge(
            self._contract,
            self._lake.shop,
            lambda values: hash_values(values, self._lake.hash_key),
            schemas_of,
            epochs_of(self._lake, self._contract.feed) if self._contract.kind is Kind.CDC else (),
        )

    def read_batches(self, last: int) -> None:
        """Judge the batches after the watermark up to `last`, in one commit."""
        first = self._log.watermark(of_feed(self._contract.feed)) + 1
        log_batch = self._log.watermark(LOG) + 1
        live, flipped = self._liveness(first, last)
        with Commit(self._log) as commit:
            dead = None if flipped is None else flipped.filter(~pl.col("is_live"))
            seen = _Seen(self._log, self._contract, dead)
            for records in self._records(pl.col("batch").is_between(first, last)):
                judged = self._judge(records, self._headers)
                fence(self._log, self._contract, judged)
                if live is not None:
                    judged = supersede(judged, live)
                self._write(commit, seen.mark(judged), log_batch)
            if flipped is not None and live is not None:
                for judged in self._judge_again(flipped, live):
                    self._write(commit, seen.mark(judged), log_batch)
                heirs = seen.heirs(flipped)
                for judged in self._judge_again(heirs, live, heirs) if not heirs.is_empty() else ():
                    self._write(commit, seen.mark(judged), log_batch)
            commit.publish(
                {of_feed(self._contract.feed): (first - 1, last), LOG: (log_batch - 1, log_batch)},
                metadata={"table": self._contract.table},
            )

    def rewrite(self) -> None:
        """Judge all of bronze anew, in one commit that takes the place of the whole log, its columns and types
        included. The log's own count moves on, so that everything behind reads it all."""
        if self._schemas is not None:
            self._judge = self._judging_with(self._schemas.remembered)
        feed = of_feed(self._contract.feed)
        log_batch = self._log.watermark(LOG) + 1
        read_to, last = self._log.watermark(feed), self._bronze.watermark(LANE)
        live, _ = self._liveness(0, last)
        with Commit(self._log, replacing=True) as commit:
            seen = _Seen(None, self._contract)
            for records in self._records(pl.col("batch") <= last):
                judged = self._judge(records, self._headers)
                if live is not None:
                    judged = supersede(judged, live)
                self._write(commit, seen.mark(judged), log_batch)
            moved = {feed: (read_to, last)} if last > read_to else {}
            moved |= {LOG: (log_batch - 1, log_batch), REWRITTEN: (self._log.watermark(REWRITTEN), log_batch)}
            commit.publish(moved, metadata={"rebuild": self._contract.table})

    def _records(self, chosen: pl.Expr) -> Iterator[pl.DataFrame]:
        """Records of bronze in position order within an object, in slices of bounded size."""
        rows = self._bronze.scan().filter((pl.col("row_kind") == "record") & chosen)
        columns = [*POSITION, "byte_offset", "landed_at", "batch", "key", "headers", "value", "value_hash"]
        for frame in rows.select(columns).collect_batches(chunk_size=SLICE_RECORDS, maintain_order=True):
            yield from frame.iter_slices(SLICE_RECORDS)

    def _liveness(self, first: int, last: int) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
        """(live object versions now, versions of earlier batches whose liveness these batches change).
        None, None where every version counts: in `cdc`, and where no name was ever written twice."""
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

    def _judge_again(
        self, objects: pl.DataFrame, live: pl.DataFrame, units: pl.DataFrame | None = None
    ) -> Iterator[pl.DataFrame]:
        """New judgements for the records of objects (`object`, `etag`), of which `units` chooses some."""
        wanted = pl.col("object").is_in(objects["object"].to_list()) & pl.col("etag").is_in(objects["etag"].to_list())
        numbers = (
            self._log.scan().filter(wanted).group_by(UNIT).agg(pl.col("judgement").max().alias("_number")).collect()
        )
        for records in self._records(wanted):
            chosen = records.join(objects, on=["object", "etag"], how="semi")
            if chosen.is_empty():
                continue
            judged = self._judge(chosen, self._headers)
            if units is not None:
                judged = judged.join(units, on=UNIT, how="semi", nulls_equal=True, maintain_order="left")
            judged = judged.join(numbers, on=UNIT, how="left", nulls_equal=True, maintain_order="left")
            judged = judged.with_columns(judgement=(pl.col("_number").fill_null(-1) + 1).cast(pl.Int32)).drop("_number")
            yield supersede(judged, live)

    def _write(self, commit: Commit, judged: pl.DataFrame, log_batch: int) -> None:
        for verdict, count in judged.group_by("verdict").len().iter_rows():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count
        broken = judged.filter(pl.col("broken_rules").list.len() > 0).explode("broken_rules")
        for rule, count in broken.group_by("broken_rules").len().iter_rows():
            self.rules[rule] = self.rules.get(rule, 0) + count
        columns = list(self._log.layout.columns)
        commit.add(judged.with_columns(log_batch=pl.lit(log_batch, pl.Int64)).select(columns))


class _Seen:
    """The identities already valid in the log and in this commit, for the periods asked about.

    `dead`: object versions (`object`, `etag`) that stop counting with this commit.
    """

    def __init__(self, log: LakeTable | None, contract: Contract, dead: pl.DataFrame | None = None) -> None:
        self._log, self._contract, self._dead = log, contract, dead
        self._columns = list(identity(contract))
        self._known: dict[str, list[pl.DataFrame]] = {}

    def mark(self, judged: pl.DataFrame) -> pl.DataFrame:
        """`judged` with its duplicates named; its valid rows are remembered."""
        if not self._columns:
            return judged
        valid = judged.filter(pl.col("verdict") == "valid")
        marked = mark_duplicates(judged, self._contract, self._of(valid["log_period"].unique().to_list()))
        fresh = marked.filter(pl.col("verdict") == "valid").select(*self._columns, "log_period")
        for (period,), rows in fresh.group_by("log_period"):
            self._known[str(period)].append(rows)
        return marked

    def heirs(self, flipped: pl.DataFrame) -> pl.DataFrame:
        """Duplicates whose valid copy stood in an object version that counts no longer, where no other copy
        has become valid in this commit: of each identity the unit with the lowest position."""
        nothing = pl.DataFrame(schema={name: POSITION.get(name, pl.Int32()) for name in UNIT})
        if not self._columns or self._log is None or self._dead is None:
            return nothing
        at = [*self._columns, "log_period"]
        died = standing_rows(self._log, ["valid"]).join(self._dead.lazy(), on=["object", "etag"], how="semi")
        lost = died.select(at).collect().unique()
        periods = lost["log_period"].unique().to_list()
        lost = lost.join(self._of(periods), on=at, how="anti", nulls_equal=True)
        if lost.is_empty():
            return nothing
        copies = standing_rows(self._log, ["set_aside"]).filter(
            (pl.col("verdict") == "duplicate") & pl.col("log_period").is_in(periods)
        )
        copies = copies.join(flipped.lazy(), on=["object", "etag"], how="anti")
        copies = copies.join(lost.lazy(), on=at, how="semi", nulls_equal=True).select(*UNIT, *at)
        return copies.sort(UNIT).unique(at, keep="first", maintain_order=True).select(UNIT).collect()

    def _of(self, periods: list[str]) -> pl.DataFrame:
        """The identities known of some periods."""
        self._load([period for period in periods if period not in self._known])
        known = [frame for period in periods for frame in self._known[period]]
        layout = log_layout(self._contract).columns
        schema = {name: layout[name] for name in (*self._columns, "log_period")}
        return pl.concat(known) if known else pl.DataFrame(schema=schema)

    def _load(self, periods: list[str]) -> None:
        self._known.update({period: [] for period in periods})
        if self._log is None or not periods:
            return
        rows = standing_rows(self._log, ["valid", "truncate"]).filter(pl.col("log_period").is_in(periods))
        if self._dead is not None:
            rows = rows.join(self._dead.lazy(), on=["object", "etag"], how="anti")
        found = rows.select(*self._columns, "log_period").collect()
        for (period,), identities in found.group_by("log_period"):
            self._known[str(period)].append(identities)


def supersede(judged: pl.DataFrame, live: pl.DataFrame) -> pl.DataFrame:
    """`judged` with the verdict `superseded` on records of object versions that do not count (any more)."""
    marked = live.with_columns(_live=pl.lit(True))
    joined = judged.join(marked, on=["object", "etag"], how="left", maintain_order="left")
    dead = pl.col("_live").is_null()
    return joined.with_columns(
        verdict=pl.when(dead).then(pl.lit("superseded")).otherwise("verdict"),
        outcome=pl.when(dead).then(pl.lit("set_aside")).otherwise("outcome"),
    ).drop("_live")
