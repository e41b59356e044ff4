"""Olist and the demo shop, built in DuckDB and over Snowflake's protocol: every gold table is equal row for row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.delta.documents import read_document
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.simulate import SimulationPlan, mess_named, simulate
from aura_lake.steps.pipeline import bring_up_to_date
from aura_lake.steps.publish import MANIFEST
from aura_lake.warehouse.opening import open_gold, open_warehouse
from tests.conftest import PROJECT
from tests.services.fakesnow_process import running

# dbt-snowflake passes an option that the connector calls outdated.
pytestmark = [pytest.mark.services, pytest.mark.filterwarnings("ignore:The .insecure_mode. connection property")]

PLAN = SimulationPlan(seed=3, days=4, end=date(2026, 5, 5), orders=150, clicks=1500, mess=mess_named("all"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as port:
        yield port


def built(shop: Path, home: Path, warehouse: str, environ: dict[str, str]) -> Lake:
    """The shop, brought up to date twice, with its gold in one of the warehouses."""
    contracts = load_shop(shop, "local", environ)
    settings = Settings(
        project=PROJECT, home=str(home), state=home / "state", shop=shop, warehouse=warehouse, environ=environ
    )
    lake = Lake(settings, contracts)
    place, gold = open_warehouse(settings), open_gold(settings, contracts)
    first = bring_up_to_date(lake, place, gold)
    assert not first.build.failed_tests
    assert not bring_up_to_date(lake, place, gold).written, "a second run publishes nothing"
    return lake


def snowflake(port: int, database: str) -> dict[str, str]:
    given = {"ACCOUNT": "fake", "USER": "loader", "PASSWORD": "no account, no secret", "DATABASE": database}
    given |= {"HOST": "127.0.0.1", "PORT": str(port), "PROTOCOL": "http", "NETWORK_TIMEOUT": "20"}
    return {f"AURA_SNOWFLAKE_{name}": value for name, value in given.items()}


def assert_gold_is_equal(left: Lake, right: Lake) -> None:
    pinned = (read_document(left, MANIFEST) or {})["tables"]
    models = sorted(name.removeprefix("gold.") for name in pinned if name.startswith("gold."))
    assert len(models) == 6
    for model in models:
        mine, other = (lake.gold(model).scan().collect() for lake in (left, right))
        columns = sorted(mine.columns)
        assert mine.height
        mine, other = (frame.select(columns).sort(pl.all()) for frame in (mine, other))
        assert mine.schema == other.schema, model
        assert mine.equals(other), f"{model} differs between DuckDB and Snowflake"


def test_the_gold_of_olist_is_equal_on_both(port: int, shared_data: Path, tmp_path: Path) -> None:
    shop, data = PROJECT / "tests" / "shops" / "olist", {"OLIST_DATA": str(shared_data / "olist_dev")}
    here = built(shop, tmp_path / "duckdb", "duckdb", data)
    there = built(shop, tmp_path / "snowflake", "snowflake", {**data, **snowflake(port, "OLIST")})
    assert_gold_is_equal(here, there)


def test_the_gold_of_the_demo_shop_is_equal_on_both(port: int, tmp_path: Path) -> None:
    simulate(PLAN, tmp_path / "records")
    shop, data = PROJECT / "shops" / "aura_mart", {"AURA_MART_DATA": str(tmp_path / "records")}
    here = built(shop, tmp_path / "duckdb", "duckdb", data)
    there = built(shop, tmp_path / "snowflake", "snowflake", {**data, **snowflake(port, "MART")})
    assert_gold_is_equal(here, there)
