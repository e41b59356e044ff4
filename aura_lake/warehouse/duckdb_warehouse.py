"""DuckDB as the warehouse: one private file with one writer, rebuildable from silver.

dbt builds gold in the schema `gold` of the same file; people read the Delta copy.
Times are stored as TIMESTAMP in UTC and leave as timestamps with the zone UTC.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from aura_lake.errors import LeaseHeld, WarehouseError, WatermarkError
from aura_lake.warehouse.conform import conform_rows, conform_touched, in_utc, stored_type
from aura_lake.warehouse.periods import month_bounds
from aura_lake.warehouse.warehouse import (
    NEVER,
    PERIOD_COLUMN,
    LoadReport,
    PublishReport,
    TableSpec,
)

GOLD_SCHEMA = "gold"

_BOOKKEEPING = (
    "create schema if not exists silver",
    "create schema if not exists aura",
    f"create schema if not exists {GOLD_SCHEMA}",
    "create table if not exists aura.watermarks"
    " (table_name varchar, batch bigint, load_id bigint)",
    "create table if not exists aura.touched"
    " (table_name varchar, key_value varchar, load_id bigint)",
    "create table if not exists aura.builds"
    " (model varchar, load_id bigint, reading_load_id bigint)",
    "create table if not exists aura.reading (model varchar, key_hash ubigint)",
    "create table if not exists aura.changed_periods (model varchar, period varchar)",
    "create table if not exists aura.changed_keys"
    " (model varchar, key_hash ubigint, invocation_id varchar)",
)


class DuckDBWarehouse:
    """The `Warehouse` over one DuckDB file. Opens it at the first use; `release` closes it."""

    def __init__(self, path: Path, *, memory_limit: str = "1GB", threads: int = 2) -> None:
        self._path = path
        self._memory_limit = memory_limit
        self._threads = threads
        self._connection: duckdb.DuckDBPyConnection | None = None

    def prepare(self, tables: Sequence[TableSpec]) -> None:
        """See `Warehouse.prepare`."""
        for statement in _BOOKKEEPING:
            self._run(statement)
        for spec in tables:
            self._make_table(spec)
            self._run(
                "insert into aura.watermarks select $1, $2, $2"
                " where not exists (from aura.watermarks where table_name = $1)",
                [spec.name, NEVER],
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
        with self._staged(spec, rows, touched, is_first), self._transaction():
            load_id = self._advance(spec.name, from_batch, to_batch)
            deleted = self._delete_touched(spec, is_first)
            columns = ", ".join(f'"{name}"' for name in spec.column_names)
            source = "incoming_rows" if is_first else "staged_rows"
            inserted = self._count(
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
        with self._transaction():
            self._mark_touched(spec, self.last_load_id() + 1, is_first=True)
            self._run(f"delete from silver.{spec.name}")
            self._run(
                "update aura.watermarks set batch = ?,"
                " load_id = (select max(load_id) + 1 from aura.watermarks) where table_name = ?",
                [NEVER, spec.name],
            )

    def last_load_id(self) -> int:
        """See `Warehouse.last_load_id`."""
        load_id = self._value("select max(load_id) from aura.watermarks")
        return NEVER if load_id is None else int(load_id)

    def builds(self) -> dict[str, int]:
        """See `Warehouse.builds`."""
        return dict(self._run("select model, load_id from aura.builds order by model"))

    def forget_touched(self) -> int:
        """See `Warehouse.forget_touched`."""
        return self._count(
            "delete from aura.touched where load_id <= (select min(load_id) from aura.builds)"
        )

    def changed_periods(self, model: str) -> list[str | None]:
        """See `Warehouse.changed_periods`."""
        rows = self._run(
            "select distinct period from aura.changed_periods where model = ? order by 1", [model]
        )
        periods = [period for (period,) in rows]
        return [None] if None in periods else periods

    def clear_changed(self, models: Sequence[str]) -> None:
        """See `Warehouse.clear_changed`."""
        with self._transaction():
            for table in ("changed_periods", "changed_keys"):
                self._run(f"delete from aura.{table} where model in (select unnest(?))", [models])

    def read(self, model: str, periods: Sequence[str | None] | None = None) -> pa.Table:
        """See `Warehouse.read`."""
        columns = [
            name
            for (name,) in self._run(
                "select column_name from information_schema.columns"
                " where table_schema = ? and table_name = ? order by ordinal_position",
                [GOLD_SCHEMA, model],
            )
        ]
        if not columns:
            raise WarehouseError(
                f"There is no {GOLD_SCHEMA}.{model} in {self._path.name}.",
                fix="Build the gold models first: aura run.",
            )
        public = ", ".join(f'"{name}"' for name in columns if not name.startswith("_"))
        wanted = "true"
        if periods is not None and None not in periods and PERIOD_COLUMN in columns:
            wanted = " or ".join(month_bounds(PERIOD_COLUMN, period) for period in periods)
        return self.query(f"select {public} from {GOLD_SCHEMA}.{model} where {wanted or 'false'}")

    def publish(self, models: Sequence[str]) -> PublishReport:
        """Nothing moves: nobody reads this private file; the Delta copy is what is published."""
        return PublishReport(months={}, inserted={}, seconds=0.0)

    def row_count(self, table: str) -> int:
        """See `Warehouse.row_count`."""
        return int(self._value(f"select count(*) from {table}") or 0)

    def query(self, sql: str) -> pa.Table:
        """See `Warehouse.query`."""
        with self._explained(sql):
            answer = self._open().sql(sql)
            return in_utc(answer.to_arrow_table()) if answer is not None else pa.table({})

    def release(self) -> None:
        """See `Warehouse.release`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = duckdb.connect(
                    str(self._path),
                    config={
                        "memory_limit": self._memory_limit,
                        "threads": self._threads,
                        "autoinstall_known_extensions": False,
                    },
                )
            except duckdb.Error as error:
                raise _cannot_open(self._path, error) from error
        return self._connection

    def _make_table(self, spec: TableSpec) -> None:
        wanted = {name: _sql_type(spec.name, name, dtype) for name, dtype in spec.columns}
        columns = ", ".join(f'"{name}" {dtype}' for name, dtype in wanted.items())
        self._run(f"create table if not exists silver.{spec.name} (_key_hash ubigint, {columns})")
        stands = dict(
            self._run(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'silver' and table_name = ? and column_name <> '_key_hash'",
                [spec.name],
            )
        )
        for name in wanted.keys() - stands.keys():
            self._run(f'alter table silver.{spec.name} add column "{name}" {wanted[name]}')
        other = [name for name in stands if stands[name] != wanted.get(name)]
        if other:
            raise WarehouseError(
                f"silver.{spec.name} in {self._path.name} holds "
                f"{', '.join(f'{name} {stands[name]}' for name in other)}, "
                f"but the table now has {', '.join(f'{n} {wanted.get(n)}' for n in other)}.",
                fix=f"Delete {self._path}: it is a cache, and the next run builds it again.",
            )

    @contextmanager
    def _staged(
        self,
        spec: TableSpec,
        rows: pa.Table | pa.RecordBatchReader,
        touched: pa.Table,
        is_first: bool,
    ) -> Iterator[None]:
        """`incoming_rows` (first load: read once, never copied) or `staged_rows` and `staged_keys`."""
        connection = self._open()
        connection.register("incoming_rows", conform_rows(spec, rows))
        try:
            if not is_first:
                keys = conform_touched(spec, touched)
                connection.register("incoming_keys", keys)
                self._run(
                    "create or replace temp table staged_keys as"
                    f' select md5_number_lower("{spec.key[0]}") as _key_hash, * from incoming_keys'
                )
                self._run("create or replace temp table staged_rows as from incoming_rows")
                self._refuse_untouched(spec, keys.schema.names)
            yield
        finally:
            for view in ("incoming_rows", "incoming_keys"):
                connection.unregister(view)
            for table in ("staged_rows", "staged_keys"):
                connection.execute(f"drop table if exists temp.{table}")

    def _refuse_untouched(self, spec: TableSpec, key: Sequence[str]) -> None:
        columns = ", ".join(f'"{name}"' for name in key)
        strangers = self._value(
            f"select count(*) from staged_rows anti join staged_keys using ({columns})"
        )
        if strangers:
            raise WarehouseError(
                f"{spec.name}: {strangers} rows have keys that are not among the touched ones; "
                "they would stand twice.",
                fix="Name the key of every row that is loaded among the touched keys.",
            )

    def _advance(self, table: str, from_batch: int, to_batch: int) -> int:
        """Move the watermark from exactly `from_batch`; the number of this load."""
        moved = self._run(
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
            return self._count(f"delete from silver.{spec.name}")
        key = [name for name in spec.key if name in self._columns("staged_keys")]
        columns = ", ".join(f'"{name}"' for name in key)
        return self._count(
            f"delete from silver.{spec.name} where"
            # The hash prunes a scan of long ids to a fifth of its cost.
            " _key_hash in (select _key_hash from staged_keys)"
            f" and ({columns}) in (select ({columns}) from staged_keys)"
        )

    def _mark_touched(self, spec: TableSpec, load_id: int, is_first: bool) -> int:
        """Record first key columns. Before any model was built there is no one to tell."""
        source = f"silver.{spec.name}" if is_first else "staged_keys"
        return self._count(
            "insert into aura.touched"
            f' select distinct $1, "{spec.key[0]}", $2::bigint from {source}'
            " where exists (from aura.builds)",
            [spec.name, load_id],
        )

    def _columns(self, table: str) -> list[str]:
        return [name for name, *_ in self._run(f"describe {table}")]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("begin transaction")
        try:
            yield
        except BaseException:
            # A fatal error has closed the file; then there is nothing to roll back.
            with self._explained("rollback"):
                self._open().execute("rollback")
            raise
        self._run("commit")

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._explained(sql):
            return self._open().execute(sql, list(values)).fetchall()

    def _value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        rows = self._run(sql, values)
        return rows[0][0] if rows else None

    def _count(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Rows that an insert or delete changed."""
        return int(self._value(sql, values))

    @contextmanager
    def _explained(self, sql: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise WarehouseError(
                f"DuckDB ({self._path.name}) refused `{' '.join(sql.split())[:120]}`: {reason}",
                fix=f"If the file is damaged, delete {self._path}: the next run builds it again.",
            ) from error


def _cannot_open(path: Path, error: duckdb.Error) -> Exception:
    reason = str(error).splitlines()[0]
    if "lock" in reason.lower():
        return LeaseHeld(
            f"{path} is open in another process: {reason}",
            fix="DuckDB's file has one user at a time: wait for the other run, or close what reads it.",
        )
    return WarehouseError(
        f"{path} cannot be opened as a DuckDB file ({path.stat().st_size if path.exists() else 0}"
        f" bytes): {reason}",
        fix="It is a cache: delete it, and the next run builds it again from silver.",
    )


def _sql_type(table: str, column: str, dtype: pa.DataType) -> str:
    stored = stored_type(dtype)
    if pa.types.is_decimal(stored):
        return f"DECIMAL({stored.precision},{stored.scale})"
    try:
        return _SQL_TYPES[stored]
    except KeyError:
        raise WarehouseError(
            f"{table}.{column} is {dtype}, which the warehouse has no type for.",
            fix=f"Use text, a decimal or one of {', '.join(map(str, _SQL_TYPES))} in the contract.",
        ) from None


_SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
}
