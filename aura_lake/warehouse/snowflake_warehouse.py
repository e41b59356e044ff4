"""Snowflake as the warehouse.

A load writes Parquet, PUTs it under its batch's path of an internal stage, and then, in one
transaction of DML alone, COPYs it into a permanent load table, replaces the touched keys and
moves the watermark. DDL would commit a Snowflake transaction in the middle: all of it is in
`prepare` and before `publish` begins.

dbt builds and tests in the schema GOLD_BUILD; `publish` copies what changed into GOLD.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from aura_lake.errors import StoreUnavailable, WarehouseError, WatermarkError
from aura_lake.warehouse.conform import conform_rows, conform_touched, in_utc, stored_schema, stored_type
from aura_lake.warehouse.periods import month_bounds
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings
from aura_lake.warehouse.warehouse import NEVER, PERIOD_COLUMN, UNDATED, LoadReport, PublishReport, TableSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

BUILD_SCHEMA = "gold_build"
GOLD_SCHEMA = "gold"
STAGE = "aura.loads"

#: Rows of one Parquet file: some 100 MB, what Snowflake loads best.
ROWS_A_FILE = 1_000_000

_BOOKKEEPING = (
    "create schema if not exists silver",
    "create schema if not exists aura",
    f"create schema if not exists {BUILD_SCHEMA}",
    f"create schema if not exists {GOLD_SCHEMA}",
    f"create stage if not exists {STAGE}",
    "create table if not exists aura.watermarks (table_name varchar, batch number(38, 0), load_id number(38, 0))",
    "create table if not exists aura.touched (table_name varchar, key_value varchar, load_id number(38, 0))",
    "create table if not exists aura.builds (model varchar, load_id number(38, 0), reading_load_id number(38, 0))",
    "create table if not exists aura.reading (model varchar, key_hash number(20, 0))",
    "create table if not exists aura.changed_periods (model varchar, period varchar)",
    "create table if not exists aura.changed_keys (model varchar, key_hash number(20, 0), invocation_id varchar)",
)


class SnowflakeWarehouse:
    """The `Warehouse` over one Snowflake database. Connects at the first use; `release` closes."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        settings.refuse_what_is_unsafe()
        self._settings = settings
        self._connection: SnowflakeConnection | None = None

    def prepare(self, tables: Sequence[TableSpec]) -> None:
        """See `Warehouse.prepare`."""
        for statement in _BOOKKEEPING:
            self._run(statement)
        for spec in tables:
            self._make_table(f"silver.{spec.name}", spec, "_key_hash number(20, 0)")
            self._make_table(f"aura.load_{spec.name}", spec, "_batch varchar, _is_row boolean")
            self._run(
                "insert into aura.watermarks (table_name, batch, load_id) select ?, ?, ?"
                " where not exists (select 1 from aura.watermarks where table_name = ?)",
                [spec.name, NEVER, NEVER, spec.name],
            )

    def watermark(self, table: str) -> int:
        """See `Warehouse.watermark`."""
        batch = self._value("select max(batch) from aura.watermarks where table_name = ?", [table])
        return NEVER if batch is None else int(batch)

    def load(
        self,
        spec: TableSpec,
        rows: pa.Table | pa.RecordBatchReader,
        touched: pa.Table,
        from_batch: int,
        to_batch: int,
    ) -> LoadReport:
        """See `Warehouse.load`."""
        started = time.perf_counter()
        if to_batch <= from_batch:
            raise WatermarkError(
                f"{spec.name}: a load from batch {from_batch} to {to_batch} moves nothing forward.",
                fix="Load only when silver has newer batches than the warehouse.",
            )
        is_first = from_batch == NEVER
        keys = conform_touched(spec, touched if not is_first else spec.key_table())
        batch = f"{from_batch}-{to_batch}"
        with tempfile.TemporaryDirectory(prefix="aura-load-") as folder:
            self._write_parquet(Path(folder), spec, rows, keys, batch)
            self._put(Path(folder), f"{spec.name}/{batch}")
        with self._transaction():
            load_id = self._advance(spec.name, from_batch, to_batch)
            self._copy(spec, batch)
            if is_first:
                deleted = self._count(f"delete from silver.{spec.name}")
            else:
                self._refuse_untouched(spec, keys.schema.names)
                deleted = self._delete_touched(spec, keys.schema.names)
            columns = ", ".join(f'"{name.upper()}"' for name in spec.column_names)
            inserted = self._count(
                f"insert into silver.{spec.name} (_key_hash, {columns})"
                f" select md5_number_lower64({spec.key[0]}), {columns} from aura.load_{spec.name} where _is_row"
            )
            marked = self._mark_touched(spec, load_id, is_first)
            self._run(f"delete from aura.load_{spec.name}")
        return LoadReport(
            table=spec.name,
            from_batch=from_batch,
            to_batch=to_batch,
            load_id=load_id,
            deleted=deleted,
            inserted=inserted,
            touched=marked,
            seconds=time.perf_counter() - started,
        )
