"""The demo shop with all its mess on: the lake ends with what the simulator knows to be true, to the cent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from aura_lake.simulate import MESSES
from tests.flow.conftest import Mart
from tests.flow.what_people_see import published, verdict_totals


@pytest.fixture(scope="module")
def revenue(mart: Mart) -> pl.DataFrame:
    """fct_sales_revenue as published."""
    return published(mart.shop.lake, "fct_sales_revenue")


def test_every_mess_fell_upon_some_record(mart: Mart) -> None:
    assert {name for name, records in mart.report.mess.items() if records} == set(MESSES)


@pytest.mark.parametrize("table", ["users", "products", "orders", "order_items", "payments", "clickstream"])
def test_records_have_the_verdicts_that_the_simulator_knows(mart: Mart, table: str) -> None:
    truth = mart.report.truth.tables[table]
    told = {"valid": truth.valid, "quarantined": truth.quarantined, "duplicate": truth.duplicate}
    told["ignored"] = truth.ignored
    assert verdict_totals(mart.shop.lake, table) == {verdict: count for verdict, count in told.items() if count}
    assert sum(told.values()) == truth.records
    assert mart.shop.lake.table(table).collect().height == truth.live


def test_the_orders_that_live_are_in_the_state_the_simulator_left_them(mart: Mart, revenue: pl.DataFrame) -> None:
    statuses = dict(mart.report.truth.orders_by_status)
    silver = mart.shop.lake.table("orders").group_by("order_status").len().collect()
    assert dict(silver.iter_rows()) == statuses
    gold = revenue.unique("order_id").group_by("order_status").len()
    assert dict(gold.iter_rows()) == statuses


def test_revenue_equals_the_simulators_to_the_cent(mart: Mart, revenue: pl.DataFrame) -> None:
    truth = mart.report.truth
    assert revenue["net_revenue"].sum() == truth.net_revenue > 0
    by_day = dict(revenue.group_by("order_date").agg(pl.col("net_revenue").sum()).iter_rows())
    assert sold(by_day) == sold(truth.revenue_by_day)


@pytest.mark.parametrize("column", ["device_os", "channel"])
def test_revenue_is_credited_to_the_device_and_channel_that_the_simulator_credits(
    mart: Mart, revenue: pl.DataFrame, column: str
) -> None:
    truth = mart.report.truth
    wanted = truth.revenue_by_device if column == "device_os" else truth.revenue_by_channel
    ours = dict(revenue.group_by(column).agg(pl.col("net_revenue").sum()).iter_rows())
    assert sold(ours) == sold(wanted)
    assert len(ours) > 3, "too few groups: this proves nothing"


def test_revenue_by_day_and_device_equals_the_simulators(mart: Mart, revenue: pl.DataFrame) -> None:
    totals = revenue.group_by("order_date", "device_os").agg(pl.col("net_revenue").sum())
    ours: dict[tuple[date, str | None], Decimal] = {(day, device): net for day, device, net in totals.iter_rows()}
    assert sold(ours) == sold(mart.report.truth.revenue_by_day_and_device)


def sold(totals: Mapping[Any, Decimal]) -> dict[Any, Decimal]:
    return {key: total for key, total in totals.items() if total}


def test_the_ledger_of_the_demo_shop_balances(mart: Mart) -> None:
    assert mart.shop.count().problems() == []
