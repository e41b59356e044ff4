"""Which tables may not be published now, and why.

Three things hold a table back: rows that wait because they broke a rule of severity block, a broken table
rule of that severity, and more bad records in a day than the contract's error budget. Judging and state
never stop for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from aura_lake.contracts.blocking import blocking_rules
from aura_lake.contracts.contract import Contract, Severity, TableRule
from aura_lake.contracts.table_rules import TableRuleResult, judge_table_rules
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.lake import Lake

#: Verdicts that count as a day's records in the error budget.
_JUDGED = ("valid", "quarantined", "truncate")


def blocked_tables(lake: Lake) -> dict[str, str]:
    """The tables whose publication is held back, each with the reason: rule names and counts, no values."""
    reasons = {name: _reasons(lake, contract) for name, contract in lake.shop.contracts.items()}
    return {name: " ".join(found) for name, found in reasons.items() if found}


def check_table_rules(lake: Lake, contract: Contract, rules: Sequence[TableRule]) -> list[TableRuleResult]:
    """Table rules of a contract, judged on the rows the table has now."""
    if not rules:
        return []
    rows = lake.table(contract.table)
    targets = {rule.references for rule in rules if rule.references}
    references = {target: values for target in targets if (values := _values_of(lake, target)) is not None}
    return judge_table_rules(rules, rows, references, datetime.now(UTC))


def waiting_by_rule(lake: Lake, contract: Contract) -> pl.DataFrame:
    """`rule`, `rows`: the rows that wait in quarantine, by each rule they broke."""
    waiting = standing_rows(lake.log(contract), ["quarantined"]).filter(pl.col("verdict") == "quarantined")
    return _count_names(waiting, "broken_rules")


def warned_by_rule(lake: Lake, contract: Contract) -> pl.DataFrame:
    """`rule`, `rows`: the valid rows that carry a warning, by rule."""
    return _count_names(standing_rows(lake.log(contract), ["valid", "truncate"]), "warnings")


def spent_budget(lake: Lake, contract: Contract) -> tuple[str, int, int] | None:
    """(day, quarantined, judged) of the worst landing day in quarantine; None where nothing waits."""
    day = pl.col("landed_at").dt.date().alias("day")
    log = lake.log(contract)
    waiting = standing_rows(log, ["quarantined"]).filter(pl.col("verdict") == "quarantined")
    bad = waiting.group_by(day).agg(pl.len().alias("bad")).collect(engine="streaming")
    if bad.is_empty():
        return None
    judged = standing_rows(log, _JUDGED).select(*UNIT, day)
    all_of_day = judged.join(bad.lazy().select("day"), on="day", how="semi").group_by("day").agg(pl.len().alias("all"))
    days = all_of_day.collect(engine="streaming").join(bad, on="day").with_columns(share=pl.col("bad") / pl.col("all"))
    worst = days.sort("share", "day", descending=True).row(0, named=True)
    return str(worst["day"]), int(worst["bad"]), int(worst["all"])


def _reasons(lake: Lake, contract: Contract) -> list[str]:
    if not lake.log(contract).exists:
        return []
    found = []
    blocking = blocking_rules(contract)
    if blocking:
        waiting = dict(waiting_by_rule(lake, contract).iter_rows())
        found += [f"{waiting[name]} rows wait that break {name}." for name in blocking if waiting.get(name)]
    rules = [rule for rule in contract.table_rules if rule.severity is Severity.BLOCK]
    results = check_table_rules(lake, contract, rules)
    found += [f"{result.rule.name} is broken: {result.says}" for result in results if not result.passed]
    if contract.error_budget is not None and (spent := spent_budget(lake, contract)) is not None:
        day, bad, judged = spent
        if bad / judged > contract.error_budget:
            budget = f"{contract.error_budget:.2%}"
            found.append(f"{bad} of {judged} records of {day} are in quarantine; the error budget is {budget}.")
    return found


def _count_names(rows: pl.LazyFrame, column: str) -> pl.DataFrame:
    named = rows.select(column).filter(pl.col(column).list.len() > 0).explode(column)
    counted = named.group_by(pl.col(column).alias("rule")).agg(pl.len().cast(pl.Int64).alias("rows"))
    return counted.sort("rule").collect(engine="streaming")


def _values_of(lake: Lake, target: str) -> pl.Series | None:
    """The distinct values of `table.column`; None where the shop has no such table."""
    table, _, name = target.partition(".")
    contract = lake.shop.contracts.get(table)
    if contract is None:
        return None
    column = next(c for c in contract.columns if c.name == name).silver_name
    values = lake.table(table).select(pl.col(column).unique()).collect(engine="streaming").to_series()
    return values.drop_nulls()
