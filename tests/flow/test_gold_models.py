"""The dbt project on DuckDB: what the models hold, whatever the order of changes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.dbt_runner import DbtGold, DbtReport
from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
from tests.unit.warehouse.small_shop import SPECS, SmallShop

PROJECT = Path(__file__).parents[2] / "dbt"
DIMENSIONS = ("dim_customers", "dim_products", "dim_date")
FACTS = ("fct_orders", "fct_order_items", "fct_sales_revenue")
MODELS = DIMENSIONS + FACTS


class Gold:
    """A DuckDB file with the models over it, and a small shop that fills it."""

    def __init__(self, path: Path, dbt: DbtGold, shop: SmallShop | None = None) -> None:
        self.dbt = dbt
        self.shop = shop or SmallShop(seed=1)
        self.warehouse = DuckDBWarehouse(path)
        self.warehouse.prepare(list(SPECS.values()))

    def load(self) -> None:
        for name, spec in SPECS.items():
            self.warehouse.load(spec, *self.shop.pending(name))

    def run(self, **options: Any) -> DbtReport:
        self.warehouse.release()
        return self.dbt.build(**options)

    def build(self, **options: Any) -> None:
        report = self.run(**options)
        assert report.failed_tests == ()
        assert {model.status for model in report.models} == {"success"}

    def rows(self, model: str) -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row.values()) for row in self.warehouse.read(model).to_pylist())

    def changed(self) -> dict[str, list[str | None]]:
        """What is to be published of each model, and from now on is."""
        changed = {model: self.warehouse.changed_periods(model) for model in MODELS}
        self.warehouse.clear_changed(MODELS)
        return {model: periods for model, periods in changed.items() if periods}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> DbtGold:
    """Parsed once for all tests; each begins with an empty file under the same name."""
    folder = tmp_path_factory.mktemp("gold")
    return DbtGold(
        PROJECT,
        folder / "dbt",
        "duckdb",
        {"AURA_DUCKDB_PATH": str(folder / "warehouse.duckdb")},
        {
            "shop_time_zone": "Europe/Berlin",
            "shop_currency": "EUR",
            "shop_tables": sorted(SPECS),
        },
    )


@pytest.fixture(scope="module")
def small_shop(dbt: DbtGold, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SmallShop]:
    """One order of a known user with a line of a known product, built and published; kept aside."""
    path = Path(dbt.env["AURA_DUCKDB_PATH"])
    gold = Gold(path, dbt)
    put = gold.shop.put
    versions = [{"user_id": "u", "city": "Bonn", "valid_from": at(1), "valid_to": None, "is_current": True}]
    put("users", ("u",), {"user_id": "u", "city": "Bonn"})
    put("users_history", ("u",), versions)
    put("products", ("p",), {"product_id": "p", "category": "tools", "brand": "Acme"})
    put("orders", ("a",), order("a", at(10)))
    put("order_items", ("a", "1"), line("a", "1"))
    gold.load()
    gold.build()
    assert gold.changed() == {model: [None] for model in MODELS}
    gold.warehouse.release()
    return path.rename(tmp_path_factory.mktemp("kept") / "small.duckdb"), gold.shop


@pytest.fixture
def path(dbt: DbtGold) -> Iterator[Path]:
    path = Path(dbt.env["AURA_DUCKDB_PATH"])
    yield path
    for file in path.parent.glob("warehouse.duckdb*"):
        file.unlink()


@pytest.fixture
def gold(small_shop: tuple[Path, SmallShop], path: Path, dbt: DbtGold) -> Iterator[Gold]:
    """The small shop, for one test to change."""
    kept, shop = small_shop
    shutil.copy(kept, path)
    gold = Gold(path, dbt, deepcopy(shop))
    yield gold
    gold.warehouse.release()


def at(day: int, hour: int = 12, month: int = 2) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=UTC)


def order(order_id: str, ordered_at: datetime, **other: Any) -> dict[str, Any]:
    status = {"order_status": "shipped", "region": None, "currency": None, "order_amount": None}
    return {"order_id": order_id, "user_id": "u", "ordered_at": ordered_at, **status, **other}


def line(order_id: str, number: str, **other: Any) -> dict[str, Any]:
    price = {"product_id": "p", "quantity": 2, "unit_price": Decimal(5), "discount_amount": None}
    return {"order_id": order_id, "line_number": number, **price, **other}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 7))])
def test_incremental_builds_equal_a_full_refresh_row_for_row(path: Path, dbt: DbtGold, seed: int) -> None:
    gold = Gold(path, dbt, SmallShop(seed))
    published: dict[str, list[tuple[Any, ...]]] = {}
    for round_number in range(4):
        gold.shop.live(60 if round_number == 0 else 25)
        gold.load()
        gold.build()
        gold.warehouse.forget_touched()
        revenue = gold.warehouse.read("fct_sales_revenue").to_pylist()
        revenue.sort(key=lambda row: (row["order_id"], row["line_number"]))
        assert revenue == gold.shop.revenue_by_the_book()
        if round_number in (0, 3):  # three builds go by until the second publication
            _publish(gold, published)
            for model in MODELS:
                assert Counter(published[model]) == gold.rows(model), model
    grown = {model: gold.rows(model) for model in MODELS}
    gold.build(full_refresh=True, all_rows=True)
    for model in MODELS:
        assert grown[model] == gold.rows(model), model
    gold.warehouse.release()


def _publish(gold: Gold, published: dict[str, list[tuple[Any, ...]]]) -> None:
    """Replace exactly what the warehouse says has changed, as the lake's Delta tables do."""
    for model, periods in gold.changed().items():
        rows = gold.warehouse.read(model, periods)
        fresh = [tuple(row.values()) for row in rows.to_pylist()]
        if periods == [None]:
            published[model] = fresh
        else:
            date = rows.schema.names.index("order_date")
            assert {_period(row[date]) for row in fresh} <= set(periods)
            kept = [row for row in published[model] if _period(row[date]) not in periods]
            published[model] = kept + fresh


