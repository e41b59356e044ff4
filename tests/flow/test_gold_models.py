"""The dbt project on DuckDB: what the models hold, whatever the order of changes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aura_lake.warehouse.dbt_runner import DbtGold, DbtReport
from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
from tests.unit.warehouse.small_shop import SPECS, SmallShop

PROJECT = Path(__file__).parents[2] / "dbt"
MODELS = (
    "dim_customers",
    "dim_products",
    "dim_date",
    "fct_orders",
    "fct_order_items",
    "fct_sales_revenue",
)
VARIABLES = {
    "shop_time_zone": "Europe/Berlin",
    "shop_currency": "EUR",
    "shop_tables": sorted(SPECS),
}


class Gold:
    """A DuckDB file with the models over it, and a small shop that fills it."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.path = folder / "warehouse.duckdb"
        self.shop = SmallShop(seed)
        self.warehouse = DuckDBWarehouse(self.path)
        self.warehouse.prepare(list(SPECS.values()))
        self.dbt = DbtGold(
            PROJECT, folder / "dbt", "duckdb", {"AURA_DUCKDB_PATH": str(self.path)}, VARIABLES
        )

    def load(self) -> None:
        for name, spec in SPECS.items():
            self.warehouse.load(spec, *self.shop.pending(name))

    def build(self, **options: Any) -> DbtReport:
        self.warehouse.release()
        report = self.dbt.build(**options)
        assert report.failed_tests == ()
        assert {model.status for model in report.models} == {"success"}
        return report

    def rows(self, model: str) -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row.values()) for row in self.warehouse.read(model).to_pylist())

    def copy(self, folder: Path) -> Gold:
        """The same silver rows, with gold still to be built."""
        self.warehouse.release()
        other = object.__new__(Gold)
        other.path = folder / "warehouse.duckdb"
        folder.mkdir()
        shutil.copy(self.path, other.path)
        other.shop = self.shop
        other.warehouse = DuckDBWarehouse(other.path)
        other.dbt = DbtGold(
            PROJECT, folder / "dbt", "duckdb", {"AURA_DUCKDB_PATH": str(other.path)}, VARIABLES
        )
        return other


@pytest.fixture
def gold(tmp_path: Path) -> Iterator[Gold]:
    made = Gold(tmp_path)
    yield made
    made.warehouse.release()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_incremental_builds_equal_a_full_refresh_row_for_row(tmp_path: Path, seed: int) -> None:
    gold = Gold(tmp_path, seed)
    published: dict[str, Any] = {}
    for round_number in range(5):
        gold.shop.live(60 if round_number == 0 else 25)
        gold.load()
        gold.build()
        gold.warehouse.forget_touched()
        revenue = gold.warehouse.read("fct_sales_revenue").to_pylist()
        revenue.sort(key=lambda row: (row["order_id"], row["line_number"]))
        assert revenue == gold.shop.revenue_by_the_book()
        if round_number % 2 == 0:  # sometimes two builds go by until the next publication
            _publish(gold, published)
            for model in MODELS:
                assert Counter(published[model]) == gold.rows(model), model
    full = gold.copy(tmp_path / "full")
    full.build(full_refresh=True, all_rows=True)
    for model in MODELS:
        assert gold.rows(model) == full.rows(model), model
    gold.warehouse.release()
    full.warehouse.release()


def _publish(gold: Gold, published: dict[str, list[tuple[Any, ...]]]) -> None:
    """Replace exactly what the warehouse says has changed, as the lake's Delta tables do."""
    for model in MODELS:
        periods = gold.warehouse.changed_periods(model)
        fresh = [tuple(row.values()) for row in gold.warehouse.read(model, periods).to_pylist()]
        if periods == [None]:
            published[model] = fresh
            continue
        if not periods:
            continue
        names = gold.warehouse.read(model, []).schema.names
        date = names.index("order_date")
        kept = [row for row in published[model] if _period(row[date]) not in periods]
        assert {_period(row[date]) for row in fresh} <= set(periods)
        published[model] = kept + fresh
    gold.warehouse.clear_changed(MODELS)


def _period(date: Any) -> str:
    return f"{date:%Y-%m}" if date else "unknown"
