"""Drift stops no run and loses nothing (law 9): a renamed id and a price that became text."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract
from aura_lake.lake import Lake
from aura_lake.steps.pipeline import bring_up_to_date
from aura_lake.steps.rebuild import rebuild
from tests.flow.shop_run import SHOPS, ShopRun, open_shop
from tests.flow.what_people_see import look_at, published, verdict_totals, verdicts


@pytest.fixture(scope="module")
def drifted(rees46_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    """The drift set after one run under the contracts as they are."""
    folder = rees46_data / "firehose_drift_dev"
    shop = open_shop(SHOPS / "rees46", tmp_path_factory.mktemp("drift") / "lake", {"REES46_DATA": str(folder)})
    shop.run()
    return shop


@pytest.fixture(scope="module")
def late_records(rees46_data: Path) -> int:
    """Values that carry the new name, by plain means."""
    files = (rees46_data / "firehose_drift_dev").rglob("*.gz")
    return sum(gzip.decompress(file.read_bytes()).count(b'"session_id":') for file in files)


def test_only_records_that_break_a_rule_wait_and_every_one_is_accounted_for(
    drifted: ShopRun, late_records: int, rees46_expected: dict[str, Any]
) -> None:
    assert late_records == 2_962  # from the data's README
    whole = rees46_expected["valid_rows"]
    assert verdicts(drifted.lake, drifted.lake.contract("clickstream")) == {
        ("valid", None, ()): whole - late_records,
        ("quarantined", None, ("price_is_a_number", "session_id_is_present")): late_records,
    }
    purchases = rees46_expected["by_type"]["purchase"]
    assert verdict_totals(drifted.lake, "orders") == {"valid": purchases, "ignored": whole - purchases}
    lines = verdict_totals(drifted.lake, "order_items")
    assert lines["valid"] + lines["quarantined"] == purchases
    assert lines["ignored"] == whole - purchases
    assert drifted.count().problems() == []


def test_unknown_fields_are_counted_by_name_and_their_values_stay_in_bronze(
    drifted: ShopRun, late_records: int
) -> None:
    log = drifted.lake.log(drifted.lake.contract("clickstream")).scan()
    names = log.select(pl.col("_unknown_fields").explode()).drop_nulls().collect()["_unknown_fields"]
    # `session_id` is a column of ours, yet no field that a contract of the feed reads.
    assert dict(names.value_counts().iter_rows()) == {"session_id": late_records}


def test_publication_goes_on_and_an_order_whose_line_waits_keeps_its_row(drifted: ShopRun) -> None:
    revenue = published(drifted.lake, "fct_sales_revenue")
    valid = drifted.lake.table("order_items").collect()
    bare = revenue.filter(pl.col("line_number") == "0")
    assert 0 < valid.height < revenue.height == valid.height + bare.height
    assert set(bare["order_id"]).isdisjoint(valid["order_id"])
    assert revenue["net_revenue"].sum() == valid["unit_price"].sum()


def test_under_contracts_that_know_the_drift_it_is_as_if_nothing_had_waited(drifted: ShopRun, rees46: ShopRun) -> None:
    """Session under both names, price from its text: every table equals the set without drift."""
    mapped = {name: knows_the_drift(contract) for name, contract in drifted.lake.shop.contracts.items()}
    lake = Lake(drifted.lake.settings, replace(drifted.lake.shop, contracts=mapped))
    for contract in mapped.values():
        rebuild(lake, contract)
    bring_up_to_date(lake, drifted.warehouse, drifted.gold)
    seen, wanted = look_at(lake), look_at(rees46.lake)
    for name, frame in wanted.tables.items():
        assert seen.tables[name].equals(frame), name
    assert seen.verdicts == wanted.verdicts


def knows_the_drift(contract: Contract) -> Contract:
    return replace(contract, columns=tuple(map(read_the_drift, contract.columns)))


def read_the_drift(column: Column) -> Column:
    if column.source == "user_session":
        return replace(column, synonyms=("session_id",))
    if column.source == "price":
        return replace(column, transform="price")
    return column