def _period(date: Any) -> str:
    return f"{date:%Y-%m}" if date else "unknown"


def test_rows_touched_without_a_difference_are_not_published_again(gold: Gold) -> None:
    gold.shop.put("orders", ("a",), order("a", at(10)))
    gold.shop.put("products", ("p",), gold.shop.tables["products"]["p",])
    gold.load()
    gold.build()
    assert gold.changed() == {}


def test_an_order_that_moves_to_another_month_leaves_the_old_one(gold: Gold) -> None:
    # 23:30 UTC on 31 March is 1 April in Berlin.
    moved = datetime(2024, 3, 31, 23, 30, tzinfo=UTC)
    gold.shop.put("orders", ("a",), order("a", moved))
    gold.load()
    gold.build()
    assert gold.changed() == {"dim_date": [None]} | {fact: ["2024-02", "2024-04"] for fact in FACTS}
    (row,) = gold.warehouse.read("fct_sales_revenue", ["2024-04"]).to_pylist()
    assert (str(row["order_date"]), row["ordered_at"]) == ("2024-04-01", moved)
    assert gold.warehouse.read("fct_sales_revenue", ["2024-02"]).num_rows == 0


def test_the_unknown_members_stay_beside_a_user_and_a_product_of_that_name(gold: Gold) -> None:
    known = {"user_id": "unknown", "city": "Bonn", "valid_from": at(1), "valid_to": None, "is_current": True}
    for row in (known, known | {"city": "Trier"}):
        gold.shop.put("users", ("unknown",), {"user_id": "unknown"})
        gold.shop.put("users_history", ("unknown",), [row])
        gold.shop.put("products", ("unknown",), {"product_id": "unknown", "brand": row["city"]})
        gold.load()
        gold.build()
    customers = gold.warehouse.query("select user_id, city from gold.dim_customers order by all").to_pylist()
    assert [tuple(row.values()) for row in customers] == [("u", "Bonn"), ("unknown", "Trier"), (None, None)]
    products = gold.warehouse.query("select product_id, brand from gold.dim_products order by all").to_pylist()
    assert [tuple(row.values()) for row in products] == [("p", "Acme"), ("unknown", "Trier"), (None, None)]


