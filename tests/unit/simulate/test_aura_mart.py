"""The demo shop's contracts say of its records what the simulator writes, no more and no less."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

SHOP = Path(__file__).parents[3] / "shops" / "aura_mart"
TABLES = ("users", "products", "orders", "order_items", "payments", "clickstream")
ODCS = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())


def contract(table: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((SHOP / f"{table}.odcs.yaml").read_text())
    return loaded


def properties(table: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = contract(table)["schema"][0]["properties"]
    return listed


def rows_of(table: str, shop: Any) -> list[dict[str, Any]]:
    reading = shop.reading()
    return reading.clicks if table == "clickstream" else list(reading.live[table].values())


def test_there_is_one_contract_a_table() -> None:
    assert sorted(path.name for path in SHOP.glob("*.yaml")) == sorted(
        ["shop.yaml", *(f"{table}.odcs.yaml" for table in TABLES)]
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_contract_is_odcs(table: str) -> None:
    jsonschema.validate(contract(table), ODCS)


@pytest.mark.parametrize("table", TABLES)
def test_every_field_of_a_record_is_a_column_and_every_column_a_field(table: str, clean_shop: Any) -> None:
    fields = {entry.get("physicalName", entry["name"]) for entry in properties(table)}
    for row in rows_of(table, clean_shop):
        assert row.keys() == fields


@pytest.mark.parametrize("table", TABLES)
def test_required_columns_and_enumerations_hold_in_a_clean_shop(table: str, clean_shop: Any) -> None:
    rows = rows_of(table, clean_shop)
    for entry in properties(table):
        values = {row[entry.get("physicalName", entry["name"])] for row in rows}
        if entry.get("required"):
            assert None not in values, entry["name"]
        if "enum" in entry:
            assert values <= {choice["value"] for choice in entry["enum"]}, entry["name"]


@pytest.mark.parametrize("table", TABLES)
def test_the_server_names_the_folder_that_the_simulator_fills(table: str, clean_shop: Any) -> None:
    path = contract(table)["servers"][0]["path"]
    root = "${AURA_MART_DATA:-../../.aura/landing}/"
    assert path.startswith(root)
    assert any(name.startswith(path.removeprefix(root) + "/") for name in clean_shop.report.files)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_and_rule_has_a_description_and_every_rule_a_severity(table: str) -> None:
    rules = contract(table)["schema"][0].get("quality", [])
    assert all(entry["description"] for entry in properties(table) + rules)
    assert all(rule["severity"] in ("warn", "quarantine", "block") for rule in rules)


def test_personal_data_is_marked() -> None:
    marked = {entry["name"] for entry in properties("users") if entry.get("classification") == "personal"}
    assert marked == {"email", "name"}
