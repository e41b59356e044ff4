"""UCI: a CSV a day to invoices, lines and revenue; files delivered again change nothing."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.steps.land import object_rows
from tests.flow.shop_run import SHOPS, ShopRun, open_shop
from tests.flow.what_people_see import Seen, assert_same, look_at, published, verdict_totals, without_gold


@pytest.fixture(scope="module")
def revenue(uci: ShopRun) -> pl.DataFrame:
    """fct_sales_revenue as published."""
    return published(uci.lake, "fct_sales_revenue")


@pytest.fixture(scope="module")
def lines(uci: ShopRun) -> pl.DataFrame:
    """silver.order_items."""
    return uci.lake.table("order_items").collect()


def told(frame: pl.DataFrame, by: str, *what: pl.Expr) -> dict[Any, list[Any]]:
    return {row[0]: list(row[1:]) for row in frame.group_by(by).agg(*what).iter_rows()}


def test_rows_invoices_and_net_revenue_of_each_day_equal_the_source(
    revenue: pl.DataFrame, uci_expected: dict[str, Any]
) -> None:
    by_day = revenue.with_columns(day=pl.col("order_date").cast(pl.String))
    ours = told(by_day, "day", pl.len(), pl.col("order_id").n_unique(), pl.col("net_revenue").sum())
    assert ours == {
        day: [rows, invoices, Decimal(net)] for day, (rows, invoices, net) in uci_expected["by_day"].items()
    }
    assert revenue["net_revenue"].sum() == Decimal(uci_expected["net_revenue"]) == Decimal("748957.020")
    assert revenue.height == uci_expected["rows"] == 42_481


def test_counts_are_those_of_the_source(
    uci: ShopRun, lines: pl.DataFrame, revenue: pl.DataFrame, uci_expected: dict[str, Any]
) -> None:
    expected, lake = uci_expected, uci.lake
    assert lines.height == expected["rows"]
    originals = object_rows(lake.bronze("by_day")).filter(pl.col("object_copy_of").is_null())
    assert originals.height == expected["files"]
    assert lake.table("orders").collect().height == expected["invoices"]
    assert lake.table("products").collect().height == expected["stock_codes"]
    assert lake.table("users").collect().height == expected["customers"]
    assert verdict_totals(lake, "users") == {
        "ignored": expected["null_customer"],
        "valid": expected["rows"] - expected["null_customer"],
    }
    assert revenue.filter(pl.col("user_id").is_null()).height == expected["null_customer"]
    assert revenue.filter(pl.col("order_status") == "returned").height == expected["cancellation_rows"]
    assert lines.filter(pl.col("unit_price") <= 0).height == expected["non_positive_price_rows"]
    assert lines.filter(pl.col("unit_price") < 0).height == expected["negative_price_rows"]
    assert lines.filter(pl.col("quantity") < 0).height == expected["negative_quantity_rows"]
    names = lake.log(lake.contract("products")).scan().select("product_name", "product_id").collect()
    assert names["product_name"].null_count() == expected["null_description"]
    several = names.drop_nulls().unique().group_by("product_id").len().filter(pl.col("len") > 1)
    assert several.height == expected["stock_codes_with_several_descriptions"]


def test_net_revenue_by_country_product_and_customer_equals_the_source(
    revenue: pl.DataFrame, uci_expected: dict[str, Any]
) -> None:
    by_country = told(revenue, "region", pl.len(), pl.col("net_revenue").sum())
    assert by_country == {name: [rows, Decimal(net)] for name, (rows, net) in uci_expected["by_country"].items()}
    for column, name in (("product_id", "products"), ("user_id", "customers")):
        totals = told(revenue.filter(pl.col(column).is_not_null()), column, pl.col("net_revenue").sum())
        ranked = sorted(((key, total) for key, (total,) in totals.items()), key=lambda pair: -pair[1])[:10]
        assert ranked == [(key, Decimal(net)) for key, net in uci_expected[f"top10_{name}_by_net_revenue"]]
    sales = revenue.filter(~pl.col("order_id").str.starts_with("C") & (pl.col("gross_revenue") > 0))
    assert sales["gross_revenue"].sum() == Decimal(uci_expected["sales_revenue_excl_cancel_and_nonpositive"])


def test_equal_lines_of_one_invoice_are_separate_lines(
    uci_data: Path, lines: pl.DataFrame, uci_expected: dict[str, Any]
) -> None:
    source: Counter[tuple[str, ...]] = Counter()
    for file in sorted((uci_data / "by-day").glob("*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as rows:
            source.update(tuple(row.values()) for row in csv.DictReader(rows))
    assert source.total() - len(source) == uci_expected["exact_duplicate_rows"]
    ours = Counter(lines.select("order_id", "product_id", "quantity", "unit_price").iter_rows())
    fields: Counter[tuple[Any, ...]] = Counter()
    for row, times in source.items():
        fields[row[0], row[1], int(row[3]), Decimal(row[5])] += times
    assert ours == fields
    assert lines.select("order_id", "line_number").is_unique().all()


def test_of_an_invoice_and_a_customer_told_twice_the_last_stands(uci: ShopRun) -> None:
    """Invoice 536591 has two timestamps and customer 12370 two countries (the data's README)."""
    log = uci.lake.log(uci.lake.contract("orders")).scan().filter(pl.col("order_id") == "536591").collect()
    invoice = uci.lake.table("orders").filter(pl.col("order_id") == "536591").collect()
    assert log["ordered_at"].n_unique() == 2
    assert invoice["ordered_at"].to_list() == [log["ordered_at"].max()]
    seen = uci.lake.log(uci.lake.contract("users")).scan().filter(pl.col("user_id") == "12370").collect()
    customer = uci.lake.table("users").filter(pl.col("user_id") == "12370").collect()
    assert seen["country"].n_unique() == 2
    assert customer["country"].to_list() == [seen.sort("seen_at")["country"].last()]


def test_the_ledger_of_uci_balances(uci: ShopRun) -> None:
    assert uci.count().problems() == []


def test_any_days_file_again_under_any_name_changes_nothing(uci: ShopRun, uci_expected: dict[str, Any]) -> None:
    before = look_at(uci.lake)
    folder = Path(uci.lake.shop.feeds["by_day"].location)
    files = sorted(file for file in folder.iterdir() if file.is_file())
    assert len(files) == uci_expected["files"]
    for number, file in enumerate(files):
        again = folder / ("0-again", "zz")[number % 2] / f"copy of {file.name}"
        again.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, again)
        os.utime(file, (2.0e9 + number, 2.0e9 + number))  # uploaded again, the same bytes
    assert uci.run().written == {}
    assert_same(look_at(uci.lake), before)
    copies = object_rows(uci.lake.bronze("by_day")).filter(pl.col("object_copy_of").is_not_null())
    assert copies["record_count"].to_list() == [0] * 2 * len(files)
    assert uci.count().problems() == []