def test_another_time_zone_or_currency_recomputes_every_order(gold: Gold, tmp_path: Path) -> None:
    # 23:00 UTC on 31 March: April in Berlin, March in São Paulo.
    gold.shop.put("orders", ("b",), order("b", at(31, hour=23, month=3)))
    gold.load()
    gold.build()
    gold.changed()
    there = {"shop_time_zone": "America/Sao_Paulo", "shop_currency": "BRL", "shop_tables": sorted(SPECS)}
    gold.dbt = DbtGold(PROJECT, tmp_path / "dbt", "duckdb", gold.dbt.env, there)
    gold.build()
    assert gold.changed() == {
        "dim_date": [None],
        "fct_orders": ["2024-02", "2024-03", "2024-04"],
        "fct_order_items": ["2024-02"],  # b has no lines
        "fct_sales_revenue": ["2024-02", "2024-03", "2024-04"],
    }
    rows = gold.warehouse.query("select order_id, order_date::text as day, currency from gold.fct_orders order by all")
    assert [tuple(row.values()) for row in rows.to_pylist()] == [("a", "2024-02-10", "BRL"), ("b", "2024-03-31", "BRL")]
    gold.build()
    assert gold.changed() == {}


def test_a_deleted_order_leaves_every_fact_and_its_lines_come_back_with_it(gold: Gold) -> None:
    gold.shop.drop("orders", ("a",))
    gold.load()
    gold.build()
    assert gold.changed() == {"dim_date": [None]} | {fact: ["2024-02"] for fact in FACTS}
    assert [gold.warehouse.row_count(f"gold.{fact}") for fact in FACTS] == [0, 0, 0]
    gold.shop.put("orders", ("a",), order("a", at(10)))
    gold.load()
    gold.build()
    assert gold.rows("fct_sales_revenue").total() == 1


def test_a_late_product_gives_the_line_its_category_and_leaves_other_months_alone(
    gold: Gold,
) -> None:
    gold.shop.put("orders", ("b",), order("b", at(10, month=5)))
    gold.shop.put("order_items", ("b", "1"), line("b", "1", product_id="late"))
    gold.load()
    gold.build()
    gold.changed()
    gold.shop.put("products", ("late",), {"product_id": "late", "category": "toys"})
    gold.shop.put("categories", ("toys",), {"category": "toys", "category_name": "Spielzeug"})
    gold.load()
    gold.build()
    assert gold.changed() == {
        "dim_products": [None],
        "fct_order_items": ["2024-05"],
        "fct_sales_revenue": ["2024-05"],
    }
    (row,) = gold.warehouse.read("fct_sales_revenue", ["2024-05"]).to_pylist()
    assert row["category"] == "Spielzeug"


def test_a_move_gives_later_orders_the_new_version_and_an_email_change_none(gold: Gold) -> None:
    (version,) = gold.shop.tables["users_history"]["u",]
    closed = {**version, "valid_to": at(15), "is_current": False}
    mailed = {**version, "email_hash": "new", "valid_from": at(15)}
    gold.shop.put("users_history", ("u",), [closed, mailed])
    gold.load()
    gold.build()
    assert gold.changed() == {}
    moved = {**version, "city": "Trier", "valid_from": at(20)}
    gold.shop.put("users_history", ("u",), [closed, mailed | {"valid_to": at(20), "is_current": False}, moved])
    gold.shop.put("orders", ("early",), order("early", at(1, hour=0, month=1)))
    gold.shop.put("orders", ("late",), order("late", at(21)))
    gold.load()
    gold.build()
    cities = gold.warehouse.query(
        "select order_id, city from gold.fct_orders inner join gold.dim_customers"
        " using (customer_key) order by order_id"
    )
    assert cities.to_pylist() == [
        {"order_id": "a", "city": "Bonn"},
        {"order_id": "early", "city": "Bonn"},
        {"order_id": "late", "city": "Trier"},
    ]


