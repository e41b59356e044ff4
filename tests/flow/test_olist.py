"""Olist from change files and CSVs to gold, against numbers that others computed from the source CSVs."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.flow.shop_run import ShopRun
from tests.flow.what_people_see import published, verdict_totals, versions

#: Olist's words for orders that sold nothing.
UNSOLD = ("canceled", "unavailable")


def changes(data: Path, table: str) -> list[dict[str, Any] | None]:
    """Every line of a change feed, by plain means; tombstones are None."""
    files = sorted((data / "cdc" / f"olist.public.{table}").rglob("*.jsonl.gz"))
    return [json.loads(line) for file in files for line in gzip.open(file, "rt", encoding="utf-8")]


def rows(data: Path, name: str) -> list[dict[str, str]]:
    """A CSV, by plain means."""
    with (data / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def purged(olist_data: Path) -> set[str]:
    """Orders that were deleted at the source."""
    return {change["before"]["order_id"] for change in changes(olist_data, "orders") if change and change["op"] == "d"}


@pytest.fixture(scope="module")
def revenue(olist: ShopRun) -> pl.DataFrame:
    """fct_sales_revenue as published."""
    return published(olist.lake, "fct_sales_revenue")


def sums(frame: pl.DataFrame, by: str) -> dict[Any, Decimal]:
    """Net revenue by a column, groups that sold nothing left out."""
    totals = frame.group_by(by).agg(pl.col("net_revenue").sum())
    return {key: total for key, total in totals.iter_rows() if total}


def amounts(expected: dict[str, str]) -> dict[str, Decimal]:
    return {key: Decimal(text) for key, text in expected.items()}


def test_every_order_but_the_purged_ones_lives(
    olist: ShopRun, olist_expected: dict[str, Any], purged: set[str], revenue: pl.DataFrame
) -> None:
    assert len(purged) == olist_expected["cdc_manifest"]["purged_orders"]
    live = set(olist.lake.table("orders").collect()["order_id"])
    assert len(live) == olist_expected["orders_after_purge"] == 3_983
    assert live.isdisjoint(purged)
    for frame in (published(olist.lake, "fct_orders"), revenue, olist.lake.table("order_touchpoints").collect()):
        assert set(frame["order_id"]) == live
    ended = versions(olist.lake, "orders").filter(pl.col("order_id").is_in(purged))
    assert not ended["is_current"].any()
    assert set(ended["order_id"]) == purged


def test_live_orders_stand_as_the_source_has_them(olist: ShopRun, olist_data: Path, purged: set[str]) -> None:
    source = {row["order_id"]: row for row in rows(olist_data, "orders.csv") if row["order_id"] not in purged}
    times = {
        "ordered_at": "order_purchase_timestamp",
        "approved_at": "order_approved_at",
        "shipped_at": "order_delivered_carrier_date",
        "delivered_at": "order_delivered_customer_date",
        "estimated_delivery_at": "order_estimated_delivery_date",
    }
    live = olist.lake.table("orders").collect()
    assert live.height == len(source)
    for order in live.iter_rows(named=True):
        row = source[order["order_id"]]
        assert order["order_status"] == row["order_status"].replace("canceled", "cancelled")
        for ours, theirs in times.items():
            stamp = order[ours]
            assert ("" if stamp is None else f"{stamp:%Y-%m-%d %H:%M:%S}") == row[theirs], (order["order_id"], ours)


def test_net_revenue_by_month_equals_the_source_to_the_cent(
    olist: ShopRun, olist_expected: dict[str, Any], revenue: pl.DataFrame
) -> None:
    by_month = revenue.with_columns(month=pl.col("ordered_at").dt.strftime("%Y-%m"))
    expected = {month: Decimal(told["revenue"]) for month, told in olist_expected["revenue_by_month"].items()}
    assert sums(by_month, "month") == expected
    assert revenue["net_revenue"].sum() == Decimal(olist_expected["revenue_total"]) == Decimal("547666.75")
    by_day = by_month.with_columns(month=pl.col("order_date").dt.strftime("%Y-%m"))
    assert sums(by_day, "month") == expected  # the shop's time zone is UTC
    sold = by_month.filter(~pl.col("order_status").is_in(["cancelled", "unavailable"]) & (pl.col("line_number") != "0"))
    freight = olist.lake.table("order_items").select("order_id", "line_number", "shipping_amount").collect()
    counted = (
        sold.join(freight, on=["order_id", "line_number"], how="left")
        .group_by("month")
        .agg(pl.col("order_id").n_unique(), pl.len(), pl.col("shipping_amount").sum())
    )
    assert {month: (orders, items, cost) for month, orders, items, cost in counted.iter_rows()} == {
        month: (told["orders"], told["items"], Decimal(told["freight"]))
        for month, told in olist_expected["revenue_by_month"].items()
    }


def test_net_revenue_by_category_equals_the_source_to_the_cent(
    olist_data: Path, olist_expected: dict[str, Any], purged: set[str], revenue: pl.DataFrame
) -> None:
    ours = sums(revenue.filter(pl.col("line_number") != "0"), "category")
    ranked = sorted(ours.items(), key=lambda pair: -pair[1])
    top = [(name, Decimal(text)) for name, text in olist_expected["revenue_by_category_top10"]]
    assert [pair for pair in ranked if pair[0] is not None][:10] == top
    assert ours == revenue_by_category(olist_data, purged)


def revenue_by_category(data: Path, purged: set[str]) -> dict[str | None, Decimal]:
    """All categories from the CSVs, by the rules of the data's README."""
    sold = {row["order_id"] for row in rows(data, "orders.csv") if row["order_status"] not in UNSOLD} - purged
    names = rows(data, "product_category_name_translation.csv")
    english = {row["product_category_name"]: row["product_category_name_english"] for row in names}
    category = {row["product_id"]: row["product_category_name"] or None for row in rows(data, "products.csv")}
    totals: dict[str | None, Decimal] = defaultdict(Decimal)
    for line in rows(data, "order_items.csv"):
        if line["order_id"] in sold:
            own = category[line["product_id"]]
            totals[None if own is None else english.get(own, own)] += Decimal(line["price"])
    return dict(totals)