DAYS = ("2010-12-19.csv", "2010-12-22.csv", "2010-12-23.csv")


class Deliveries:
    """A few days of the shop in a folder of their own, delivered and delivered again."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.source, self.days = data / "by-day", folder / "uci" / "by-day"
        self.days.mkdir(parents=True)
        for name in DAYS:
            shutil.copy2(self.source / name, self.days / name)
        self.shop = open_shop(SHOPS / "uci", folder / "lake", {"UCI_DATA": str(self.days.parent)})

    def run(self) -> Seen:
        self.shop.run()
        return look_at(self.shop.lake)


@pytest.fixture
def deliveries(uci_data: Path, tmp_path: Path) -> Deliveries:
    return Deliveries(uci_data, tmp_path)


def test_a_corrected_file_takes_the_place_of_the_old_and_old_bytes_bring_it_back(
    deliveries: Deliveries, tmp_path: Path, uci_data: Path
) -> None:
    before = deliveries.run()
    corrected = deliveries.days / DAYS[1]
    head, *rest = corrected.read_bytes().splitlines(keepends=True)
    corrected.write_bytes(b"".join([head, *rest[10:]]))
    os.utime(corrected, (2.0e9, 2.0e9))
    after = deliveries.run()
    fresh = Deliveries(uci_data, tmp_path / "fresh")
    shutil.copy2(corrected, fresh.days / DAYS[1])
    fresh.shop.run_silver()
    wanted = look_at(fresh.shop.lake, gold=False)
    assert_only_set_aside_differs(without_gold(after), wanted, superseded=len(rest))
    lines = after.tables["silver.order_items"]
    sold = lines.select((pl.col("quantity") * pl.col("unit_price")).sum()).item()
    assert after.tables["gold.fct_sales_revenue"]["net_revenue"].sum() == sold
    shutil.copyfile(deliveries.source / DAYS[1], corrected)
    os.utime(corrected, (2.1e9, 2.1e9))
    assert_only_set_aside_differs(deliveries.run(), before, superseded=len(rest) - 10)
    assert deliveries.shop.count().problems() == []


def assert_only_set_aside_differs(seen: Seen, wanted: Seen, *, superseded: int) -> None:
    """The tables are equal; of each table so many records of the other version are superseded."""
    standing = {
        name: {told: count for told, count in verdicts.items() if told[0] != "superseded"}
        for name, verdicts in seen.verdicts.items()
    }
    for name, verdicts in seen.verdicts.items():
        assert sum(verdicts.values()) - sum(standing[name].values()) == superseded, name
    assert_same(Seen(seen.tables, standing), wanted)
