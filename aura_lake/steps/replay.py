"""Replay and discard: what people decide about the units that wait.

Either is written down as a decision and takes effect as any decision does (`carry_out`): at once where this process
applies, else with the next turn of whoever does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.discards import DISCARDED, pack_units
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.decisions import Decision, decide
from aura_lake.delta.watermarks import LOG
from aura_lake.errors import QueryError
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.steps.carry_out import CarriedOut, carry_out
from aura_lake.steps.concerns import DISCARD, REPLAY, named_units, waiting
from aura_lake.steps.fold import fold
from aura_lake.steps.rejudge import Rejudged, rejudge
from aura_lake.steps.unit_judge import UnitJudge

#: The reason of a replay for which nobody gives one.
WHY_REPLAYED = "Judged again under the present contract."

_PLACE_PARTS = pl.when(pl.col("part") > 0).then(pl.format(" part {}", "part")).otherwise(pl.lit(""))
_RECORD = (
    pl.when(pl.col("object").is_not_null())
    .then(pl.format("{}#{}", pl.col("object").fill_null(""), pl.col("ordinal").fill_null(-1)))
    .otherwise(
        pl.format(
            "{}[{}]@{}",
            pl.col("topic").fill_null(""),
            pl.col("partition").fill_null(-1),
            pl.col("offset").fill_null(-1),
        )
    )
)


@dataclass(frozen=True)
class Chosen:
    """Units of a table that wait: all, those that broke one rule, or those at some places (`object#ordinal`,
    `topic[partition]@offset`; with ` part n` one element of an array, else all of its record)."""

    contract: Contract
    rule: str | None = None
    places: tuple[str, ...] = ()

    def units(self, lake: Lake, *, discarded: bool = False) -> pl.DataFrame:
        """`UNIT`, `feed_batch`, `broken_rules` of the units. `discarded`: a place may also be one that was given up.
        Raises QueryError where a place that was named holds no such unit."""
        outcomes = ["quarantined", "set_aside"] if discarded and self.places else ["quarantined"]
        rows = standing_rows(lake.log(self.contract), outcomes)
        rows = rows.filter(pl.col("verdict").is_in(["quarantined", DISCARDED]))
        if self.rule is not None:
            rows = rows.filter(pl.col("broken_rules").list.contains(self.rule))
        if not self.places:
            return rows.select(*UNIT, "feed_batch", "broken_rules").collect()
        whole = pl.concat_str(_RECORD, _PLACE_PARTS)
        named = rows.with_columns(_record=_RECORD, _unit=whole).filter(
            pl.col("_record").is_in(self.places) | pl.col("_unit").is_in(self.places)
        )
        found = named.select(*UNIT, "feed_batch", "broken_rules", "_record", "_unit").collect()
        missing = [p for p in self.places if p not in {*found["_record"].to_list(), *found["_unit"].to_list()}]
        if missing:
            raise QueryError(
                f"{self.contract.table}: nothing waits at {missing[0]!r} ({len(missing)} such places).",
                fix=f"`aura quarantine show {self.contract.table}` names the places of what waits.",
            )
        return found.drop("_record", "_unit")


def try_replay(lake: Lake, chosen: Chosen, judge: UnitJudge | None = None) -> Rejudged:
    """What a replay of these units would find. Nothing is written."""
    predicate = waiting(rule=chosen.rule)
    if chosen.places:
        units = chosen.units(lake, discarded=True)
        predicate = named_units(units, units["feed_batch"].unique().to_list())
    return rejudge(lake, chosen.contract, predicate, dry_run=True, judge=judge)


def decide_replay(lake: Lake, chosen: Chosen, *, who: str, why: str = WHY_REPLAYED) -> Decision | None:
    """The decision to judge these units again; None, and none written, where none of them waits."""
    units = chosen.units(lake, discarded=True)
    if units.is_empty():
        return None
    facts = {"table": chosen.contract.table, "rule": chosen.rule, "upto": lake.log(chosen.contract).watermark(LOG)}
    named = _named(units) if chosen.places else {}
    return decide(lake, REPLAY, {**facts, **named}, who=who, why=why)


def decide_discard(lake: Lake, chosen: Chosen, *, who: str, why: str) -> Decision | None:
    """The decision to give these units up; None, and none written, where none of them waits."""
    units = chosen.units(lake)
    if units.is_empty():
        return None
    facts = {"table": chosen.contract.table, "rule": chosen.rule, **_named(units)}
    return decide(lake, DISCARD, facts, who=who, why=why)


def apply(lake: Lake, contract: Contract) -> CarriedOut | None:
    """Carry out what was decided for a table, and fold what came of it. Only whoever holds the lease calls this."""
    done = carry_out(lake, contract)[1]
    if done is not None and is_folded(contract):
        fold(lake, contract)
    return done


def _named(units: pl.DataFrame) -> dict[str, Sequence[object]]:
    return {"units": pack_units(units), "batches": units["feed_batch"].unique().sort().to_list()}