def test_categories_without_translation_and_no_category_keep_their_revenue(
    olist: ShopRun, olist_data: Path, olist_expected: dict[str, Any], purged: set[str], revenue: pl.DataFrame
) -> None:
    missing = olist_expected["categories_missing_translation"]
    source = revenue_by_category(olist_data, purged)
    ours = sums(revenue.filter(pl.col("line_number") != "0"), "category")
    assert set(missing).isdisjoint(olist.lake.table("categories").collect()["category"])
    sold = [name for name in missing if name in source]
    assert sold, "neither of the untranslated categories was sold: this test proves nothing"
    for name in (*sold, None):
        assert ours[name] == source[name] > 0


def test_net_revenue_by_state_of_the_customer_version_equals_the_source_to_the_cent(
    olist: ShopRun, olist_expected: dict[str, Any], revenue: pl.DataFrame
) -> None:
    customers = published(olist.lake, "dim_customers")
    placed = revenue.join(customers.select("customer_key", "state"), on="customer_key", how="left")
    assert placed.height == revenue.height
    assert sums(placed, "state") == amounts(olist_expected["revenue_by_state"])
    known = revenue.filter(pl.col("customer_key") != "unknown")
    assert known.height == revenue.height, "orders that precede the snapshot of their user take its first version"


def test_the_customers_of_gold_are_the_users_of_silver(olist: ShopRun, olist_expected: dict[str, Any]) -> None:
    users = olist.lake.table("users").collect()
    customers = published(olist.lake, "dim_customers").filter(pl.col("customer_key") != "unknown")
    current = customers.filter("is_current")
    assert users.height == current.height == olist_expected["users"]
    assert set(users["user_id"]) == set(current["user_id"])
    assert customers.height == olist_expected["user_address_versions"]
    repeat = published(olist.lake, "fct_orders").group_by("user_id").len().filter(pl.col("len") > 1)
    assert repeat.height == olist_expected["repeat_users"]


