"""Loads into DuckDB: exactly once, by touched keys, with the watermark beside the rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from aura_lake.errors import LeaseHeld, WarehouseError, WatermarkError
from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
from aura_lake.warehouse.warehouse import TableSpec
from tests.unit.warehouse.small_shop import SPECS, Row, keys_of, rows_of

ORDERS = SPECS["orders"]
NOON = datetime(2024, 2, 1, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    warehouse.prepare(list(SPECS.values()))
    yield warehouse
    warehouse.release()


def order(order_id: str, **other: object) -> Row:
    return {"order_id": order_id, "ordered_at": NOON, "order_amount": Decimal("9.99")} | other


def load(warehouse: DuckDBWarehouse, rows: list[Row], touched: list[str], batches: tuple[int, int]) -> object:
    keys = keys_of("orders", [(order_id,) for order_id in touched])
    return warehouse.load(ORDERS, rows_of("orders", rows), keys, *batches)


def statuses(warehouse: DuckDBWarehouse) -> dict[str, str | None]:
    rows = warehouse.query("select order_id, order_status from silver.orders order by order_id")
    return {row["order_id"]: row["order_status"] for row in rows.to_pylist()}


def test_a_table_that_was_never_loaded_stands_empty_at_watermark_minus_one(
    warehouse: DuckDBWarehouse,
) -> None:
    assert warehouse.watermark("orders") == -1
    assert warehouse.row_count("silver.orders") == 0
    assert warehouse.last_load_id() == -1


def test_a_load_replaces_the_rows_of_touched_keys_and_no_others(
    warehouse: DuckDBWarehouse,
) -> None:
    load(warehouse, [order("a"), order("b"), order("c")], [], (-1, 4))
    report = load(warehouse, [order("b", order_status="shipped")], ["b", "c", "x"], (4, 6))
    assert statuses(warehouse) == {"a": None, "b": "shipped"}
    assert (report.deleted, report.inserted) == (2, 1)  # type: ignore[attr-defined]
    assert warehouse.watermark("orders") == 6


def test_a_line_is_touched_alone_or_with_all_lines_of_its_order(
    warehouse: DuckDBWarehouse,
) -> None:
    items = SPECS["order_items"]
    lines = [{"order_id": "a", "line_number": number} for number in "123"]
    warehouse.load(items, rows_of("order_items", lines), keys_of("order_items", []), -1, 0)
    alone = keys_of("order_items", [("a", "2")])
    assert warehouse.load(items, rows_of("order_items", []), alone, 0, 1).deleted == 1
    whole = pa.table({"order_id": ["a"]})
    assert warehouse.load(items, rows_of("order_items", []), whole, 1, 2).deleted == 2


def test_all_versions_of_a_user_are_replaced_together(warehouse: DuckDBWarehouse) -> None:
    history = SPECS["users_history"]
    versions = [{"user_id": "u", "city": city} for city in ("Bonn", "Trier")]
    warehouse.load(history, rows_of("users_history", versions[:1]), pa.table({"user_id": ["u"]}), -1, 0)
    report = warehouse.load(history, rows_of("users_history", versions), pa.table({"user_id": ["u"]}), 0, 1)
    assert (report.deleted, report.inserted) == (1, 2)


def test_a_stream_of_batches_loads_like_a_table(warehouse: DuckDBWarehouse) -> None:
    rows = rows_of("orders", [order(f"o{number}") for number in range(10)])
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=3))
    assert warehouse.load(ORDERS, reader, keys_of("orders", []), -1, 0).inserted == 10


def test_money_and_times_come_back_exact_and_in_utc(warehouse: DuckDBWarehouse) -> None:
    odd = datetime(2024, 3, 31, 1, 30, 0, 1, tzinfo=UTC)
    amount = Decimal("12345678901234.5678")
    load(warehouse, [order("a", ordered_at=odd, order_amount=amount)], [], (-1, 0))
    (row,) = warehouse.query("select ordered_at, order_amount from silver.orders").to_pylist()
    assert row == {"ordered_at": odd, "order_amount": amount}


def test_loading_the_same_batches_again_is_refused_and_changes_nothing(
    warehouse: DuckDBWarehouse,
) -> None:
    load(warehouse, [order("a")], [], (-1, 4))
    refusal = r"orders: the warehouse has read to batch 4, this load begins after -1"
    with pytest.raises(WatermarkError, match=refusal):
        load(warehouse, [order("a"), order("b")], [], (-1, 4))
    with pytest.raises(WatermarkError, match=r"has read to batch 4, this load begins after 5"):
        load(warehouse, [order("b")], ["b"], (5, 6))
    with pytest.raises(WatermarkError, match=r"from batch 4 to 4 moves nothing forward"):
        load(warehouse, [order("b")], ["b"], (4, 4))
    assert statuses(warehouse) == {"a": None}


def test_a_row_whose_key_is_not_touched_is_refused(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, [order("a")], [], (-1, 0))
    with pytest.raises(WarehouseError, match=r"orders: 1 rows have keys that are not among"):
        load(warehouse, [order("a"), order("b")], ["b"], (0, 1))
    assert warehouse.watermark("orders") == 0


def test_a_load_killed_before_its_commit_leaves_rows_and_watermark_as_they_were(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    load(warehouse, [order("a"), order("b")], [], (-1, 0))
    warehouse.release()
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
        from tests.unit.warehouse.small_shop import SPECS, keys_of, rows_of

        class Killed(DuckDBWarehouse):
            def _mark_touched(self, *_):
                os.kill(os.getpid(), signal.SIGKILL)

        rows = rows_of("orders", [{"order_id": "a", "order_status": "shipped"}])
        Killed(Path(sys.argv[1])).load(SPECS["orders"], rows, keys_of("orders", [("a",)]), 0, 1)
        """
    )
    root = str(Path(__file__).parents[3])
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "warehouse.duckdb")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (0, {"a": None, "b": None})
    load(warehouse, [order("a", order_status="shipped")], ["a"], (0, 1))
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (1, {"a": "shipped", "b": None})


