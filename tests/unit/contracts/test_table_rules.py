"""Rules that look beyond one record: what they count, and what they leave alone."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from aura_lake.contracts.contract import TableRule
from aura_lake.contracts.table_rules import TableRuleResult, judge_table_rules

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ROWS = pl.LazyFrame(
    {
        "id": ["1", "2", "3", "4"],
        "email": ["a", "a", None, None],
        "user_id": ["u1", "u9", None, "u1"],
        "seen_at": [datetime(2026, 1, 2, hour, tzinfo=UTC) for hour in (1, 2, 3, 9)],
    }
)
USERS = {"users.user_id": pl.Series(["u1", "u2"])}


def judge(rule: TableRule, rows: pl.LazyFrame = ROWS) -> TableRuleResult:
    (result,) = judge_table_rules([rule], rows, USERS, NOW)
    return result


def test_every_row_that_shares_its_value_is_counted_and_nulls_are_not() -> None:
    result = judge(TableRule("email_is_unique", "unique", ("email",)))
    assert (result.passed, result.rows, result.offenders) == (False, 2, 2)
    assert result.says == "2 of 2 rows share their email with another row."


def test_columns_may_be_unique_together() -> None:
    assert judge(TableRule("both_are_unique", "unique", ("email", "user_id"))).passed


def test_an_orphan_is_counted_and_null_refers_to_nothing() -> None:
    result = judge(TableRule("user_is_known", "foreign_key", ("user_id",), references="users.user_id"))
    assert (result.passed, result.rows, result.offenders) == (False, 3, 1)
    assert result.says == "1 of 3 rows refer to a users.user_id that is not there."


def test_a_reference_to_a_table_the_shop_lacks_passes_and_says_so() -> None:
    result = judge(TableRule("shop_is_known", "foreign_key", ("user_id",), references="stores.store_id"))
    assert result.passed
    assert result.says == "The shop has no table stores: nothing to compare."


@pytest.mark.parametrize(("hours", "passed"), [(3, True), (2.9, False)])
def test_freshness_is_the_age_of_the_newest_value(hours: float, passed: bool) -> None:
    result = judge(TableRule("is_fresh", "freshness", ("seen_at",), max_age_hours=hours))
    assert result.passed is passed
    assert result.says == f"The newest seen_at is 3.0 hours old; {hours:g} are allowed."


def test_an_empty_table_is_a_verdict_and_no_crash() -> None:
    rules = [
        TableRule("is_fresh", "freshness", ("seen_at",), max_age_hours=1),
        TableRule("has_rows", "volume", (), minimum=2),
        TableRule("email_is_unique", "unique", ("email",)),
        TableRule("user_is_known", "foreign_key", ("user_id",), references="users.user_id"),
    ]
    results = judge_table_rules(rules, ROWS.limit(0), USERS, NOW)
    assert [(result.passed, result.offenders) for result in results] == [(False, 0), (False, 2), (True, 0), (True, 0)]


def test_volume_counts_the_rows_that_are_missing() -> None:
    result = judge(TableRule("has_rows", "volume", (), minimum=10))
    assert (result.passed, result.rows, result.offenders) == (False, 4, 6)
    assert result.says == "4 rows; at least 10 are expected."


def test_no_result_holds_a_value() -> None:
    rules = [TableRule("email_is_unique", "unique", ("email",)), TableRule("u", "unique", ("user_id",))]
    told = " ".join(result.says for result in judge_table_rules(rules, ROWS, USERS, NOW))
    assert "u1" not in told.split()
    assert "u9" not in told
