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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from aura_lake.errors import StoreUnavailable, WarehouseError, WatermarkError
from aura_lake.warehouse.conform import conform_rows, conform_touched, stored_schema, stored_type
from aura_lake.warehouse.periods import month_bounds
from aura_lake.warehouse.snowflake_connector import connector
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings
from aura_lake.warehouse.warehouse import NEVER, PERIOD_COLUMN, LoadReport, PublishReport, TableSpec

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
        self._abort_abandoned()
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
        key = spec.key[:1] if is_first else tuple(n for n in spec.key if n in touched.schema.names)
        # The token makes each attempt's files its own: what a killed one left is never read.
        batch = f"batch_{to_batch}_{secrets.token_hex(4)}"
        with tempfile.TemporaryDirectory(prefix="aura-load-") as folder:
            keys = None if is_first else conform_touched(spec, touched)
            _write_parquet(Path(folder), spec, conform_rows(spec, rows), keys, batch)
            self._put(Path(folder), f"{spec.name}/{batch}")
        with self._transaction():
            load_id = self._advance(spec.name, from_batch, to_batch)
            self._copy(spec.name, batch)
            if not is_first:
                self._refuse_untouched(spec.name, key)
            deleted = self._delete_touched(spec.name, None if is_first else key)
            columns = _names(spec.column_names)
            inserted = self._change(
                f"insert into silver.{spec.name} (_key_hash, {columns})"
                f" select md5_number_lower64({spec.key[0]}), {columns} from aura.load_{spec.name} where _is_row"
            )
            marked = self._mark_touched(spec, load_id, f"aura.load_{spec.name}")
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

    def reset(self, spec: TableSpec) -> None:
        """See `Warehouse.reset`."""
        with self._transaction():
            load_id = self.last_load_id() + 1
            self._mark_touched(spec, load_id, f"silver.{spec.name}")
            self._run(f"delete from silver.{spec.name}")
            self._run(
                "update aura.watermarks set batch = ?, load_id = ? where table_name = ?",
                [NEVER, load_id, spec.name],
            )

    def last_load_id(self) -> int:
        """See `Warehouse.last_load_id`."""
        load_id = self._value("select max(load_id) from aura.watermarks")
        return NEVER if load_id is None else int(load_id)

    def builds(self) -> dict[str, int]:
        """See `Warehouse.builds`."""
        return {model: int(load_id) for model, load_id in self._run("select model, load_id from aura.builds")}

    def forget_touched(self) -> int:
        """See `Warehouse.forget_touched`."""
        return self._change("delete from aura.touched where load_id <= (select min(load_id) from aura.builds)")

    def changed_periods(self, model: str) -> list[str | None]:
        """See `Warehouse.changed_periods`."""
        rows = self._run("select distinct period from aura.changed_periods where model = ?", [model])
        periods = sorted(period for (period,) in rows if period is not None)
        return [None] if len(periods) < len(rows) else periods

    def clear_changed(self, models: Sequence[str]) -> None:
        """See `Warehouse.clear_changed`."""
        with self._transaction():
            for model in models:
                self._run("delete from aura.changed_periods where model = ?", [model])
                self._run("delete from aura.changed_keys where model = ?", [model])

    def read(self, model: str, periods: Sequence[str | None] | None = None) -> pa.Table:
        """See `Warehouse.read`."""
        columns = self._public_columns(f"{BUILD_SCHEMA}.{model}")
        wanted = _of_periods(columns, periods)
        return self.query(f"select {_names(columns)} from {BUILD_SCHEMA}.{model} where {wanted}")

    def publish(self, models: Sequence[str]) -> PublishReport:
        """See `Warehouse.publish`.

        A model that GOLD does not have, or has with other columns, is made there first, empty
        or whole; then one transaction replaces the months that changed of all models.
        """
        started = time.perf_counter()
        months: dict[str, tuple[str | None, ...]] = {}
        for model in models:
            made = self._make_published(model)
            periods = [None] if made else self.changed_periods(model)
            if periods:
                months[model] = tuple(periods)
        inserted: dict[str, int] = {}
        with self._transaction():
            for model, periods_of_model in months.items():
                columns = self._public_columns(f"{BUILD_SCHEMA}.{model}")
                wanted = _of_periods(columns, periods_of_model)
                self._run(f"delete from {GOLD_SCHEMA}.{model} where {wanted}")
                inserted[model] = self._change(
                    f"insert into {GOLD_SCHEMA}.{model} ({_names(columns)})"
                    f" select {_names(columns)} from {BUILD_SCHEMA}.{model} where {wanted}"
                )
        return PublishReport(months, inserted, time.perf_counter() - started)

    def row_count(self, table: str) -> int:
        """See `Warehouse.row_count`."""
        return int(self._value(f"select count(*) from {table}"))

    def query(self, sql: str) -> pa.Table:
        """See `Warehouse.query`."""
        with self._cursor() as cursor, _explained(sql):
            cursor.execute(sql)
            schema = _answer_schema(cursor.description)
            # Not fetch_arrow_all, which wants pandas for an answer without rows.
            parts = [
                part.to_arrow(self._open(), force_microsecond_precision=True)
                for part in cursor.get_result_batches() or []
                if part.rowcount
            ]
        return pa.concat_tables([part.rename_columns(schema.names).cast(schema) for part in parts] or [schema.empty_table()])

    def release(self) -> None:
        """See `Warehouse.release`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- steps of a load ----------------------------------------------------------------

    def _put(self, folder: Path, path: str) -> None:
        self._run(f"put 'file://{folder.as_posix()}/*.parquet' @{STAGE}/{path}/ auto_compress = false overwrite = true")

    def _copy(self, table: str, batch: str) -> None:
        """Bring the batch's files into the load table, which holds nothing else."""
        self._run(f"delete from aura.load_{table}")
        self._run(
            f"copy into aura.load_{table} from @{STAGE}/{table}/{batch}/"
            " file_format = (type = parquet use_logical_type = true)"
            " match_by_column_name = case_insensitive purge = true"
        )
        loaded = self._run(f"select distinct _batch from aura.load_{table}")
        if any(row != (batch,) for row in loaded):
            raise WarehouseError(
                f"aura.load_{table} holds batches {sorted(str(b) for (b,) in loaded)} instead of {batch} alone.",
                fix="Another process loads this database: stop it, and run again.",
            )

    def _advance(self, table: str, from_batch: int, to_batch: int) -> int:
        """Move the watermark from exactly `from_batch`; the number of this load."""
        load_id = self.last_load_id() + 1
        moved = self._change(
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
        strangers = self._value(
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
            return self._change(f"delete from silver.{table}")
        return self._change(
            f"delete from silver.{table} where ({_names(key)}) in"
            f" (select {_names(key)} from aura.load_{table} where not _is_row)"
        )

    def _mark_touched(self, spec: TableSpec, load_id: int, source: str) -> int:
        """Record first key columns. Before any model was built there is no one to tell."""
        return self._change(
            "insert into aura.touched (table_name, key_value, load_id)"
            f" select distinct ?, {spec.key[0]}, to_number(?) from {source}"
            " where exists (select 1 from aura.builds)",
            [spec.name, load_id],
        )

    # -- tables -------------------------------------------------------------------------

    def _make_table(self, table: str, spec: TableSpec, technical: str) -> None:
        wanted = {name: _sql_type(spec.name, name, dtype) for name, dtype in spec.columns}
        columns = ", ".join(f"{name} {dtype}" for name, dtype in wanted.items())
        self._run(f"create table if not exists {table} ({technical}, {columns})")
        stands = [name for name in self._public_columns(table)]
        for name in wanted.keys() - set(stands):
            self._run(f"alter table {table} add column {name} {wanted[name]}")
        lost = [name for name in stands if name not in wanted]
        if lost:
            raise WarehouseError(
                f"{table} in Snowflake has the columns {', '.join(lost)}, which the table no longer has.",
                fix=f"Drop the table, or the columns, in {self._settings.database}; then run again.",
            )

    def _make_published(self, model: str) -> bool:
        """Make an empty table for a model that readers do not have yet; whether it was made."""
        columns = self._public_columns(f"{BUILD_SCHEMA}.{model}")
        stands = self._run(
            "select count(*) from information_schema.tables where table_schema = ? and table_name = ?",
            [GOLD_SCHEMA.upper(), model.upper()],
        )
        if stands[0][0] and self._public_columns(f"{GOLD_SCHEMA}.{model}") == columns:
            return False
        self._run(
            f"create or replace table {GOLD_SCHEMA}.{model} as"
            f" select {_names(columns)} from {BUILD_SCHEMA}.{model}"
            # Whole where readers have it already: they must not find it empty.
            f" where {'true' if stands[0][0] else 'false'}"
        )
        return True

    def _public_columns(self, table: str) -> list[str]:
        with self._cursor() as cursor, _explained(table):
            described = cursor.describe(f"select * from {table}")
        return [column.name.lower() for column in described if not column.name.startswith("_")]

    # -- the connection -----------------------------------------------------------------

    def _open(self) -> SnowflakeConnection:
        if self._connection is None:
            settings = self._settings
            options: dict[str, Any] = {
                "account": settings.account,
                "user": settings.user,
                "database": settings.database,
                "warehouse": settings.warehouse,
                "role": settings.role,
                "network_timeout": settings.network_timeout_seconds,
                "login_timeout": settings.network_timeout_seconds,
                "paramstyle": "qmark",
                "arrow_number_to_decimal": True,
                "session_parameters": {
                    "TIMEZONE": "UTC",
                    "QUERY_TAG": "aura-lake",
                    "ABORT_DETACHED_QUERY": True,
                    # Twelve hours, when nothing is said.
                    "LOCK_TIMEOUT": 10 * settings.network_timeout_seconds,
                },
            }
            if settings.host:
                options |= {"host": settings.host, "port": settings.port, "protocol": settings.protocol}
            if key := settings.private_key_der():
                options |= {"authenticator": "SNOWFLAKE_JWT", "private_key": key}
            else:
                options["password"] = settings.password
            with _explained("connect"):
                self._connection = connector().connect(
                    **{name: value for name, value in options.items() if value is not None}
                )
        return self._connection

    @contextmanager
    def _cursor(self) -> Iterator[SnowflakeCursor]:
        with self._open().cursor() as cursor:
            yield cursor

    @property
    def _transaction_name(self) -> str:
        """What our transactions, and those of the gold models, are called."""
        return f"aura_{self._settings.database}".lower()

    def _abort_abandoned(self) -> None:
        """Roll back what a killed process left open: its locks would hold us for hours.

        One process at a time loads and builds, so a transaction of this name has no one any more.
        """
        with self._cursor() as cursor, _explained("show transactions"):
            rows = cursor.execute("show transactions").fetchall()
            names = [column.name.lower() for column in cursor.description]
        for row in rows:
            transaction = dict(zip(names, row, strict=True))
            if str(transaction["name"]).lower() == self._transaction_name:
                self._run(f"select system$abort_transaction({int(transaction['id'])})")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._abort_abandoned()
        self._run(f"begin transaction name {self._transaction_name}")
        try:
            yield
        except BaseException:
            self._run("rollback")
            raise
        self._run("commit")

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor, _explained(sql):
            return list(cursor.execute(sql, list(values) or None).fetchall())

    def _value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        rows = self._run(sql, values)
        return rows[0][0] if rows else None

    def _change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Rows that a statement of DML changed."""
        with self._cursor() as cursor, _explained(sql):
            return int(cursor.execute(sql, list(values) or None).rowcount or 0)


def _write_parquet(
    folder: Path, spec: TableSpec, rows: pa.RecordBatchReader, keys: pa.Table | None, batch: str
) -> None:
    """The rows, and the touched keys as rows with nothing but their key, tagged with the batch."""
    schema = pa.schema([("_batch", pa.string()), ("_is_row", pa.bool_()), *stored_schema(spec)])

    def tagged(part: pa.RecordBatch | pa.Table, is_row: bool) -> pa.Table:
        columns = {"_batch": pa.repeat(pa.scalar(batch), part.num_rows)}
        columns["_is_row"] = pa.repeat(pa.scalar(is_row), part.num_rows)
        for field in stored_schema(spec):
            there = field.name in part.schema.names
            columns[field.name] = part.column(field.name) if there else pa.nulls(part.num_rows, field.type)
        return pa.table(columns, schema=schema)

    parts = (tagged(part, is_row=True) for part in rows)
    if keys is not None:
        parts = chain([tagged(keys, is_row=False)], parts)
    writer, written, number = None, 0, 0
    try:
        for part in parts:
            if writer is None or written >= ROWS_A_FILE:
                if writer is not None:
                    writer.close()
                writer, written, number = pq.ParquetWriter(folder / f"part_{number:04d}.parquet", schema), 0, number + 1
            writer.write_table(part)
            written += part.num_rows
        if writer is None:
            writer = pq.ParquetWriter(folder / "part_0000.parquet", schema)
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _explained(sql: str) -> Iterator[None]:
    refused = connector().errors
    statement = " ".join(sql.split())[:120]
    try:
        yield
    except (refused.OperationalError, refused.InterfaceError) as error:
        raise StoreUnavailable(
            f"Snowflake did not answer `{statement}`: {error.msg}",
            fix="The same step runs again; if it stays so, look at the network and the account: aura doctor.",
        ) from error
    except refused.Error as error:
        raise WarehouseError(
            f"Snowflake refused `{statement}`: {error.msg}",
            fix="Look at the rights of the role, and at the tables in the schemas SILVER, AURA and GOLD_BUILD.",
        ) from error


def _names(columns: Sequence[str]) -> str:
    return ", ".join(columns)


def _of_periods(columns: Sequence[str], periods: Sequence[str | None] | None) -> str:
    if periods is None or None in periods or PERIOD_COLUMN not in columns:
        return "true" if periods is None or periods else "false"
    return " or ".join(month_bounds(PERIOD_COLUMN, period) for period in periods) or "false"


def _answer_schema(description: Sequence[Any]) -> pa.Schema:
    """Names in lower case, whole numbers as int64, times in UTC: as DuckDB answers."""
    kinds = connector().constants.FIELD_ID_TO_NAME
    fields = []
    for column in description:
        kind = kinds[column.type_code]
        if kind == "FIXED":
            dtype = pa.decimal128(column.precision, column.scale) if column.scale else pa.int64()
        else:
            dtype = _ARROW_TYPES[kind]
        fields.append((column.name.lower(), dtype))
    return pa.schema(fields)


_ARROW_TYPES: dict[str, pa.DataType] = {
    "TEXT": pa.string(),
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP_NTZ": pa.timestamp("us", tz="UTC"),
}


def _sql_type(table: str, column: str, dtype: pa.DataType) -> str:
    stored = stored_type(dtype)
    if pa.types.is_decimal(stored):
        return f"number({stored.precision}, {stored.scale})"
    try:
        return _SQL_TYPES[stored]
    except KeyError:
        raise WarehouseError(
            f"{table}.{column} is {dtype}, which the warehouse has no type for.",
            fix=f"Use text, a decimal or one of {', '.join(map(str, _SQL_TYPES))} in the contract.",
        ) from None


_SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "varchar",
    pa.bool_(): "boolean",
    pa.int32(): "number(10, 0)",
    pa.int64(): "number(38, 0)",
    pa.float64(): "float",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp_ntz(6)",
}