def test_touched_keys_are_kept_until_every_model_has_read_them(
    warehouse: DuckDBWarehouse,
) -> None:
    load(warehouse, [order("a")], ["a"], (-1, 0))
    assert warehouse.row_count("aura.touched") == 0  # no model stands that would have to know
    warehouse.query("insert into aura.builds values ('fct_orders', 0, 0, ''), ('dim_date', 0, 0, '')")
    assert load(warehouse, [order("b")], ["b"], (0, 1)).load_id == 1  # type: ignore[attr-defined]
    assert load(warehouse, [order("c")], ["c"], (1, 2)).load_id == 2  # type: ignore[attr-defined]
    warehouse.query("update aura.builds set load_id = 2 where model = 'fct_orders'")
    assert warehouse.forget_touched() == 0
    warehouse.query("update aura.builds set load_id = 1 where model = 'dim_date'")
    assert warehouse.forget_touched() == 1
    assert warehouse.builds() == {"dim_date": 1, "fct_orders": 2}
    touched = warehouse.query("from aura.touched").to_pylist()
    assert touched == [{"table_name": "orders", "key_value": "c", "load_id": 2}]


def test_a_reset_table_is_loaded_from_the_beginning_and_its_old_keys_are_touched(
    warehouse: DuckDBWarehouse,
) -> None:
    load(warehouse, [order("a"), order("b")], [], (-1, 7))
    warehouse.query("insert into aura.builds values ('fct_orders', 0, 0, '')")
    warehouse.reset(ORDERS)
    assert (warehouse.watermark("orders"), statuses(warehouse)) == (-1, {})
    load(warehouse, [order("b"), order("c")], [], (-1, 2))
    touched = warehouse.query("select key_value, load_id from aura.touched order by all")
    assert [tuple(row.values()) for row in touched.to_pylist()] == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
        ("c", 2),
    ]


def test_rows_of_other_columns_are_refused_by_name(warehouse: DuckDBWarehouse) -> None:
    rows = rows_of("orders", [order("a")]).drop_columns(["currency"])
    refusal = r"orders: rows lack \['currency'\] columns and have \['note'\] others"
    with pytest.raises(WarehouseError, match=refusal):
        warehouse.load(ORDERS, rows.append_column("note", [["x"]]), keys_of("orders", []), -1, 0)
    load(warehouse, [], [], (-1, 0))
    with pytest.raises(WarehouseError, match=r"orders: touched keys lack \['order_id'\]"):
        warehouse.load(ORDERS, rows_of("orders", []), pa.table({"user_id": ["u"]}), 0, 1)


