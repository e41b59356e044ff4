"""Rejudge: units of a log judged again under what holds now; what comes out otherwise gets a higher judgement.

The one primitive behind replay, discard, activation, approvals, and trying a contract. Only the bronze batches of the
chosen units are read, and only their records judged. A judgement is appended where verdict, reason, rules,
warnings or values differ; whoever folds it puts the version at its place in order, so nothing newer is lost.

Which copy of a redelivery is the duplicate stays as it is: units that are valid and remain so are looked at first,
the others after them, and at last the duplicates of what is valid no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT, identity, rejudged_units, standing_rows
from aura_lake.delta.commit import Commit
from aura_lake.delta.watermarks import LOG, of_feed
from aura_lake.errors import LakeError
from aura_lake.lake import Lake
from aura_lake.layouts import CHANGE, POSITION, is_folded, table_columns
from aura_lake.steps.bronze_records import BronzeRecords
from aura_lake.steps.seen import Seen
from aura_lake.steps.unit_judge import UnitJudge

#: Units whose standing rows are held at a time.
GROUP_UNITS = 200_000

_OUTCOMES = ["valid", "truncate", "quarantined", "set_aside"]
_IS_VALID = pl.col("outcome").is_in(["valid", "truncate"])


class NeedsRewrite(Exception):
    """A unit's row in the state would have to move to another key, or a unit is there no more: the whole log has to
    be judged anew."""


@dataclass
class Rejudged:
    """What judging again found. Nothing is in it but names and counts."""

    units: int = 0  #: judged again
    changed: int = 0  #: got a judgement that differs
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)  #: (before, now): units
    rules: Counter[str] = field(default_factory=Counter)  #: of units in quarantine now; one counts under each it breaks

    def now(self, verdict: str, before: str | None = None) -> int:
        """The units that have a verdict now, of those with another one before where it is given."""
        return sum(n for (was, is_), n in self.verdicts.items() if is_ == verdict and before in (None, was))

    @property
    def passing(self) -> int:
        """Units that waited and wait no more, without those that were given up."""
        return sum(
            n
            for (was, is_), n in self.verdicts.items()
            if was in ("quarantined", "discarded") and is_ not in ("quarantined", "discarded")
        )


def rejudge(
    lake: Lake,
    contract: Contract,
    chosen: pl.Expr,
    *,
    watermarks: Mapping[str, tuple[int, int]] | None = None,
    marks: Mapping[str, int] | None = None,
    dry_run: bool = False,
    judge: UnitJudge | None = None,
) -> Rejudged:
    """Judge the units again that a predicate on the standing rows of the log chooses, and append what differs in
    one commit, with these watermarks and marks; `dry_run`: look only, nothing is written.

    The log's own count moves only where something differs. Raises NeedsRewrite where appending cannot do it.
    """
    again = Rejudging(lake, contract, chosen, judge=judge, appends=not dry_run)
    if dry_run:
        for _ in again.rows():
            continue
        return again.found
    log = again.log
    with Commit(log) as commit:
        before = log.watermark(LOG)
        columns = list(log.layout.columns)
        for rows in again.rows():
            commit.add(rows.with_columns(log_batch=pl.lit(before + 1, pl.Int64)).select(columns))
        moved = dict(watermarks or {})
        if again.found.changed:
            moved[LOG] = (before, before + 1)
        if moved or marks:
            commit.publish(moved, marks=marks, metadata={"table": contract.table, "rejudged": str(again.found.units)})
    return again.found


class Rejudging:
    """One judging again of chosen units of a table. `found` tells of the rows that `rows` has yielded."""

    def __init__(
        self, lake: Lake, contract: Contract, chosen: pl.Expr, *, judge: UnitJudge | None = None, appends: bool = True
    ) -> None:
        self._contract, self._chosen, self._appends = contract, chosen, appends
        self.log = lake.log(contract)
        self._records = BronzeRecords(lake.bronze(contract.feed), contract)
        self._live = self._records.live(self.log.watermark(of_feed(contract.feed)))
        self._judge = judge or UnitJudge(lake, contract, again=True)
        self._standing = standing_rows(self.log, _OUTCOMES, rejudged_units(self.log))
        self._identity = [*identity(contract), "log_period"] if identity(contract) else []
        self._compared = ["verdict", "reason", "broken_rules", "warnings", "log_period", *CHANGE]
        self._compared += [name for name in table_columns(contract) if name not in self._compared]
        #: Units that were valid and no longer are under that identity, and the identities they had.
        self._lost: list[pl.DataFrame] = []
        self._deferred: list[pl.DataFrame] = []
        self.found = Rejudged()

    def rows(self) -> Iterator[pl.DataFrame]:
        """The judgements that differ: rows of the log, all but `log_batch`."""
        if not self._identity:
            yield from self._differing(self._standing.filter(self._chosen), None)
            return
        yield from self._incumbents()
        lost = pl.concat(self._lost) if self._lost else None
        seen = Seen(self.log, self._contract, None if lost is None else lost.select(UNIT))
        yield from self._differing(self._standing.filter(self._chosen & ~_IS_VALID), seen)
        if self._deferred:
            moved = pl.concat(self._deferred).lazy()
            yield from self._differing(self._standing.join(moved, on=UNIT, how="semi", nulls_equal=True), seen)
        if lost is not None:
            yield from self._differing(seen.orphans(lost.select(self._identity)).filter(~self._chosen), seen)

    def _incumbents(self) -> Iterator[pl.DataFrame]:
        """Units that are valid: they stay so where their record still is, under the identity they had."""
        for both in self._judged_again(self._standing.filter(self._chosen & _IS_VALID)):
            if self._appends and both["judgement_was"].has_nulls():
                raise NeedsRewrite
            moved = pl.any_horizontal(_differs(both, name) for name in self._identity)
            is_valid = pl.col("verdict") == "valid"
            stays = is_valid & ~moved
            left = both.filter(~stays)
            if not left.is_empty():
                had = [pl.col(f"{name}_was").alias(name) for name in self._identity]
                self._lost.append(left.select(*UNIT, *had))
                self._deferred.append(left.filter(is_valid).select(UNIT))
            yield self._tell(both.filter(stays | ~is_valid))

    def _differing(self, before: pl.LazyFrame, seen: Seen | None) -> Iterator[pl.DataFrame]:
        for both in self._judged_again(before, seen):
            yield self._tell(both)

    def _judged_again(self, before: pl.LazyFrame, seen: Seen | None = None) -> Iterator[pl.DataFrame]:
        """The new judgements of units that stand in the log as `before` says, each beside the old one (`…_was`)."""
        counts = before.group_by("feed_batch").len().collect(engine="streaming").sort("feed_batch")
        for group in _groups(counts):
            inside = pl.col("feed_batch").is_in(group)
            columns = list(dict.fromkeys([*UNIT, "feed_batch", "judgement", "outcome", *self._compared]))
            stood = before.filter(inside).select(columns).collect()
            met = 0
            for records in self._records.read(pl.col("batch").is_in(group)):
                mine = stood.filter(pl.col("feed_batch").is_in(records["batch"].unique().implode()))
                asked = records.join(mine, on=list(POSITION), how="semi", nulls_equal=True, maintain_order="left")
                if asked.is_empty():
                    continue
                judged = self._only(self._judge(asked, self._records.headers, self._live), mine, inside)
                judged = judged if seen is None else seen.mark(judged)
                was = mine.drop("feed_batch").rename(lambda name: name if name in UNIT else f"{name}_was")
                both = judged.join(was, on=UNIT, how="left", nulls_equal=True, maintain_order="left")
                met += both["judgement_was"].count()
                yield both
            self._refuse_lost_units(stood.height, met, group)

    def _only(self, judged: pl.DataFrame, mine: pl.DataFrame, inside: pl.Expr) -> pl.DataFrame:
        """The asked units among the judged, and those that their records did not have before: a record that could
        not be read is one unit, and many once it can."""
        asked = judged.join(mine, on=UNIT, how="semi", nulls_equal=True, maintain_order="left")
        if self._contract.array is None or asked.height == judged.height:
            return asked
        known = self.log.scan().filter(inside).select(UNIT).collect()
        is_new = judged.select(UNIT).join(known, on=UNIT, how="anti", nulls_equal=True)
        wanted = pl.concat([asked.select(UNIT), is_new])
        return judged.join(wanted, on=UNIT, how="semi", nulls_equal=True, maintain_order="left")

    def _refuse_lost_units(self, stood: int, met: int, batches: list[int]) -> None:
        if met == stood:
            return
        if self._contract.array is not None:
            raise NeedsRewrite
        raise LakeError(
            f"{self._contract.table}: {stood - met} of {stood} units of its log have no record in "
            f"bronze.{self._contract.feed} (batches {batches[0]} to {batches[-1]}).",
            fix="`aura ledger` names them. Nothing was written.",
        )

    def _tell(self, both: pl.DataFrame) -> pl.DataFrame:
        """The rows of `both` that differ, numbered; all of them are counted."""
        self.found.units += both.height
        for was, verdict, count in both.group_by("verdict_was", "verdict").len().iter_rows():
            self.found.verdicts[was or "none", verdict] += count
        broken = both.filter(pl.col("verdict") == "quarantined").explode("broken_rules")
        self.found.rules.update(dict(broken.group_by("broken_rules").len().iter_rows()))
        is_new = pl.col("judgement_was").is_null()
        differs = [_differs(both, name) for name in self._compared]
        changed = both.filter(is_new | pl.any_horizontal(differs))
        self.found.changed += changed.height
        if self._appends:
            self._refuse_moved_rows(changed)
        numbered = changed.with_columns(judgement=(pl.col("judgement_was").fill_null(-1) + 1).cast(pl.Int32))
        return numbered.drop(name for name in numbered.columns if name.endswith("_was"))

    def _refuse_moved_rows(self, changed: pl.DataFrame) -> None:
        """State finds the row it replaces by its key and period; under others it would stand twice."""
        if not is_folded(self._contract):
            return
        key, period = self._contract.key, self._contract.period
        in_state = pl.col("outcome_was").is_in(["valid", "quarantined"])
        had_key = pl.all_horizontal(pl.col(f"{name}_was").is_not_null() for name in key)
        moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_was")) for name in key)
        if period is not None:
            moved |= (pl.col(period) != pl.col(f"{period}_was")).fill_null(False)
        if not changed.filter(in_state & had_key & moved).is_empty():
            raise NeedsRewrite


def _differs(both: pl.DataFrame, name: str) -> pl.Expr:
    """Whether a value is another one; of another type is another."""
    if both.schema[name] != both.schema[f"{name}_was"]:
        return pl.lit(True)
    return pl.col(name).ne_missing(pl.col(f"{name}_was"))


def _groups(counts: pl.DataFrame) -> Iterator[list[int]]:
    """Batches that are judged together."""
    group: list[int] = []
    held = 0
    for batch, count in counts.iter_rows():
        if group and held + count > GROUP_UNITS:
            yield group
            group, held = [], 0
        group.append(batch)
        held += count
    if group:
        yield group
