"""One connection to Snowflake: opened at the first use, its errors put into our words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aura_lake.errors import StoreUnavailable, WarehouseError
from aura_lake.warehouse.snowflake_connector import connector
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor


class SnowflakeSession:
    """Statements on one database, by key pair. `close` ends the session."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        settings.refuse_what_is_unsafe()
        self.settings = settings
        self._connection: SnowflakeConnection | None = None

    @property
    def connection(self) -> SnowflakeConnection:
        """The open connection. Raises StoreUnavailable where nobody answers."""
        if self._connection is None:
            with _explained("connect"):
                self._connection = connector().connect(**_options(self.settings))
        return self._connection

    def close(self) -> None:
        """End the session; the next statement begins another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement's answer."""
        with self._executed(sql, values) as cursor:
            return list(cursor.fetchall())

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None without a row."""
        rows = self.run(sql, values)
        return rows[0][0] if rows else None

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows a statement of DML changed."""
        with self._executed(sql, values) as cursor:
            return int(cursor.rowcount or 0)

    def query(self, sql: str) -> pa.Table:
        """The answer to a query as Arrow: names in lower case, whole numbers as int64, times in UTC."""
        with self._executed(sql) as cursor:
            schema = _answer_schema(cursor.description)
            # Not fetch_arrow_all, which wants pandas for an answer without rows.
            batches: Sequence[Any] = cursor.get_result_batches() or []
            parts = [
                batch.to_arrow(self.connection, force_microsecond_precision=True) for batch in batches if batch.rowcount
            ]
        return pa.concat_tables(
            [part.rename_columns(schema.names).cast(schema) for part in parts] or [schema.empty_table()]
        )

    def public_columns(self, table: str) -> list[str]:
        """Columns of a table in order, without the technical ones."""
        with self.connection.cursor() as cursor, _explained(f"describe {table}"):
            described = cursor.describe(f"select * from {table}")
        return [column.name.lower() for column in described if not column.name.startswith("_")]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it. DDL inside would commit what came before."""
        self.abort_abandoned()
        self.run(f"begin transaction name {self._transaction_name}")
        try:
            yield
        except BaseException:
            self.run("rollback")
            raise
        self.run("commit")

    def abort_abandoned(self) -> None:
        """Roll back what a killed process left open: its locks would hold us for hours.

        One process at a time loads and builds, so a transaction of this name has no one any more.
        """
        with self._executed("show transactions") as cursor:
            names = [column.name.lower() for column in cursor.description]
            transactions = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for transaction in transactions:
            if str(transaction["name"]).lower() == self._transaction_name:
                self.run(f"select system$abort_transaction({int(transaction['id'])})")

    @property
    def _transaction_name(self) -> str:
        """What our transactions, and those of the gold models, are called."""
        return f"aura_{self.settings.database}".lower()

    @contextmanager
    def _executed(self, sql: str, values: Sequence[Any] = ()) -> Iterator[SnowflakeCursor]:
        with self.connection.cursor() as cursor, _explained(sql):
            cursor.execute(sql, list(values) or None)
            yield cursor


def _options(settings: SnowflakeSettings) -> dict[str, Any]:
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
    return {name: value for name, value in options.items() if value is not None}


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
