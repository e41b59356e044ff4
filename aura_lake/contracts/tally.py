"""How the verdicts of two contracts on the same records differ, in counts; no value is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from aura_lake.contracts.blocking import blocking_rules
from aura_lake.contracts.contract import Contract, Severity
from aura_lake.contracts.rule_list import row_rules
from aura_lake.contracts.verdicts import UNIT
from aura_lake.layouts import CHANGE, JUDGEMENT

#: Of a unit that only one of the two contracts has (of an array, or where there is no contract yet).
NONE = "none"

_WAS = "_was"
_OF_THE_LOG = frozenset({*JUDGEMENT, *CHANGE})
_PLACE = pl.coalesce(
    pl.format("{}#{}", "object", "ordinal"),
    pl.format("{}[{}]@{}", "topic", "partition", "offset"),
)


@dataclass
class RuleCount:
    """Units that break one rule: under the one contract, under the other, and under one of them alone."""

    before: int = 0
    now: int = 0
    newly: int = 0
    no_longer: int = 0
    first: str | None = None  #: the place of the first that breaks it newly


@dataclass
class Tally:
    """Grows with `add`. `days`: (waiting, judged) under the new contract by landing day."""

    units: int = 0
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)  #: (before, now)
    rules: dict[str, RuleCount] = field(default_factory=dict)
    values: Counter[str] = field(default_factory=Counter)  #: column: units valid under both whose value differs
    days: dict[date, tuple[int, int]] = field(default_factory=dict)

    def add(self, before: pl.DataFrame | None, now: pl.DataFrame) -> None:
        """Count a slice: rows as `Judge` gives them, of the same records under the one and the other contract."""
        both = _paired(before, now)
        self.units += both.height
        for was, verdict, count in both.group_by("verdict_was", "verdict").len().iter_rows():
            self.verdicts[was, verdict] += count
        self._count_rules(both)
        self._count_values(both)
        judged = both.filter(pl.col("verdict").is_in(["valid", "quarantined"]))
        waits = (pl.col("verdict") == "quarantined").sum()
        by_day = judged.group_by(pl.col("landed_at").dt.date()).agg(waits.alias("bad"), pl.len())
        for day, bad, count in by_day.iter_rows():
            had = self.days.get(day, (0, 0))
            self.days[day] = (had[0] + bad, had[1] + count)

    def moved(self, was: str, now: str) -> int:
        """The units that go from one verdict to another."""
        return self.verdicts[was, now]

    @property
    def passing(self) -> int:
        """Units that wait under the one contract, and would pass under the other."""
        return self.moved("quarantined", "valid")

    @property
    def waiting(self) -> int:
        """Units that pass under the one contract, and would wait under the other."""
        return self.moved("valid", "quarantined")

    def blocks(self, contract: Contract, *, before: bool = False) -> list[str]:
        """Why rows among those counted would hold back publication; of table rules it does not know."""
        found = []
        for rule in blocking_rules(contract):
            counted = self.rules.get(rule, RuleCount())
            count = counted.before if before else counted.now
            if count:
                found.append(f"{count:,} rows would wait that break {rule}")
        if contract.error_budget is not None and not before:
            for day, (bad, judged) in sorted(self.days.items()):
                if judged and bad / judged > contract.error_budget:
                    budget = f"{contract.error_budget:.2%}"
                    found.append(f"{bad:,} of {judged:,} records of {day} would wait; the error budget is {budget}")
        return found

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON."""
        verdicts: dict[str, dict[str, int]] = {}
        for (was, now), count in sorted(self.verdicts.items()):
            verdicts.setdefault(was, {})[now] = count
        return {
            "units": self.units,
            "would_pass": self.passing,
            "would_wait": self.waiting,
            "verdicts": verdicts,
            "rules": {name: vars(count) for name, count in sorted(self.rules.items())},
            "changed_values": dict(sorted(self.values.items())),
        }

    def _count_rules(self, both: pl.DataFrame) -> None:
        names = pl.concat_list("broken_rules", "warnings").alias("rules")
        stood = pl.concat_list(f"broken_rules{_WAS}", f"warnings{_WAS}").alias("stood")
        told = both.select(names, stood, _PLACE.alias("place")).filter(
            (pl.col("rules").list.len() > 0) | (pl.col("stood").list.len() > 0)
        )
        if told.is_empty():
            return
        newly = pl.col("rules").list.set_difference("stood")
        gone = pl.col("stood").list.set_difference("rules")
        for member, column in (("now", pl.col("rules")), ("before", pl.col("stood")), ("no_longer", gone)):
            for rule, count in _counted(told, column):
                setattr(self._rule(rule), member, getattr(self._rule(rule), member) + count)
        firsts = told.select(newly.alias("rule"), "place").explode("rule").drop_nulls("rule")
        for rule, count, place in firsts.group_by("rule").agg(pl.len(), pl.col("place").first()).iter_rows():
            counted = self._rule(rule)
            counted.newly += count
            counted.first = counted.first or place

    def _count_values(self, both: pl.DataFrame) -> None:
        valid = both.filter((pl.col("verdict") == "valid") & (pl.col("verdict_was") == "valid"))
        shared = [name.removesuffix(_WAS) for name in valid.columns if name.endswith(_WAS)]
        skipped = {"verdict", "broken_rules", "warnings"}
        for name in (name for name in shared if name not in skipped and name in valid.columns):
            was, now = valid[f"{name}{_WAS}"], valid[name]
            differs = was.ne_missing(now).sum() if was.dtype == now.dtype else len(now)
            if differs:
                self.values[name] += int(differs)

    def _rule(self, name: str) -> RuleCount:
        return self.rules.setdefault(name, RuleCount())


def severities(contract: Contract | None) -> Mapping[str, Severity]:
    """What breaking each row rule of a contract does, by the rule's name."""
    if contract is None:
        return {}
    blocks = set(blocking_rules(contract))
    return {rule.name: Severity.BLOCK if rule.name in blocks else rule.severity for rule in row_rules(contract)}


def _paired(before: pl.DataFrame | None, now: pl.DataFrame) -> pl.DataFrame:
    """The new rows, each with the old ones' columns as `…_was`."""
    lists = {"broken_rules", "warnings"}
    if before is None:
        empty = [pl.lit([], pl.List(pl.String)).alias(f"{name}{_WAS}") for name in lists]
        return now.with_columns(*empty, verdict_was=pl.lit(NONE))
    own = {"verdict", *lists, *(name for name in before.columns if name not in _OF_THE_LOG)}
    was = before.select(*UNIT, *(pl.col(name).alias(f"{name}{_WAS}") for name in before.columns if name in own))
    both = now.join(was, on=list(UNIT), how="full", coalesce=True, nulls_equal=True, maintain_order="left_right")
    filled = [pl.col(name).fill_null([]) for name in (*lists, *(f"{name}{_WAS}" for name in lists))]
    return both.with_columns(
        *filled, pl.col("verdict").fill_null(NONE), verdict_was=pl.col(f"verdict{_WAS}").fill_null(NONE)
    )


def _counted(told: pl.DataFrame, names: pl.Expr) -> list[tuple[str, int]]:
    counted = told.select(names.alias("rule")).explode("rule").drop_nulls().group_by("rule").len()
    return [(str(rule), int(count)) for rule, count in counted.iter_rows()]
