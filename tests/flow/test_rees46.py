"""REES46: Firehose objects without newlines to clicks, orders and revenue, by contracts alone."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.steps.land import land, object_rows
from tests.flow.shop_run import ShopRun
from tests.flow.what_people_see import assert_same, look_at, published, verdict_totals


@pytest.fixture(scope="module")
def clicks(rees46: ShopRun) -> pl.DataFrame:
    """silver.clickstream."""
    return rees46.lake.table("clickstream").collect()


@pytest.fixture(scope="module")
def revenue(rees46: ShopRun) -> pl.DataFrame:
    """fct_sales_revenue as published."""
    return published(rees46.lake, "fct_sales_revenue")


@pytest.fixture(scope="module")
def source(rees46_data: Path) -> list[dict[str, str]]:
    """The events as their owner published them."""
    with (rees46_data / "2019-Oct.5k.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


Event = tuple[Any, ...]


def event(row: dict[str, str]) -> Event:
    """An event of the source, with our types."""
    at = datetime.strptime(row["event_time"], "%Y-%m-%d %H:%M:%S UTC")
    words = ("event_type", "product_id", "category_id", "category_code", "brand", "user_id", "user_session")
    return (at, Decimal(row["price"]), *(row[word] or None for word in words))


def test_every_event_stands_exactly_as_often_and_as_exactly_as_in_the_source(
    clicks: pl.DataFrame, source: list[dict[str, str]], rees46_expected: dict[str, Any]
) -> None:
    words = ("event_type", "product_id", "category_id", "category", "brand", "user_id", "session_id")
    naive = clicks.with_columns(pl.col("occurred_at").dt.replace_time_zone(None))
    ours = Counter(naive.select("occurred_at", "price", *words).iter_rows())
    theirs = Counter(map(event, source))
    assert ours == theirs
    assert clicks.height == rees46_expected["valid_rows"] == 5_019
    assert ours.total() - len(ours) == rees46_expected["exact_duplicate_rows"] > 0


def test_ids_of_64_bits_keep_every_digit(clicks: pl.DataFrame, source: list[dict[str, str]]) -> None:
    ids = {row["category_id"] for row in source}
    beyond_doubles = {text for text in ids if int(float(text)) != int(text)}
    assert len(beyond_doubles) > 100, "no id of the source needs more than a double holds: this proves nothing"
    assert set(clicks["category_id"]) == ids


def test_counts_are_those_of_the_source(rees46: ShopRun, clicks: pl.DataFrame, rees46_expected: dict[str, Any]) -> None:
    expected = rees46_expected
    assert dict(clicks.group_by("event_type").len().iter_rows()) == expected["by_type"]
    assert clicks["user_id"].n_unique() == expected["users"]
    assert clicks["session_id"].n_unique() == expected["sessions"]
    assert clicks["category"].null_count() == expected["null_category_code"]
    assert clicks["brand"].null_count() == expected["null_brand"]
    assert not (clicks["category"] == "").any()
    assert clicks.filter(pl.col("price") == 0).height == expected["zero_price"]
    assert rees46.lake.table("products").collect().height == expected["products"]
    assert rees46.lake.table("orders").collect()["session_id"].n_unique() == expected["orders_by_session"]
    assert object_rows(rees46.lake.bronze("raw_events")).height == expected["firehose_objects"]
    quarantined = [verdict_totals(rees46.lake, name).get("quarantined", 0) for name in rees46.lake.shop.contracts]
    assert quarantined == [expected["malformed_rows"]] * 4


def test_purchases_are_orders_lines_and_products_by_contracts_alone(
    rees46: ShopRun, source: list[dict[str, str]], revenue: pl.DataFrame, rees46_expected: dict[str, Any]
) -> None:
    purchases = rees46_expected["by_type"]["purchase"]
    others = rees46_expected["valid_rows"] - purchases
    for name in ("orders", "order_items"):
        assert rees46.lake.table(name).collect().height == purchases
        assert verdict_totals(rees46.lake, name) == {"valid": purchases, "ignored": others}
    assert revenue.height == purchases
    bought = Counter(
        (row["user_id"], row["product_id"], Decimal(row["price"])) for row in source if row["event_type"] == "purchase"
    )
    assert Counter(revenue.select("user_id", "product_id", "net_revenue").iter_rows()) == bought


def test_revenue_by_hour_brand_and_category_equals_the_source_to_the_cent(
    revenue: pl.DataFrame, rees46_expected: dict[str, Any]
) -> None:
    expected = rees46_expected
    assert revenue["net_revenue"].sum() == Decimal(expected["purchase_revenue_all_rows"]) == Decimal("14786.59")
    assert revenue.unique().height == revenue.height
    hours = revenue.group_by(pl.col("ordered_at").dt.strftime("%Y-%m-%dT%H")).agg(pl.len(), pl.col("net_revenue").sum())
    assert {hour: [count, total] for hour, count, total in hours.iter_rows()} == {
        hour: [count, Decimal(total)] for hour, (count, total) in expected["revenue_by_hour"].items()
    }
    brands = revenue.group_by(pl.col("brand").fill_null("(none)")).agg(pl.col("net_revenue").sum())
    ranked = sorted(brands.iter_rows(), key=lambda pair: -pair[1])[:10]
    assert ranked == [(brand, Decimal(total)) for brand, total in expected["revenue_top10_brand"]]
    top = pl.col("category").str.split(".").list.first().fill_null("(none)")
    categories = revenue.group_by(top).agg(pl.col("net_revenue").sum())
    assert dict(categories.iter_rows()) == {
        name: Decimal(total) for name, total in expected["revenue_by_top_category"].items()
    }


def test_the_source_names_no_currency_and_no_channel_and_none_is_made_up(revenue: pl.DataFrame) -> None:
    for column in ("currency", "region", "channel", "campaign", "device_os", "attributed_at"):
        assert revenue[column].null_count() == revenue.height, column


def test_landing_and_running_again_adds_nothing(rees46: ShopRun) -> None:
    lake = rees46.lake
    before = look_at(lake)
    bronze = lake.bronze("raw_events").version
    feed = lake.shop.feeds["raw_events"]
    report = land(lake, feed)
    assert (report.objects, report.records, report.batches) == (0, 0, 0)
    assert rees46.run().written == {}
    assert lake.bronze("raw_events").version == bronze
    assert_same(look_at(lake), before)


def test_the_ledger_of_rees46_balances(rees46: ShopRun) -> None:
    assert rees46.count().problems() == []