def test_payments_are_all_there_by_type(olist: ShopRun, olist_expected: dict[str, Any], purged: set[str]) -> None:
    payments, expected = olist.lake.table("payments").collect(), olist_expected["payments"]
    assert (payments.height, payments["amount"].sum()) == (expected["rows"], Decimal(expected["total"]))
    by_type = payments.group_by("payment_type").agg(pl.len(), pl.col("amount").sum())
    assert {name: [count, total] for name, count, total in by_type.iter_rows()} == {
        name: [count, Decimal(total)] for name, (count, total) in expected["by_type"].items()
    }
    of_purged = payments.filter(pl.col("order_id").is_in(purged))
    assert (of_purged.height, of_purged["amount"].sum()) == (19, Decimal("3834.64"))  # from the data's README


def test_orders_without_items_keep_one_row_in_the_fact(
    olist: ShopRun, olist_data: Path, olist_expected: dict[str, Any], purged: set[str], revenue: pl.DataFrame
) -> None:
    with_items = {row["order_id"] for row in rows(olist_data, "order_items.csv")}
    without = {row["order_id"] for row in rows(olist_data, "orders.csv")} - with_items
    assert len(without) == olist_expected["orders_without_items"]
    bare = revenue.filter(pl.col("line_number") == "0")
    assert sorted(bare["order_id"]) == sorted(without - purged)
    assert bare.height == 6
    assert bare["net_revenue"].to_list() == [Decimal(0)] * 6  # Olist's orders carry no amount
    assert bare["product_id"].null_count() == 6


def test_every_line_of_a_live_order_stands_once(
    olist: ShopRun, olist_data: Path, purged: set[str], revenue: pl.DataFrame
) -> None:
    source = Counter(
        (row["order_id"], row["order_item_id"], row["product_id"], Decimal(row["price"]))
        for row in rows(olist_data, "order_items.csv")
        if row["order_id"] not in purged
    )
    lines = revenue.filter(pl.col("line_number") != "0")
    ours = Counter(lines.select("order_id", "line_number", "product_id", "gross_revenue").iter_rows())
    assert ours == source
    items = published(olist.lake, "fct_order_items")
    assert items.height == len(rows(olist_data, "order_items.csv"))


def test_every_change_has_the_verdict_that_the_files_tell(
    olist: ShopRun, olist_data: Path, olist_expected: dict[str, Any]
) -> None:
    lines = tombstones = 0
    for table, name in (("orders", "orders"), ("order_payments", "payments"), ("users", "users")):
        read = changes(olist_data, table)
        seen = Counter(
            (change["op"], change["source"]["lsn"], json.dumps(change["after"] or change["before"], sort_keys=True))
            for change in map(unwrap, read)
            if change
        )
        totals = verdict_totals(olist.lake, name)
        assert totals.get("valid", 0) == len(seen), name
        assert totals.get("duplicate", 0) == seen.total() - len(seen), name
        assert totals.get("ignored", 0) == read.count(None), name
        assert sum(totals.values()) == len(read), name
        lines, tombstones = lines + len(read), tombstones + read.count(None)
    replay = olist_expected["cdc_replay"]
    assert (lines, tombstones) == (replay["lines"], replay["tombstone_lines"])


def unwrap(change: dict[str, Any] | None) -> dict[str, Any] | None:
    """The envelope; payments carry a schema beside it."""
    return change["payload"] if change and "payload" in change else change


def test_no_address_of_a_person_stands_behind_bronze(olist: ShopRun, olist_data: Path) -> None:
    emails = {(change["after"] or change["before"])["email"] for change in changes(olist_data, "users") if change}
    assert len(emails) == 3_998
    silver = olist.lake.table("users").collect()
    assert "email" not in silver.columns
    assert silver["email_hash"].n_unique() == len(emails)
    for file in Path(olist.lake.settings.home).rglob("*"):
        if file.suffix in (".json", ".sql") and "bronze" not in file.parts:
            found = file.read_text()
            assert not any(email in found for email in emails), file
    for name in ("users_log", "users", "users_history"):
        texts = pl.read_delta(olist.lake.settings.uri("silver", name)).select(pl.col(pl.String))
        assert not any(texts[column].is_in(list(emails)).any() for column in texts.columns), name


def test_the_ledger_of_olist_balances(olist: ShopRun) -> None:
    ledger = olist.count()
    assert ledger.problems() == []
    assert ledger.balanced
    assert {line.table: line.waiting_records for line in ledger.tables} == dict.fromkeys(olist.lake.shop.contracts, 0)
