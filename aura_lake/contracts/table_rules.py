"""Rules that look beyond one record, judged on the current rows of a table.

They divert nothing: a row that breaks one stays (an orphan joins the unknown member). A result holds
counts, never values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from aura_lake.contracts.contract import TableRule


@dataclass(frozen=True)
class TableRuleResult:
    """What one table rule found: rows looked at, rows that break it, and the sentence that says so."""

    rule: TableRule
    passed: bool
    rows: int
    offenders: int
    says: str


def judge_table_rules(
    rules: Sequence[TableRule], rows: pl.LazyFrame, references: Mapping[str, pl.Series], now: datetime
) -> list[TableRuleResult]:
    """One result a rule, in order.

    `rows`: the current rows, columns by silver name. `references`: for each `table.column` a rule refers to,
    the distinct values there; one that is absent is of a table the shop does not have, and passes.
    """
    judges = {"unique": _unique, "freshness": _freshness, "volume": _volume}
    return [
        _foreign_key(rule, rows, references) if rule.kind == "foreign_key" else judges[rule.kind](rule, rows, now)
        for rule in rules
    ]


def _unique(rule: TableRule, rows: pl.LazyFrame, now: datetime) -> TableRuleResult:
    """Offenders are all rows whose value another row has too. Nulls are not equal to each other."""
    columns = list(rule.columns)
    known = rows.select(columns).drop_nulls()
    times = known.group_by(columns).agg(pl.len().cast(pl.Int64).alias("times"))
    repeated = pl.col("times").filter(pl.col("times") > 1).sum()
    total, shared = times.select(pl.col("times").sum(), repeated.alias("shared")).collect(engine="streaming").row(0)
    says = f"{shared} of {total} rows share their {_and(columns)} with another row."
    return TableRuleResult(rule, shared == 0, total, shared, says)


def _foreign_key(rule: TableRule, rows: pl.LazyFrame, references: Mapping[str, pl.Series]) -> TableRuleResult:
    """Offenders are rows whose value the other table does not have. Nulls refer to nothing."""
    (column,), target = rule.columns, rule.references or ""
    known = references.get(target)
    if known is None:
        return TableRuleResult(
            rule, True, 0, 0, f"The shop has no table {target.partition('.')[0]}: nothing to compare."
        )
    given = rows.select(column).drop_nulls()
    orphans = given.join(pl.LazyFrame({"known": known}), left_on=column, right_on="known", how="anti")
    total = _count(given)
    lost = _count(orphans)
    return TableRuleResult(
        rule, lost == 0, total, lost, f"{lost} of {total} rows refer to a {target} that is not there."
    )


def _freshness(rule: TableRule, rows: pl.LazyFrame, now: datetime) -> TableRuleResult:
    """Broken where the newest value is older than the rule allows, or there is none."""
    (column,), limit = rule.columns, rule.max_age_hours or 0.0
    total, newest = rows.select(pl.len(), pl.col(column).max().alias("newest")).collect(engine="streaming").row(0)
    if not isinstance(newest, datetime):
        return TableRuleResult(rule, False, total, total, f"No row has a {column}; it may be {limit:g} hours old.")
    age = now - newest
    passed = age <= timedelta(hours=limit)
    hours = age.total_seconds() / 3600
    return TableRuleResult(
        rule, passed, total, 0 if passed else 1, f"The newest {column} is {hours:.1f} hours old; {limit:g} are allowed."
    )


def _volume(rule: TableRule, rows: pl.LazyFrame, now: datetime) -> TableRuleResult:
    """Offenders are the rows that are missing."""
    total, least = _count(rows), rule.minimum or 0
    missing = max(0, least - total)
    return TableRuleResult(rule, missing == 0, total, missing, f"{total} rows; at least {least} are expected.")


def _count(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect(engine="streaming").item())


def _and(columns: Sequence[str]) -> str:
    return " and ".join(columns)
