"""Snowflake, spoken over HTTP to fakesnow: loads, gold equal to DuckDB's, publication."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from aura_lake.errors import StoreUnavailable, WarehouseError, WatermarkError
from aura_lake.warehouse import load_files
from aura_lake.warehouse.dbt_runner import DbtGold
from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings
from aura_lake.warehouse.snowflake_warehouse import SnowflakeWarehouse
from aura_lake.warehouse.warehouse import Warehouse
from tests.services.fakesnow_process import running
from tests.unit.warehouse.small_shop import SPECS, SmallShop, keys_of, rows_of

# dbt-snowflake passes an option that the connector calls outdated.
pytestmark = [pytest.mark.services, pytest.mark.filterwarnings("ignore:The .insecure_mode. connection property")]

ROOT = Path(__file__).parents[2]
ORDERS = SPECS["orders"]
MODELS = ("dim_customers", "dim_products", "dim_date", "fct_orders", "fct_order_items", "fct_sales_revenue")
VARIABLES = {"shop_time_zone": "Europe/Berlin", "shop_currency": "EUR", "shop_tables": sorted(SPECS)}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as port:
        yield port


@pytest.fixture
def settings(port: int, request: pytest.FixtureRequest) -> SnowflakeSettings:
    """A database of the test's own."""
    return SnowflakeSettings(
        account="fake",
        user="loader",
        database=f"SHOP_{abs(hash(request.node.name))}",  # fakesnow makes it at the first login
        host="127.0.0.1",
        port=port,
        protocol="http",
        password="no account, no secret",
        network_timeout_seconds=20,
    )


@pytest.fixture
def warehouse(settings: SnowflakeSettings) -> Iterator[SnowflakeWarehouse]:
    warehouse = SnowflakeWarehouse(settings)
    warehouse.prepare(list(SPECS.values()))
    yield warehouse
    warehouse.release()


def rows(warehouse: Warehouse, model: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row.values()) for row in warehouse.read(model).to_pylist())


def statuses(warehouse: SnowflakeWarehouse) -> dict[str, str | None]:
    found = warehouse.query("select order_id, order_status from silver.orders order by order_id")
    return {row["order_id"]: row["order_status"] for row in found.to_pylist()}


def test_every_gold_table_equals_duckdbs_row_for_row(
    tmp_path: Path, settings: SnowflakeSettings, warehouse: SnowflakeWarehouse
) -> None:
    path = tmp_path / "warehouse.duckdb"
    duck = DuckDBWarehouse(path)
    duck.prepare(list(SPECS.values()))
    on_duck = DbtGold(ROOT / "dbt", tmp_path / "dbt", "duckdb", {"AURA_DUCKDB_PATH": str(path)}, VARIABLES)
    on_snow = DbtGold(ROOT / "dbt", tmp_path / "dbt", "snowflake", settings.dbt_environment(), VARIABLES)
    shop = SmallShop(seed=7)
    for _ in range(2):
        shop.live(60)
        for name, spec in SPECS.items():
            pending = shop.pending(name)
            duck.load(spec, *pending)
            warehouse.load(spec, *pending)
        for built, dbt in ((duck, on_duck), (warehouse, on_snow)):
            built.release()
            report = dbt.build()
            assert report.failed_tests == ()
            assert {model.status for model in report.models} == {"success"}
        for model in MODELS:
            assert rows(warehouse, model) == rows(duck, model), model
            assert warehouse.read(model).schema.names == duck.read(model).schema.names
            assert warehouse.changed_periods(model) == duck.changed_periods(model), model
            for period in warehouse.changed_periods(model):
                assert warehouse.read(model, [period]).num_rows == duck.read(model, [period]).num_rows
        _read_only_when_published(warehouse, shop)
        for built in (duck, warehouse):
            built.clear_changed(MODELS)
            built.forget_touched()
            assert built.builds() == dict.fromkeys(MODELS, built.last_load_id())
        _parses_as_snowflake(on_snow.compiled_path)
    duck.release()
    grown = {model: rows(warehouse, model) for model in MODELS}
    assert on_snow.build(full_refresh=True, all_rows=True).failed_tests == ()
    for model in MODELS:
        assert rows(warehouse, model) == grown[model], model


def _read_only_when_published(warehouse: SnowflakeWarehouse, shop: SmallShop) -> None:
    """GOLD holds what was published; then, in one transaction, what was built."""
    before = _published(warehouse)
    report = warehouse.publish(MODELS)
    assert set(report.months) == {model for model in MODELS if warehouse.changed_periods(model)}
    assert before != _published(warehouse) == {model: rows(warehouse, model) for model in MODELS}
    revenue = warehouse.query("select * from gold.fct_sales_revenue order by order_id, line_number")
    assert revenue.to_pylist() == shop.revenue_by_the_book()
    assert warehouse.publish(MODELS).inserted == report.inserted  # again: nothing doubles
    assert _published(warehouse) == {model: rows(warehouse, model) for model in MODELS}


