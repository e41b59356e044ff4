"""Snowflake as the warehouse.

A load writes Parquet, PUTs it under its batch's path of an internal stage, and then, in one
transaction of DML alone, COPYs it into a permanent load table, replaces the touched keys and
moves the watermark. DDL would commit a Snowflake transaction in the middle: all of it is in
`prepare` and before `publish` begins.

dbt builds and tests in the schema GOLD_BUILD; `publish` copies what changed into GOLD.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from aura_lake.errors import WarehouseError, WatermarkError
from aura_lake.warehouse.conform import conform_rows, conform_touched
from aura_lake.warehouse.load_files import write_load_files
from aura_lake.warehouse.periods import periods_condition
from aura_lake.warehouse.snowflake_session import SnowflakeSession
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings
from aura_lake.warehouse.snowflake_tables import (
    BOOKKEEPING,
    BUILD_SCHEMA,
    GOLD_SCHEMA,
    STAGE,
    make_published,
    make_table,
)
from aura_lake.warehouse.warehouse import NEVER, LoadReport, PublishReport, TableSpec


class SnowflakeWarehouse:
    """The `Warehouse` over one Snowflake database. Connects at the first use; `release` closes."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._session = SnowflakeSession(settings)

    def prepare(self, tables: Sequence[TableSpec]) -> None:
        """See `Warehouse.prepare`."""
        self._session.abort_abandoned()
        for statement in BOOKKEEPING:
            self._session.run(statement)
        for spec in tables:
            make_table(self._session, f"silver.{spec.name}", spec, "_key_hash number(20, 0)")
            make_table(self._session, f"aura.load_{spec.name}", spec, "_batch varchar, _is_row boolean")
            self._session.run(
                "insert into aura.watermarks (table_name, batch, load_id) select ?, ?, ?"
                " where not exists (select 1 from aura.watermarks where table_name = ?)",
                [spec.name, NEVER, NEVER, spec.name],
            )

    def watermark(self, table: str) -> int:
        """See `Warehouse.watermark`."""
        batch = self._session.value("select max(batch) from aura.watermarks where table_name = ?", [table])
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
        key = spec.key[:1] if is_first else tuple(n for n in spec.key if n in touched.schema.names)
        # The token makes each attempt's files its own: what a killed one left is never read.
        batch = f"batch_{to_batch}_{secrets.token_hex(4)}"
        with tempfile.TemporaryDirectory(prefix="aura-load-") as folder:
            keys = None if is_first else conform_touched(spec, touched)
            if write_load_files(Path(folder), spec, conform_rows(spec, rows), keys, batch):
                self._put(Path(folder), f"{spec.name}/{batch}")
        with self._session.transaction():
            load_id = self._advance(spec.name, from_batch, to_batch)
            self._copy(spec.name, batch)
            if not is_first:
                self._refuse_untouched(spec.name, key)
            deleted = self._delete_touched(spec.name, None if is_first else key)
            columns = _names(spec.column_names)
            inserted = self._session.change(
                f"insert into silver.{spec.name} (_key_hash, {columns})"
                f" select md5_number_lower64({spec.key[0]}), {columns} from aura.load_{spec.name} where _is_row"
            )
            marked = self._mark_touched(spec, load_id, f"aura.load_{spec.name}")
            self._session.run(f"delete from aura.load_{spec.name}")
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

    def reset(self, spec: TableSpec) -> None:
        """See `Warehouse.reset`."""
        with self._session.transaction():
            load_id = self.last_load_id() + 1
            self._mark_touched(spec, load_id, f"silver.{spec.name}")
            self._session.run(f"delete from silver.{spec.name}")
            self._session.run(
                "update aura.watermarks set batch = ?, load_id = ? where table_name = ?",
                [NEVER, load_id, spec.name],
            )

    def last_load_id(self) -> int:
        """See `Warehouse.last_load_id`."""
        load_id = self._session.value("select max(load_id) from aura.watermarks")
        return NEVER if load_id is None else int(load_id)

    def builds(self) -> dict[str, int]:
        """See `Warehouse.builds`."""
        return {model: int(load_id) for model, load_id in self._session.run("select model, load_id from aura.builds")}

    def forget_touched(self) -> int:
        """See `Warehouse.forget_touched`."""
        return self._session.change("delete from aura.touched where load_id <= (select min(load_id) from aura.builds)")

    def changed_periods(self, model: str) -> list[str | None]:
        """See `Warehouse.changed_periods`."""
        rows = self._session.run("select distinct period from aura.changed_periods where model = ?", [model])
        periods = sorted(period for (period,) in rows if period is not None)
        return [None] if len(periods) < len(rows) else periods

    def clear_changed(self, models: Sequence[str]) -> None:
        """See `Warehouse.clear_changed`."""
        with self._session.transaction():
            for model in models:
                self._session.run("delete from aura.changed_periods where model = ?", [model])
                self._session.run("delete from aura.changed_keys where model = ?", [model])

    def read(self, model: str, periods: Sequence[str | None] | None = None) -> pa.Table:
        """See `Warehouse.read`."""
        columns = self._session.public_columns(f"{BUILD_SCHEMA}.{model}")
        wanted = periods_condition(columns, periods)
        return self.query(f"select {_names(columns)} from {BUILD_SCHEMA}.{model} where {wanted}")

    def publish(self, models: Sequence[str]) -> PublishReport:
        """See `Warehouse.publish`.

        A model that GOLD does not have, or has with other columns, is made there first, empty
        or whole; then one transaction replaces the months that changed of all models.
        """
        started = time.perf_counter()
        months: dict[str, tuple[str | None, ...]] = {}
        for model in models:
            made = make_published(self._session, model)
            periods = [None] if made else self.changed_periods(model)
            if periods:
                months[model] = tuple(periods)
        inserted: dict[str, int] = {}
        with self._session.transaction():
            for model, periods_of_model in months.items():
                columns = self._session.public_columns(f"{BUILD_SCHEMA}.{model}")
                wanted = periods_condition(columns, periods_of_model)
                self._session.run(f"delete from {GOLD_SCHEMA}.{model} where {wanted}")
                inserted[model] = self._session.change(
                    f"insert into {GOLD_SCHEMA}.{model} ({_names(columns)})"
                    f" select {_names(columns)} from {BUILD_SCHEMA}.{model} where {wanted}"
                )
        return PublishReport(months, inserted, time.perf_counter() - started)

    def row_count(self, table: str) -> int:
        """See `Warehouse.row_count`."""
        return int(self._session.value(f"select count(*) from {table}"))

    def query(self, sql: str) -> pa.Table:
        """See `Warehouse.query`."""
        return self._session.query(sql)

    def release(self) -> None:
        """See `Warehouse.release`."""
        self._session.close()

    def _put(self, folder: Path, path: str) -> None:
        self._session.run(
            f"put 'file://{folder.as_posix()}/*.parquet' @{STAGE}/{path}/ auto_compress = false overwrite = true"
        )

    def _copy(self, table: str, batch: str) -> None:
        """Bring the batch's files into the load table, which holds nothing else."""
        self._session.run(f"delete from aura.load_{table}")
        self._session.run(
            f"copy into aura.load_{table} from @{STAGE}/{table}/{batch}/"
            " file_format = (type = parquet use_logical_type = true)"
            " match_by_column_name = case_insensitive purge = true"
        )
        loaded = self._session.run(f"select distinct _batch from aura.load_{table}")
        if any(row != (batch,) for row in loaded):
            raise WarehouseError(
                f"aura.load_{table} holds batches {sorted(str(b) for (b,) in loaded)} instead of {batch} alone.",
                fix="Another process loads this database: stop it, and run again.",
            )

    def _advance(self, table: str, from_batch: int, to_batch: int) -> int:
        """Move the watermark from exactly `from_batch`; the number of this load."""
        load_id = self.last_load_id() + 1
        moved = self._session.change(
            "update aura.watermarks set batch = ?, load_id = ? where table_name = ? and batch = ?",
            [to_batch, load_id, table, from_batch],
        )
        if moved != 1:
            raise WatermarkError(
                f"{table}: the warehouse has read to batch {self.watermark(table)}, "
                f"this load begins after {from_batch} ({moved} watermarks match).",
                fix="Read the watermark again and load from there; nothing was written.",
            )
        return load_id

    def _refuse_untouched(self, table: str, key: Sequence[str]) -> None:
        strangers = self._session.value(
            f"select count(*) from aura.load_{table} where _is_row and ({_names(key)}) not in"
            f" (select {_names(key)} from aura.load_{table} where not _is_row)"
        )
        if strangers:
            raise WarehouseError(
                f"{table}: {strangers} rows have keys that are not among the touched ones; they would stand twice.",
                fix="Name the key of every row that is loaded among the touched keys.",
            )

    def _delete_touched(self, table: str, key: Sequence[str] | None) -> int:
        """Delete the rows of the touched keys; without a key all of them."""
        if key is None:
            return self._session.change(f"delete from silver.{table}")
        return self._session.change(
            f"delete from silver.{table} where ({_names(key)}) in"
            f" (select {_names(key)} from aura.load_{table} where not _is_row)"
        )

    def _mark_touched(self, spec: TableSpec, load_id: int, source: str) -> int:
        """Record first key columns. Before any model was built there is no one to tell."""
        return self._session.change(
            "insert into aura.touched (table_name, key_value, load_id)"
            f" select distinct ?, {spec.key[0]}, to_number(?) from {source}"
            " where exists (select 1 from aura.builds)",
            [spec.name, load_id],
        )


def _names(columns: Sequence[str]) -> str:
    return ", ".join(columns)
