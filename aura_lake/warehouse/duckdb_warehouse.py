"""DuckDB as the warehouse: one private file with one writer, rebuildable from silver.

dbt builds gold in the schema `gold` of the same file; people read the Delta copy.
Times are stored as TIMESTAMP in UTC and leave as timestamps with the zone UTC.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from aura_lake.errors import WarehouseError, WatermarkError
from aura_lake.warehouse.conform import conform_rows, conform_touched
from aura_lake.warehouse.duckdb_session import DuckDBSession
from aura_lake.warehouse.duckdb_tables import BOOKKEEPING, GOLD_SCHEMA, make_table
from aura_lake.warehouse.periods import periods_condition
from aura_lake.warehouse.warehouse import (
    NEVER,
    LoadReport,
    PublishReport,
    TableSpec,
)


class DuckDBWarehouse:
    """The `Warehouse` over one DuckDB file. Opens it at the first use; `release` closes it."""

    def __init__(self, path: Path, *, memory_limit: str = "1GB", threads: int = 2) -> None:
        self._session = DuckDBSession(path, memory_limit, threads)

    def prepare(self, tables: Sequence[TableSpec]) -> None:
        """See `Warehouse.prepare`."""
        for statement in BOOKKEEPING:
            self._session.run(statement)
        for spec in tables:
            make_table(self._session, spec)
            self._session.run(
                "insert into aura.watermarks select $1, $2, $2"
                " where not exists (from aura.watermarks where table_name = $1)",
                [spec.name, NEVER],
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
        with self._staged(spec, rows, touched, is_first), self._session.transaction():
            load_id = self._advance(spec.name, from_batch, to_batch)
            deleted = self._delete_touched(spec, is_first)
            columns = ", ".join(f'"{name}"' for name in spec.column_names)
            source = "incoming_rows" if is_first else "staged_rows"
            inserted = self._session.change(
                f"insert into silver.{spec.name} (_key_hash, {columns})"
                f' select md5_number_lower("{spec.key[0]}"), {columns} from {source}'
            )
            marked = self._mark_touched(spec, load_id, is_first)
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
            self._mark_touched(spec, self.last_load_id() + 1, is_first=True)
            self._session.run(f"delete from silver.{spec.name}")
            self._session.run(
                "update aura.watermarks set batch = ?,"
                " load_id = (select max(load_id) + 1 from aura.watermarks) where table_name = ?",
                [NEVER, spec.name],
            )

    def last_load_id(self) -> int:
        """See `Warehouse.last_load_id`."""
        load_id = self._session.value("select max(load_id) from aura.watermarks")
        return NEVER if load_id is None else int(load_id)

    def builds(self) -> dict[str, int]:
        """See `Warehouse.builds`."""
        return dict(self._session.run("select model, load_id from aura.builds order by model"))

    def forget_touched(self) -> int:
        """See `Warehouse.forget_touched`."""
        return self._session.change("delete from aura.touched where load_id <= (select min(load_id) from aura.builds)")

    def changed_periods(self, model: str) -> list[str | None]:
        """See `Warehouse.changed_periods`."""
        rows = self._session.run("select distinct period from aura.changed_periods where model = ? order by 1", [model])
        periods = [period for (period,) in rows]
        return [None] if None in periods else periods

    def clear_changed(self, models: Sequence[str]) -> None:
        """See `Warehouse.clear_changed`."""
        with self._session.transaction():
            for table in ("changed_periods", "changed_keys"):
                self._session.run(f"delete from aura.{table} where model in (select unnest(?))", [models])

    def read(self, model: str, periods: Sequence[str | None] | None = None) -> pa.Table:
        """See `Warehouse.read`."""
        columns = [
            name
            for (name,) in self._session.run(
                "select column_name from information_schema.columns"
                " where table_schema = ? and table_name = ? order by ordinal_position",
                [GOLD_SCHEMA, model],
            )
        ]
        if not columns:
            raise WarehouseError(
                f"There is no {GOLD_SCHEMA}.{model} in {self._session.path.name}.",
                fix="Build the gold models first: aura run.",
            )
        public = ", ".join(f'"{name}"' for name in columns if not name.startswith("_"))
        wanted = periods_condition(columns, periods)
        return self.query(f"select {public} from {GOLD_SCHEMA}.{model} where {wanted}")

    def publish(self, models: Sequence[str]) -> PublishReport:
        """Nothing moves: nobody reads this private file; the Delta copy is what is published."""
        return PublishReport(months={}, inserted={}, seconds=0.0)

    def row_count(self, table: str) -> int:
        """See `Warehouse.row_count`."""
        return int(self._session.value(f"select count(*) from {table}") or 0)

    def query(self, sql: str) -> pa.Table:
        """See `Warehouse.query`."""
        return self._session.query(sql)

    def release(self) -> None:
        """See `Warehouse.release`."""
        self._session.close()

    @contextmanager
    def _staged(
        self,
        spec: TableSpec,
        rows: pa.Table | pa.RecordBatchReader,
        touched: pa.Table,
        is_first: bool,
    ) -> Iterator[None]:
        """`incoming_rows` (first load: read once, never copied) or `staged_rows` and `staged_keys`."""
        connection = self._session.connection
        connection.register("incoming_rows", conform_rows(spec, rows))
        try:
            if not is_first:
                keys = conform_touched(spec, touched)
                connection.register("incoming_keys", keys)
                self._session.run(
                    "create or replace temp table staged_keys as"
                    f' select md5_number_lower("{spec.key[0]}") as _key_hash, * from incoming_keys'
                )
                self._session.run("create or replace temp table staged_rows as from incoming_rows")
                self._refuse_untouched(spec, keys.schema.names)
            yield
        finally:
            for view in ("incoming_rows", "incoming_keys"):
                connection.unregister(view)
            for table in ("staged_rows", "staged_keys"):
                connection.execute(f"drop table if exists temp.{table}")

    def _refuse_untouched(self, spec: TableSpec, key: Sequence[str]) -> None:
        columns = ", ".join(f'"{name}"' for name in key)
        strangers = self._session.value(f"select count(*) from staged_rows anti join staged_keys using ({columns})")
        if strangers:
            raise WarehouseError(
                f"{spec.name}: {strangers} rows have keys that are not among the touched ones; they would stand twice.",
                fix="Name the key of every row that is loaded among the touched keys.",
            )

    def _advance(self, table: str, from_batch: int, to_batch: int) -> int:
        """Move the watermark from exactly `from_batch`; the number of this load."""
        moved = self._session.run(
            "update aura.watermarks set batch = $3,"
            " load_id = (select max(load_id) + 1 from aura.watermarks)"
            " where table_name = $1 and batch = $2 returning load_id",
            [table, from_batch, to_batch],
        )
        if len(moved) != 1:
            raise WatermarkError(
                f"{table}: the warehouse has read to batch {self.watermark(table)}, "
                f"this load begins after {from_batch} ({len(moved)} watermarks match).",
                fix="Read the watermark again and load from there; nothing was written.",
            )
        return int(moved[0][0])

    def _delete_touched(self, spec: TableSpec, is_first: bool) -> int:
        if is_first:
            return self._session.change(f"delete from silver.{spec.name}")
        key = [name for name in spec.key if name in self._columns("staged_keys")]
        columns = ", ".join(f'"{name}"' for name in key)
        return self._session.change(
            f"delete from silver.{spec.name} where"
            # The hash prunes a scan of long ids to a fifth of its cost.
            " _key_hash in (select _key_hash from staged_keys)"
            f" and ({columns}) in (select ({columns}) from staged_keys)"
        )

    def _mark_touched(self, spec: TableSpec, load_id: int, is_first: bool) -> int:
        """Record first key columns. Before any model was built there is no one to tell."""
        source = f"silver.{spec.name}" if is_first else "staged_keys"
        return self._session.change(
            "insert into aura.touched"
            f' select distinct $1, "{spec.key[0]}", $2::bigint from {source}'
            " where exists (from aura.builds)",
            [spec.name, load_id],
        )

    def _columns(self, table: str) -> list[str]:
        return [name for name, *_ in self._session.run(f"describe {table}")]