def _published(warehouse: SnowflakeWarehouse) -> dict[str, Counter[tuple[Any, ...]]]:
    stand = warehouse.query(
        "select lower(table_name) as name from information_schema.tables where table_schema = 'GOLD'"
    )
    return {
        row["name"]: Counter(
            tuple(r.values()) for r in warehouse.query(f"select * from gold.{row['name']}").to_pylist()
        )
        for row in stand.to_pylist()
    }


def _parses_as_snowflake(compiled: Path) -> None:
    files = sorted(compiled.rglob("*.sql"))
    assert {file.stem for file in files} >= set(MODELS)
    for file in files:
        parsed = sqlglot.parse_one(file.read_text(), read="snowflake")
        assert not list(parsed.find_all(sqlglot.exp.Command)), file.name


def test_a_load_is_made_once_and_replaces_only_touched_keys(warehouse: SnowflakeWarehouse) -> None:
    amount = Decimal("12345678901234.5678")
    first = [{"order_id": "a", "order_amount": amount}, {"order_id": "b"}]
    warehouse.load(ORDERS, rows_of("orders", first), keys_of("orders", []), -1, 3)
    shipped = rows_of("orders", [{"order_id": "b", "order_status": "shipped"}])
    report = warehouse.load(ORDERS, shipped, keys_of("orders", [("b",), ("x",)]), 3, 5)
    assert (report.deleted, report.inserted, report.load_id) == (1, 1, 1)
    with pytest.raises(WatermarkError, match=r"orders: the warehouse has read to batch 5, this load begins after 3"):
        warehouse.load(ORDERS, shipped, keys_of("orders", [("b",)]), 3, 5)
    with pytest.raises(WarehouseError, match=r"orders: 1 rows have keys that are not among the touched"):
        warehouse.load(ORDERS, shipped, keys_of("orders", [("a",)]), 5, 6)
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (5, {"a": None, "b": "shipped"})
    assert warehouse.query("select order_amount from silver.orders where order_id = 'a'").to_pylist() == [
        {"order_amount": amount}
    ]
    assert warehouse.row_count("aura.load_orders") == 0


def test_a_load_of_no_rows_and_no_keys_moves_the_watermark_alone(warehouse: SnowflakeWarehouse) -> None:
    for batches in ((-1, 0), (0, 1)):
        report = warehouse.load(ORDERS, rows_of("orders", []), keys_of("orders", []), *batches)
        assert (report.deleted, report.inserted, warehouse.watermark("orders")) == (0, 0, batches[1])


def test_a_line_is_touched_alone_or_with_all_lines_of_its_order(warehouse: SnowflakeWarehouse) -> None:
    items = SPECS["order_items"]
    lines = [{"order_id": "a", "line_number": number} for number in "123"]
    warehouse.load(items, rows_of("order_items", lines), keys_of("order_items", []), -1, 0)
    alone = keys_of("order_items", [("a", "2")])
    assert warehouse.load(items, rows_of("order_items", []), alone, 0, 1).deleted == 1
    whole = pa.table({"order_id": ["a"]})
    assert warehouse.load(items, rows_of("order_items", []), whole, 1, 2).deleted == 2


def test_a_load_of_many_files_is_one_load(warehouse: SnowflakeWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_files, "ROWS_A_FILE", 3)
    orders = rows_of("orders", [{"order_id": f"o{number}"} for number in range(10)])
    reader = pa.RecordBatchReader.from_batches(orders.schema, orders.to_batches(max_chunksize=2))
    assert warehouse.load(ORDERS, reader, keys_of("orders", []), -1, 0).inserted == 10
    assert warehouse.row_count("silver.orders") == 10


@pytest.mark.parametrize("moment", ["_put", "_copy", "_delete_touched", "_mark_touched"])
def test_a_load_killed_after_put_copy_or_before_commit_is_made_whole_by_the_next(
    warehouse: SnowflakeWarehouse, settings: SnowflakeSettings, moment: str
) -> None:
    first = rows_of("orders", [{"order_id": "a"}, {"order_id": "b"}])
    warehouse.load(ORDERS, first, keys_of("orders", []), -1, 0)
    program = textwrap.dedent(
        """
        import os, signal, sys
        from aura_lake.warehouse.snowflake_settings import SnowflakeSettings
        from aura_lake.warehouse.snowflake_warehouse import SnowflakeWarehouse
        from tests.unit.warehouse.small_shop import SPECS, keys_of, rows_of

        moment = getattr(SnowflakeWarehouse, sys.argv[1])

        def killed(self, *arguments):
            moment(self, *arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(SnowflakeWarehouse, sys.argv[1], killed)
        warehouse = SnowflakeWarehouse(SnowflakeSettings.from_environment(os.environ))
        rows = rows_of("orders", [{"order_id": "a", "order_status": "shipped"}])
        warehouse.load(SPECS["orders"], rows, keys_of("orders", [("a",), ("b",)]), 0, 1)
        """
    )
    environment = {**os.environ, **settings.dbt_environment(), "AURA_SNOWFLAKE_PASSWORD": "none"}
    dead = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, moment], cwd=ROOT, env=environment, check=False
    )
    assert dead.returncode == -signal.SIGKILL
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (0, {"a": None, "b": None})
    shipped = rows_of("orders", [{"order_id": "a", "order_status": "shipped"}])
    again = warehouse.load(ORDERS, shipped, keys_of("orders", [("a",), ("b",)]), 0, 1)
    assert (again.deleted, again.inserted) == (2, 1)
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (1, {"a": "shipped"})
    assert warehouse.row_count("aura.load_orders") == 0


