"""The tables inside a Snowflake database. All DDL is here: it would commit a transaction."""

from __future__ import annotations

import pyarrow as pa

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.conform import stored_type
from aura_lake.warehouse.snowflake_session import SnowflakeSession
from aura_lake.warehouse.warehouse import TableSpec

BUILD_SCHEMA = "gold_build"
GOLD_SCHEMA = "gold"
STAGE = "aura.loads"

#: Schemas and what loads and models remember; warehouse.py says what it means.
BOOKKEEPING = (
    "create schema if not exists silver",
    "create schema if not exists aura",
    f"create schema if not exists {BUILD_SCHEMA}",
    f"create schema if not exists {GOLD_SCHEMA}",
    f"create stage if not exists {STAGE}",
    "create table if not exists aura.watermarks (table_name varchar, batch number(38, 0), load_id number(38, 0))",
    "create table if not exists aura.touched (table_name varchar, key_value varchar, load_id number(38, 0))",
    "create table if not exists aura.builds"
    " (model varchar, load_id number(38, 0), reading_load_id number(38, 0), made_with varchar)",
    "create table if not exists aura.reading (model varchar, key_hash number(20, 0))",
    "create table if not exists aura.changed_periods (model varchar, period varchar)",
    "create table if not exists aura.changed_keys (model varchar, key_hash number(20, 0), invocation_id varchar)",
)


def make_table(session: SnowflakeSession, table: str, spec: TableSpec, technical: str) -> None:
    """Make a table, or add the columns it lacks. Raises WarehouseError where the spec lost one."""
    wanted = {name: _sql_type(spec.name, name, dtype) for name, dtype in spec.columns}
    columns = ", ".join(f"{name} {dtype}" for name, dtype in wanted.items())
    session.run(f"create table if not exists {table} ({technical}, {columns})")
    stands = session.public_columns(table)
    for name in wanted.keys() - set(stands):
        session.run(f"alter table {table} add column {name} {wanted[name]}")
    lost = [name for name in stands if name not in wanted]
    if lost:
        raise WarehouseError(
            f"{table} in Snowflake has the columns {', '.join(lost)}, which the table no longer has.",
            fix=f"Drop the table, or the columns, in {session.settings.database}; then run again.",
        )


def make_published(session: SnowflakeSession, model: str) -> bool:
    """Make an empty table for a model that readers do not have yet; whether it was made."""
    columns = session.public_columns(f"{BUILD_SCHEMA}.{model}")
    stands = session.run(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?",
        [GOLD_SCHEMA.upper(), model.upper()],
    )
    if stands[0][0] and session.public_columns(f"{GOLD_SCHEMA}.{model}") == columns:
        return False
    session.run(
        f"create or replace table {GOLD_SCHEMA}.{model} as"
        f" select {', '.join(columns)} from {BUILD_SCHEMA}.{model}"
        # Whole where readers have it already: they must not find it empty.
        f" where {'true' if stands[0][0] else 'false'}"
    )
    return True


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
