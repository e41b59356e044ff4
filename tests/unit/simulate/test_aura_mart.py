"""The demo shop's contracts say of its records what the simulator writes, no more and no less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aura_lake.contracts.contract import Column, Kind, Severity, Shop
from aura_lake.contracts.load import load_shop

SHOP = Path(__file__).parents[3] / "shops" / "aura_mart"
TABLES = ("users", "products", "orders", "order_items", "payments", "clickstream")


@pytest.fixture(scope="module")
def mart(clean_shop: Any) -> Shop:
    """The shop's contracts, pointed at the records of the clean shop."""
    return load_shop(SHOP, "local", {"AURA_MART_DATA": str(clean_shop.folder)})


def read_columns(mart: Shop, table: str) -> list[Column]:
    """The columns that come from a field of the record."""
    return [column for column in mart.contracts[table].columns if column.transform is None]


def rows_of(table: str, shop: Any) -> list[dict[str, Any]]:
    reading = shop.reading()
    return reading.clicks if table == "clickstream" else list(reading.live[table].values())


def test_there_is_one_contract_a_table(mart: Shop) -> None:
    assert sorted(mart.contracts) == sorted(TABLES)
    assert {table: contract.kind for table, contract in mart.contracts.items()} == {
        **dict.fromkeys(TABLES, Kind.CDC),
        "clickstream": Kind.EVENTS,
    }


@pytest.mark.parametrize("table", TABLES)
def test_every_field_of_a_record_is_a_column_and_every_column_a_field(table: str, mart: Shop, clean_shop: Any) -> None:
    fields = {column.source for column in read_columns(mart, table)}
    for row in rows_of(table, clean_shop):
        assert row.keys() == fields


@pytest.mark.parametrize("table", TABLES)
def test_required_columns_and_enumerations_hold_in_a_clean_shop(table: str, mart: Shop, clean_shop: Any) -> None:
    rows = rows_of(table, clean_shop)
    for column in read_columns(mart, table):
        values = {row[column.source] for row in rows}
        if column.required:
            assert None not in values, column.name
        if column.allowed_values is not None:
            assert values <= set(column.allowed_values), column.name


@pytest.mark.parametrize("table", TABLES)
def test_the_feed_is_the_folder_that_the_simulator_fills(table: str, mart: Shop, clean_shop: Any) -> None:
    folder = Path(mart.feeds[mart.contracts[table].feed].location)
    below = folder.relative_to(clean_shop.folder).as_posix()
    assert any(name.startswith(f"{below}/") for name in clean_shop.report.files)


def test_without_a_variable_the_records_lie_beside_the_project() -> None:
    feed = load_shop(SHOP, "local", {}).feeds["aura_orders"]
    assert Path(feed.location) == SHOP.parents[1] / ".aura" / "landing" / "cdc" / "aura.public.orders"


def test_a_redelivered_click_is_known_by_its_event_id(mart: Shop) -> None:
    assert mart.contracts["clickstream"].event_id == ("event_id",)


def test_bad_orders_are_diverted_and_drifting_clocks_only_counted(mart: Shop) -> None:
    severities = {rule.name: rule.severity for rule in mart.contracts["orders"].row_rules}
    assert severities["order_amount_is_positive"] is Severity.QUARANTINE
    assert severities["order_is_updated_after_it_is_placed"] is Severity.WARN
    assert mart.contracts["orders"].column("user_id").required


@pytest.mark.parametrize("table", TABLES)
def test_every_column_and_rule_has_a_description(table: str, mart: Shop) -> None:
    contract = mart.contracts[table]
    assert all(column.description for column in contract.columns)
    assert all(rule.description for rule in contract.row_rules)


def test_personal_data_is_hashed(mart: Shop) -> None:
    personal = {column.silver_name for column in mart.contracts["users"].columns if column.personal}
    assert personal == {"email_hash", "name_hash"}
