"""The ledger recounts the tables: a row lost, doubled or changed behind its back shows, with its place."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from aura_lake.delta.table import LakeTable
from tests.flow.conftest import Mart
from tests.flow.shop_run import ShopRun, copy_of

#: A table of every kind behind the bronze, and what the ledger calls what is wrong with it.
PLACES = {
    "users_log": "users, batch",
    "clickstream_log": "clickstream, batch",
    "products_history": "products: changes of the log = changes of the history",
    "orders": "orders: live keys of the history = current rows",
    "order_items": "order_items: live keys of the history = current rows",
    "order_touchpoints": "attributed revenue = net revenue",
}


@pytest.fixture
def copy(mart: Mart, tmp_path: Path) -> ShopRun:
    return copy_of(mart.shop, tmp_path / "lake")


def table(shop: ShopRun, name: str) -> str:
    return shop.lake.settings.uri("silver", name)


def some_row(uri: str) -> pl.DataFrame:
    """One row that stands: valid, current, a version."""
    frame = pl.read_delta(uri)
    for column, wanted in (("verdict", "valid"), ("_is_version", True), ("_state", "current")):
        if column in frame.columns:
            frame = frame.filter(pl.col(column) == wanted)
    return frame.sort(pl.all().exclude(pl.List(pl.String))).slice(3, 1)


def delete(uri: str, row: pl.DataFrame) -> None:
    names = [n for n in ("object", "ordinal", "order_id", "line_number", "product_id", "_lsn") if n in row.columns]
    given = {name: row[name].item() for name in names}
    where = " and ".join(f"{n} = {v!r}" for n, v in given.items() if v is not None)
    assert DeltaTable(uri).delete(where)["num_deleted_rows"] == 1


def problems_of(shop: ShopRun) -> list[str]:
    ledger = shop.count()
    assert not ledger.balanced
    return ledger.problems()


def test_a_deleted_row_shows_in_every_table(copy: ShopRun) -> None:
    for name in PLACES:
        delete(table(copy, name), some_row(table(copy, name)))
    problems = problems_of(copy)
    for name, told in PLACES.items():
        assert any(problem.startswith(told) for problem in problems), (name, problems)


def test_a_doubled_row_shows_in_every_table(copy: ShopRun) -> None:
    for name in PLACES:
        some_row(table(copy, name)).write_delta(table(copy, name), mode="append")
    problems = problems_of(copy)
    for name, told in PLACES.items():
        assert any(problem.startswith(told) for problem in problems), (name, problems)


def test_a_row_lost_and_another_doubled_show_although_the_counts_agree(copy: ShopRun) -> None:
    for name in ("users_log", "orders", "products_history"):
        uri = table(copy, name)
        row = some_row(uri)
        other = pl.read_delta(uri).filter(
            pl.col("_lsn" if "_lsn" in row.columns else "order_id")
            != row[0, "_lsn" if "_lsn" in row.columns else "order_id"]
        )
        other = other.filter(pl.col("feed_batch") == row[0, "feed_batch"]) if "feed_batch" in row.columns else other
        other.head(1).write_delta(uri, mode="append")
        delete(uri, row)
    problems = problems_of(copy)
    for told in ("users, batch", "orders: live keys", "products: changes of the log"):
        assert any(problem.startswith(told) for problem in problems), (told, problems)


def test_a_changed_value_in_a_current_row_shows(copy: ShopRun) -> None:
    uri = table(copy, "users")
    user = pl.read_delta(uri)["user_id"][0]
    DeltaTable(uri).update(updates={"city": "'Elsewhere'"}, predicate=f"user_id = '{user}'")
    (problem,) = problems_of(copy)
    assert problem.startswith("users: newest rows of the history = current rows, by value")
    assert user in problem


@pytest.mark.parametrize("row_kind", ["both", "record", "object"])
def test_a_dropped_bronze_batch_shows(copy: ShopRun, row_kind: str) -> None:
    bronze: LakeTable = copy.lake.bronze("aura_payments")
    kinds = "" if row_kind == "both" else f" and row_kind = '{row_kind}'"
    assert DeltaTable(bronze.uri).delete(f"batch = 0{kinds}")["num_deleted_rows"] > 0
    problems = problems_of(copy)
    assert any(problem.startswith("bronze.aura_payments") for problem in problems), problems
    if row_kind != "object":
        assert any(problem.startswith("payments, batch 0") for problem in problems), problems


def test_a_row_lost_in_the_warehouse_shows(copy: ShopRun) -> None:
    copy.warehouse.query("delete from silver.payments where payment_number = '1'")
    assert any(problem.startswith("payments: silver.payments = warehouse") for problem in problems_of(copy))


def test_a_cent_lost_between_silver_and_gold_shows(copy: ShopRun) -> None:
    uri = copy.lake.settings.uri("gold", "fct_sales_revenue")
    version = DeltaTable(uri).version()
    order = pl.read_delta(uri).filter(pl.col("net_revenue") > 0)["order_id"][0]
    DeltaTable(uri).update(updates={"net_revenue": "net_revenue - 0.0100"}, predicate=f"order_id = '{order}'")
    manifest = Path(copy.lake.settings.home) / "gold" / "_manifest.json"
    manifest.write_text(
        manifest.read_text().replace(f'"gold.fct_sales_revenue": {version}', f'"gold.fct_sales_revenue": {version + 1}')
    )
    assert any(
        problem.startswith("gold revenue = silver revenue") and order in problem for problem in problems_of(copy)
    )
