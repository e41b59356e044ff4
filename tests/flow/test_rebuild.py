"""A table rebuilt from bronze equals the table that grew (law 7), and everything behind it follows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.contract import RowRule
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.steps import rebuild as rebuilding
from aura_lake.steps.attribute import attribute
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.load import load
from aura_lake.steps.pipeline import bring_up_to_date
from aura_lake.steps.rebuild import rebuild
from tests.flow.conftest import Mart
from tests.flow.shop_run import MART, ShopRun, copy_of, open_shop
from tests.flow.what_people_see import assert_same, look_at, published, without_gold


@pytest.fixture
def copy(mart: Mart, tmp_path: Path) -> ShopRun:
    return copy_of(mart.shop, tmp_path / "lake")


def under(shop: ShopRun, table: str, **change: object) -> ShopRun:
    """The shop with another contract of a table."""
    contracts = dict(shop.lake.shop.contracts)
    contracts[table] = replace(contracts[table], **change)
    return replace(shop, lake=Lake(shop.lake.settings, replace(shop.lake.shop, contracts=contracts)))


@pytest.mark.parametrize(
    "name", ["olist", "mart", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rees46", "uci"))]
)
def test_every_table_rebuilt_equals_the_table_that_grew(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = request.getfixturevalue(name)
    shop = copy_of(run.shop if isinstance(run, Mart) else run, tmp_path / "lake")
    before = without_gold(look_at(shop.lake))
    for contract in shop.lake.shop.contracts.values():
        report = rebuild(shop.lake, contract)
        assert report.equal, contract.table
        assert report.rows_before == report.rows_after > 0
    attribute(shop.lake)
    assert_same(look_at(shop.lake, gold=False), before)
    assert count(shop.lake).problems() == []


def test_gold_after_a_rebuild_of_everything_is_what_it_was(copy: ShopRun) -> None:
    before = look_at(copy.lake)
    for contract in copy.lake.shop.contracts.values():
        rebuild(copy.lake, contract)
    copy.run()
    assert_same(look_at(copy.lake), before)
    assert copy.count().problems() == []


def test_what_a_new_contract_filters_out_leaves_the_warehouse_credits_and_gold(copy: ShopRun) -> None:
    statuses = copy.lake.table("orders").group_by("order_status").len().collect()
    assert dict(statuses.iter_rows())["delivered"] > 0
    strict = under(copy, "orders", filter="status <> 'delivered'")
    assert not rebuild(strict.lake, strict.lake.contract("orders")).equal
    strict.run()
    left = published(strict.lake, "fct_orders")
    assert set(left["order_status"]) == set(statuses["order_status"]) - {"delivered"}
    credits = strict.lake.table("order_touchpoints").collect()
    assert set(credits["order_id"]) == set(left["order_id"])
    assert strict.count().problems() == []
    rebuild(copy.lake, copy.lake.contract("orders"))
    copy.run()
    assert copy.count().problems() == []


def test_what_a_new_rule_quarantines_leaves_gold_and_comes_back_with_the_old_contract(copy: ShopRun) -> None:
    before = look_at(copy.lake)
    rules = (*copy.lake.contract("orders").row_rules, RowRule("amount_is_small", "order_amount < 300"))
    strict = under(copy, "orders", row_rules=rules)
    strict.run()  # notices by itself that the contract is another one
    large = before.tables["silver.orders"].filter(pl.col("order_amount") >= 300)["order_id"]
    assert len(large) > 0
    assert not published(strict.lake, "fct_orders")["order_id"].is_in(large.implode()).any()
    assert strict.count().problems() == []
    copy.run()
    assert_same(look_at(copy.lake), before)
    assert rebuild(copy.lake, copy.lake.contract("orders")).equal


def test_clicks_that_a_new_contract_filters_out_lose_their_credits(copy: ShopRun) -> None:
    before = copy.lake.table("order_touchpoints").collect()
    bare = under(copy, "clickstream", filter="channel <> 'google_ads'")
    assert (before["channel"] == "google_ads").any()
    rebuild(bare.lake, bare.lake.contract("clickstream"))
    bare.run()
    assert not (bare.lake.table("order_touchpoints").collect()["channel"] == "google_ads").any()
    assert not (published(bare.lake, "fct_sales_revenue")["channel"] == "google_ads").any()


def test_a_rebuild_that_dies_between_log_and_state_is_finished_by_the_next_run(
    copy: ShopRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = under(copy, "orders", filter="status <> 'delivered'")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rebuilding, "refold", die)
    with pytest.raises(KeyboardInterrupt):
        rebuild(strict.lake, strict.lake.contract("orders"))
    strict.run_silver()
    assert "delivered" not in set(strict.lake.table("orders").collect()["order_status"])
    assert count(strict.lake).problems() == []


def test_after_a_rebuild_loads_touch_again_only_what_changes(mart: Mart, copy: ShopRun, tmp_path: Path) -> None:
    shutil.copytree(mart.feeds, tmp_path / "feeds")
    copy = open_shop(MART, Path(copy.lake.settings.home), {"AURA_MART_DATA": str(tmp_path / "feeds")})
    rebuild(copy.lake, copy.lake.contract("users"))
    bring_up_to_date(copy.lake, copy.warehouse, copy.gold)
    feed = copy.lake.shop.feeds["aura_users"]
    first = next(iter(sorted(Path(feed.location).rglob("*.gz"))))
    twice = first.with_name(f"again-{first.name}")
    twice.write_bytes(first.read_bytes() * 2)  # its changes are duplicates, at new positions
    land(copy.lake, feed)
    users = copy.lake.contract("users")
    judge(copy.lake, users)
    fold(copy.lake, users)
    report = load(copy.lake, copy.warehouse, "users")
    copy.warehouse.release()
    assert report is not None
    assert (report.touched, report.deleted, report.inserted) == (0, 0, 0)


def test_credits_never_run_ahead_of_the_state_they_are_made_from(mart: Mart, tmp_path: Path) -> None:
    """A run may stop after judging and before folding; attribution then waits for the fold."""
    shop = open_shop(MART, tmp_path / "lake", {"AURA_MART_DATA": str(mart.feeds)})
    for feed in shop.lake.shop.feeds.values():
        land(shop.lake, feed)
    for contract in shop.lake.shop.contracts.values():
        judge(shop.lake, contract)
    attribute(shop.lake)
    shop.run_silver()
    assert_same(look_at(shop.lake, gold=False), without_gold(look_at(mart.shop.lake)))
    assert count(shop.lake).problems() == []
