"""The tables inside DuckDB's file. All DDL is here; loads are DML alone."""

from __future__ import annotations

import pyarrow as pa

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.conform import stored_type
from aura_lake.warehouse.duckdb_session import DuckDBSession
from aura_lake.warehouse.warehouse import TableSpec

GOLD_SCHEMA = "gold"

#: Schemas and what loads and models remember; warehouse.py says what it means.
BOOKKEEPING = (
    "create schema if not exists silver",
    "create schema if not exists aura",
    f"create schema if not exists {GOLD_SCHEMA}",
    "create table if not exists aura.watermarks (table_name varchar, batch bigint, load_id bigint)",
    "create table if not exists aura.touched (table_name varchar, key_value varchar, load_id bigint)",
    "create table if not exists aura.builds (model varchar, load_id bigint, reading_load_id bigint, made_with varchar)",
    "create table if not exists aura.reading (model varchar, key_hash ubigint)",
    "create table if not exists aura.changed_periods (model varchar, period varchar)",
    "create table if not exists aura.changed_keys (model varchar, key_hash ubigint, invocation_id varchar)",
)


def make_table(session: DuckDBSession, spec: TableSpec) -> None:
    """Make a silver table, or add the columns it lacks. Raises WarehouseError where a type changed."""
    wanted = {name: _sql_type(spec.name, name, dtype) for name, dtype in spec.columns}
    columns = ", ".join(f'"{name}" {dtype}' for name, dtype in wanted.items())
    session.run(f"create table if not exists silver.{spec.name} (_key_hash ubigint, {columns})")
    stands = dict(
        session.run(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'silver' and table_name = ? and column_name <> '_key_hash'",
            [spec.name],
        )
    )
    for name in wanted.keys() - stands.keys():
        session.run(f'alter table silver.{spec.name} add column "{name}" {wanted[name]}')
    other = [name for name in stands if stands[name] != wanted.get(name)]
    if other:
        raise WarehouseError(
            f"silver.{spec.name} in {session.path.name} holds "
            f"{', '.join(f'{name} {stands[name]}' for name in other)}, "
            f"but the table now has {', '.join(f'{n} {wanted.get(n)}' for n in other)}.",
            fix=f"Delete {session.path}: it is a cache, and the next run builds it again.",
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