def test_a_key_that_is_null_is_refused(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, [], [], (-1, 0))
    nameless = pa.table({"order_id": pa.array(["a", None])})
    with pytest.raises(WarehouseError, match=r"orders: 1 of 2 touched keys have no order_id"):
        warehouse.load(ORDERS, rows_of("orders", []), nameless, 0, 1)


def test_a_time_in_another_zone_than_utc_is_refused(warehouse: DuckDBWarehouse) -> None:
    rows = rows_of("orders", [order("a")])
    position = rows.schema.get_field_index("ordered_at")
    there = rows.column("ordered_at").cast(pa.timestamp("us", "Europe/Berlin"))
    with pytest.raises(WarehouseError, match=r"orders.ordered_at is in time zone Europe/Berlin"):
        warehouse.load(ORDERS, rows.set_column(position, "ordered_at", there), keys_of("orders", []), -1, 0)


def test_a_column_that_is_new_in_a_contract_is_added(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, [order("a")], [], (-1, 0))
    warehouse.prepare([replace(ORDERS, columns=(*ORDERS.columns, ("note", pa.string())))])
    assert warehouse.query("select order_id, note from silver.orders").to_pylist() == [{"order_id": "a", "note": None}]


def test_a_column_of_another_type_says_to_rebuild(warehouse: DuckDBWarehouse) -> None:
    columns = tuple((name, pa.int64() if name == "region" else dtype) for name, dtype in ORDERS.columns)
    with pytest.raises(WarehouseError, match=r"region VARCHAR, but the table now has region BIGINT"):
        warehouse.prepare([replace(ORDERS, columns=columns)])


def test_a_type_without_a_place_in_the_warehouse_is_named(warehouse: DuckDBWarehouse) -> None:
    strange = TableSpec("strange", (("id", pa.string()), ("tags", pa.list_(pa.string()))), ("id",))
    with pytest.raises(WarehouseError, match=r"strange.tags is list<item: string>"):
        warehouse.prepare([strange])


def test_a_polars_schema_gives_the_spec_and_polars_rows_load(warehouse: DuckDBWarehouse) -> None:
    frame = pl.DataFrame(
        {"id": ["a"], "seen_at": [NOON], "price": [Decimal("1.5")]},
        schema={"id": pl.String, "seen_at": pl.Datetime("us", "UTC"), "price": pl.Decimal(18, 4)},
    )
    spec = TableSpec.from_polars("things", frame.schema, ["id"])
    warehouse.prepare([spec])
    warehouse.load(spec, frame.to_arrow(), pa.table({"id": ["a"]}), -1, 0)
    assert pl.from_arrow(warehouse.query("select id, seen_at, price from silver.things")).equals(frame)  # type: ignore[union-attr]


def test_a_damaged_file_says_that_it_may_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(WarehouseError, match=r"cannot be opened as a DuckDB file \(14000 bytes\)") as raised:
        DuckDBWarehouse(path).prepare([])
    assert "delete it" in raised.value.fix


def test_a_file_that_another_process_holds_names_the_process(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    warehouse.release()
    path = tmp_path / "warehouse.duckdb"
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LeaseHeld, match=str(holder.pid)):
            DuckDBWarehouse(path).watermark("orders")
    finally:
        holder.communicate(b"\n")


def test_a_model_that_was_never_built_cannot_be_read(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"There is no gold.fct_orders in warehouse.duckdb"):
        warehouse.read("fct_orders")


def test_only_the_months_that_are_asked_for_are_read(warehouse: DuckDBWarehouse) -> None:
    warehouse.query(
        "create table gold.fct_orders as select 1::ubigint as _key_hash, * from (values"
        " ('a', date '2023-12-31'), ('b', date '2024-01-01'), ('c', date '2024-01-31'),"
        " ('d', date '2024-02-01'), ('e', null)) as orders (order_id, order_date)"
    )
    for periods, orders in [
        (["2024-01"], "bc"),
        (["2023-12", "2024-02"], "ad"),
        (["unknown"], "e"),
        ([], ""),
        ([None], "abcde"),
        (None, "abcde"),
    ]:
        rows = warehouse.read("fct_orders", periods)
        assert rows.schema.names == ["order_id", "order_date"]
        assert "".join(sorted(rows.column("order_id").to_pylist())) == orders
    with pytest.raises(WarehouseError, match=r"'2024' is not a period"):
        warehouse.read("fct_orders", ["2024"])
