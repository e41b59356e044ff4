"""Judge: what bronze holds becomes a table's log, every unit with its verdict.

One commit carries all verdicts of the batches it read and moves the watermark past them, so
quarantine and exactly-once hold together. What was decided since is carried out first, and a record that
has a judgement gets one with a higher number: the highest counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE, LOG, of_feed
from aura_lake.lake import Lake
from aura_lake.steps.bronze_records import SLICE_RECORDS, BronzeRecords
from aura_lake.steps.carry_out import CarriedOut, Held, carry_out
from aura_lake.steps.epochs import fence
from aura_lake.steps.seen import Seen
from aura_lake.steps.shadow import Shadow, shadow_of
from aura_lake.steps.unit_judge import UnitJudge


@dataclass(frozen=True)
class JudgeReport:
    """What one judging of a table did: units by verdict, and the batches it read."""

    table: str
    from_batch: int
    to_batch: int
    verdicts: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    carried_out: CarriedOut | None = None  #: decisions that concerned the table before
    shadow: Shadow | None = None  #: what another contract would have done, where one is judged beside

    @property
    def rows_in(self) -> int:
        """Units judged."""
        return sum(self.verdicts.values())


Progress = Callable[[int, int], None]


def judge(lake: Lake, contract: Contract, *, progress: Progress | None = None) -> JudgeReport:
    """Carry out what was decided, then judge every bronze batch the table has not read yet; a report of both."""
    started = time.monotonic()
    held, carried_out = carry_out(lake, contract)
    bronze, log = lake.bronze(contract.feed), lake.log(contract).create()
    begun = log.watermark(of_feed(contract.feed))
    goal = bronze.watermark(LANE)
    if goal <= begun:
        return JudgeReport(contract.table, begun, begun, seconds=time.monotonic() - started, carried_out=carried_out)
    judging = _Judging(lake, contract, held, bronze, log)
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
        carried_out,
        judging.shadow,
    )


def batch_groups(bronze: LakeTable, read_to: int, goal: int) -> Iterator[int]:
    """The last batch of each group of batches that are judged in one commit."""
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


class _Judging:
    """Judges groups of batches of one table into its log, one commit a group."""

    def __init__(self, lake: Lake, contract: Contract, held: Held, bronze: LakeTable, log: LakeTable) -> None:
        self._contract, self._held, self._log = contract, held, log
        self._records = BronzeRecords(bronze, contract)
        self._judge = UnitJudge(lake, contract)
        self.shadow = shadow_of(lake, contract)
        self.verdicts: dict[str, int] = {}
        self.rules: dict[str, int] = {}

    def read_batches(self, last: int) -> None:
        """Judge the batches after the watermark up to `last`, in one commit."""
        first = self._log.watermark(of_feed(self._contract.feed)) + 1
        log_batch = self._log.watermark(LOG) + 1
        live, flipped = self._records.liveness(first, last)
        with Commit(self._log) as commit:
            dead = None if flipped is None else flipped.filter(~pl.col("is_live")).select("object", "etag")
            seen = Seen(self._log, self._contract, dead)
            for records in self._records.read(pl.col("batch").is_between(first, last)):
                judged = self._judge(records, self._records.headers, live)
                fence(self._log, self._contract, judged)
                marked = seen.mark(judged)
                self._write(commit, marked, log_batch)
                if self.shadow is not None:
                    self.shadow.see(records, self._records.headers, live, marked)
            if flipped is not None and live is not None:
                for judged in self._judge_again(flipped, live):
                    self._write(commit, seen.mark(judged), log_batch)
                heirs = seen.heirs(flipped)
                for judged in self._judge_again(heirs, live, heirs) if not heirs.is_empty() else ():
                    self._write(commit, seen.mark(judged), log_batch)
            if self.shadow is not None:
                self.shadow.keep(first, last)
            moved, marks = self._held.moves(self._log)
            moved |= {of_feed(self._contract.feed): (first - 1, last), LOG: (log_batch - 1, log_batch)}
            commit.publish(moved, marks=marks, metadata={"table": self._contract.table})

    def _judge_again(
        self, objects: pl.DataFrame, live: pl.DataFrame, units: pl.DataFrame | None = None
    ) -> Iterator[pl.DataFrame]:
        """New judgements for the records of objects (`object`, `etag`), of which `units` chooses some."""
        wanted = pl.col("object").is_in(objects["object"].to_list()) & pl.col("etag").is_in(objects["etag"].to_list())
        numbers = (
            self._log.scan().filter(wanted).group_by(UNIT).agg(pl.col("judgement").max().alias("_number")).collect()
        )
        for records in self._records.read(wanted):
            chosen = records.join(objects, on=["object", "etag"], how="semi")
            if chosen.is_empty():
                continue
            judged = self._judge(chosen, self._records.headers, live)
            if units is not None:
                judged = judged.join(units, on=UNIT, how="semi", nulls_equal=True, maintain_order="left")
            judged = judged.join(numbers, on=UNIT, how="left", nulls_equal=True, maintain_order="left")
            yield judged.with_columns(judgement=(pl.col("_number").fill_null(-1) + 1).cast(pl.Int32)).drop("_number")

    def _write(self, commit: Commit, judged: pl.DataFrame, log_batch: int) -> None:
        for verdict, count in judged.group_by("verdict").len().iter_rows():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count
        broken = judged.filter(pl.col("broken_rules").list.len() > 0).explode("broken_rules")
        for rule, count in broken.group_by("broken_rules").len().iter_rows():
            self.rules[rule] = self.rules.get(rule, 0) + count
        columns = list(self._log.layout.columns)
        commit.add(judged.with_columns(log_batch=pl.lit(log_batch, pl.Int64)).select(columns))