def test_a_reset_table_is_loaded_from_the_beginning(warehouse: SnowflakeWarehouse) -> None:
    warehouse.load(ORDERS, rows_of("orders", [{"order_id": "a"}]), keys_of("orders", []), -1, 7)
    warehouse._session.run("insert into aura.builds (model, load_id, reading_load_id) select 'fct_orders', 0, 0")
    warehouse.reset(ORDERS)
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (-1, {})
    warehouse.load(ORDERS, rows_of("orders", [{"order_id": "b"}]), keys_of("orders", []), -1, 2)
    touched = warehouse.query("select key_value, load_id from aura.touched order by load_id").to_pylist()
    assert touched == [{"key_value": "a", "load_id": 1}, {"key_value": "b", "load_id": 2}]


def test_a_column_that_is_new_is_added_and_a_lost_one_named(warehouse: SnowflakeWarehouse) -> None:
    wider = replace(ORDERS, columns=(*ORDERS.columns, ("note", pa.string())))
    warehouse.prepare([wider])
    noted = rows_of("orders", [{"order_id": "a"}]).append_column("note", pa.array(["x"]))
    warehouse.load(wider, noted, keys_of("orders", []), -1, 0)
    assert warehouse.query("select note from silver.orders").to_pylist() == [{"note": "x"}]
    with pytest.raises(WarehouseError, match=r"silver.orders in Snowflake has the columns note"):
        warehouse.prepare([ORDERS])


def test_a_key_pair_opens_the_account_and_dbt(tmp_path: Path, settings: SnowflakeSettings) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path / "key.p8"
    locked = serialization.BestAvailableEncryption(b"open sesame")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    keyed = replace(settings, password=None, private_key_path=path, passphrase="open sesame")
    warehouse = SnowflakeWarehouse(keyed)
    warehouse.prepare(list(SPECS.values()))
    assert warehouse.watermark("orders") == -1
    warehouse.release()
    dbt = DbtGold(ROOT / "dbt", tmp_path / "dbt", "snowflake", keyed.dbt_environment(), VARIABLES)
    assert [model.status for model in dbt.build(select=["stg_orders"]).models] == ["success"]


def test_a_statement_that_is_refused_is_named(warehouse: SnowflakeWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"Snowflake refused `select \* from silver.nothing`"):
        warehouse.query("select * from silver.nothing")


def test_an_account_that_does_not_answer_may_be_tried_again(settings: SnowflakeSettings) -> None:
    silent = replace(settings, port=9, network_timeout_seconds=1)
    with pytest.raises(StoreUnavailable, match=r"Snowflake did not answer `connect`"):
        SnowflakeWarehouse(silent).watermark("orders")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # dagster-snowflake's fields, at its import
def test_assets_of_ones_own_reach_the_same_account_by_the_resource(settings: SnowflakeSettings, tmp_path: Path) -> None:
    from aura_lake.orchestration.snowflake_resource import SNOWFLAKE, warehouse_resources
    from aura_lake.settings import Settings

    environ = {
        "AURA_SNOWFLAKE_ACCOUNT": settings.account,
        "AURA_SNOWFLAKE_USER": settings.user,
        "AURA_SNOWFLAKE_DATABASE": settings.database,
        "AURA_SNOWFLAKE_HOST": str(settings.host),
        "AURA_SNOWFLAKE_PORT": str(settings.port),
        "AURA_SNOWFLAKE_PROTOCOL": settings.protocol,
        "AURA_SNOWFLAKE_PASSWORD": str(settings.password),
    }
    lake = Settings(project=ROOT, home=str(tmp_path), state=tmp_path, shop=tmp_path, environ=environ)
    assert warehouse_resources(lake) == {}, "DuckDB needs none"
    resource = warehouse_resources(replace(lake, warehouse=SNOWFLAKE))[SNOWFLAKE]
    with resource.get_connection() as connection:
        assert connection.cursor().execute("select current_database()").fetchone() == (settings.database,)