def test_an_unknown_user_joins_the_unknown_member(gold: Gold) -> None:
    gold.shop.put("orders", ("x",), order("x", at(11), user_id="nobody"))
    gold.shop.put("orders", ("y",), order("y", at(11), user_id=None))
    gold.load()
    report = gold.run()
    assert report.failed_tests == ()
    assert [(test.name, test.failures) for test in report.warned_tests] == [("sales_revenue_has_known_users", 1)]
    keys = gold.warehouse.query(
        "select count(*) as orders from gold.fct_orders inner join gold.dim_customers"
        " using (customer_key) where customer_key = 'unknown'"
    )
    assert keys.to_pylist() == [{"orders": 2}]


def test_a_build_of_one_model_leaves_the_others_to_read_on_from_where_they_were(
    gold: Gold,
) -> None:
    gold.shop.put("order_items", ("a", "2"), line("a", "2"))
    gold.load()
    gold.build(select=["fct_order_items"])
    assert gold.warehouse.forget_touched() == 0
    gold.build()
    assert gold.warehouse.forget_touched() > 0
    assert gold.changed() == {fact: ["2024-02"] for fact in FACTS}
    assert gold.rows("fct_sales_revenue").total() == 2


def test_a_statement_that_fails_changes_nothing_and_names_model_and_file(gold: Gold) -> None:
    before = gold.rows("fct_order_items")
    gold.shop.put("order_items", ("a", "2"), line("a", "2"))
    gold.load()
    # The periods are written after the changed keys and before the rows.
    gold.warehouse.query("alter table aura.changed_periods rename to hidden")
    with pytest.raises(WarehouseError, match=r"fct_order_items: .*changed_periods") as raised:
        gold.run(select=["fct_order_items"])
    assert Path(raised.value.fix.split()[-1].rstrip(".")).name == "fct_order_items.sql"
    gold.warehouse.query("alter table aura.hidden rename to changed_periods")
    assert gold.rows("fct_order_items") == before
    gold.build()
    assert gold.rows("fct_order_items").total() == 2


def test_a_doubled_row_fails_the_tests_until_it_is_gone(gold: Gold) -> None:
    gold.shop.put("orders", ("b",), order("b", at(12)))
    gold.load()
    gold.warehouse.query("insert into silver.orders from silver.orders where order_id = 'b'")
    for _ in range(2):  # the second build changes nothing, and looks at the rows all the same
        failed = {test.name: test.failures for test in gold.run().failed_tests}
        assert failed["orders_have_one_row_each"] == 1
    gold.shop.put("orders", ("b",), order("b", at(12)))
    gold.load()
    gold.build()


def test_relationships_to_tables_that_the_shop_lacks_are_not_tested(tmp_path: Path, path: Path) -> None:
    lacking = DbtGold(
        PROJECT,
        tmp_path / "dbt",
        "duckdb",
        {"AURA_DUCKDB_PATH": str(path)},
        {"shop_tables": ["orders"]},
    )
    gold = Gold(path, lacking)
    gold.shop.put("orders", ("a",), order("a", at(10), user_id="nobody", currency="EUR"))
    gold.shop.put("order_items", ("a", "1"), line("a", "1"))
    gold.load()
    report = gold.run()
    names = {test.name for test in report.tests}
    assert report.failed_tests == report.warned_tests == ()
    assert "orders_have_one_row_each" in names
    assert not names & {
        "sales_revenue_has_known_users",
        "order_items_have_known_products",
        "live_users_have_one_current_version",
    }
    gold.warehouse.release()


def test_the_cases_of_the_models_hold(gold: Gold) -> None:
    gold.warehouse.release()
    report = gold.dbt.unit_test()
    assert [test.status for test in report.tests] == ["pass"] * 4


def test_every_model_has_a_twin_that_states_grain_and_columns(gold: Gold) -> None:
    for sql in sorted((PROJECT / "models").rglob("*.sql")):
        (described,) = yaml.safe_load(sql.with_suffix(".yml").read_text())["models"]
        assert described["name"] == sql.stem
        assert "One row per" in described["description"] or "One more row" in described["description"]
        schema = "gold" if sql.parent.name == "marts" else "staging"
        stands = gold.warehouse.query(f"from {schema}.{sql.stem} limit 0").schema.names
        written = [column["name"] for column in described["columns"]]
        assert sorted(written) == sorted(name for name in stands if name != "_row"), sql.stem
        assert all(column["description"] for column in described["columns"])
