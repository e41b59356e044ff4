"""The database of a live shop: its tables, and transactions on several connections at a time."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aura_lake.errors import SourceError
from aura_lake.outside.postgres import Address, connected
from aura_lake.simulate.live_plan import Standing
from aura_lake.simulate.rows import CDC_TABLES, Product, Row, User
from aura_lake.simulate.statements import (
    COLUMNS,
    Statement,
    Verb,
    micros_of,
    parameters,
    row_of,
    sql,
    table_sql,
    values_of,
)

if TYPE_CHECKING:
    from psycopg import Connection

#: How many customers come again: the newest ones.
_REGULARS = 2_000

#: Somebody else who holds a row or a table for longer ends the shop, instead of letting it wait for ever.
_LOCK_TIMEOUT = "20s"

_COLUMNS_THERE = """
    select table_name::text, array_agg(column_name::text)
    from information_schema.columns
    where table_schema = 'public' and table_name = any(%s)
    group by 1
"""
_LAST_TIME = """
    select greatest(
        (select max(updated_at) from public.users), (select max(updated_at) from public.products),
        (select max(updated_at) at time zone 'UTC' from public.orders))
"""


class ShopDatabase:
    """Connections to the shop's database, numbered from 0; use it in a `with` block.

    Raises SourceUnavailable where the server does not answer or a lock is not given, SourceError where it refuses.
    """

    def __init__(self, address: Address, connections: int) -> None:
        self._address, self._count = address, connections
        self._stack = ExitStack()
        self._connections: list[Connection[Any]] = []

    def __enter__(self) -> ShopDatabase:
        for _ in range(self._count):
            connection = self._stack.enter_context(connected(self._address, read_only=False))
            connection.execute(f"set lock_timeout = '{_LOCK_TIMEOUT}'")
            self._connections.append(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def make_tables(self) -> None:
        """Make the tables that are absent. Raises SourceError where one is there and is not the shop's."""
        connection = self._connections[0]
        there = dict(connection.execute(_COLUMNS_THERE, [list(CDC_TABLES)]).fetchall())
        for table, names in sorted(there.items()):
            lacking = sorted({column.name for column in COLUMNS[table]} - set(names))
            if lacking:
                raise SourceError(
                    f"{self._address}: public.{table} is not the demo shop's: it lacks {', '.join(lacking)}.",
                    fix="Give the shop a database of its own: create database aura_mart.",
                )
        if len(there) < len(CDC_TABLES):
            with connection.transaction():
                connection.execute(table_sql())

    def standing(self) -> Standing:
        """The customers and products that stand there now."""
        connection = self._connections[0]
        (customers,) = connection.execute("select count(*) from public.users").fetchone() or (0,)
        (last,) = connection.execute(_LAST_TIME).fetchone() or (None,)
        users = self._rows("users", f"order by created_at desc, user_id limit {_REGULARS}")
        products = self._rows("products", "order by product_id")
        return Standing(
            users=tuple(row for row in users if isinstance(row, User)),
            products=tuple(row for row in products if isinstance(row, Product)),
            customers=customers,
            last_us=0 if last is None else micros_of(last),
        )

    def begin(self, connection: int) -> None:
        """Open a transaction."""
        self._connections[connection].execute("begin")

    def run(self, connection: int, statement: Statement) -> int:
        """Run a statement in the open transaction; how many rows it wrote."""
        session = self._connections[connection]
        if statement.verb is not Verb.COPY:
            return session.execute(sql(statement).encode(), parameters(statement)).rowcount
        with session.cursor() as cursor:
            with cursor.copy(sql(statement).encode()) as copy:
                for row in statement.rows:
                    copy.write_row(values_of(statement.table, row))
            return cursor.rowcount

    def commit(self, connection: int) -> None:
        """Commit the open transaction."""
        self._connections[connection].execute("commit")

    def roll_back(self, connection: int) -> None:
        """Roll the open transaction back."""
        self._connections[connection].execute("rollback")

    def _rows(self, table: str, rest: str) -> list[Row]:
        names = ", ".join(column.name for column in COLUMNS[table])
        query = f"select {names} from public.{table} {rest}"
        return [row_of(table, values) for values in self._connections[0].execute(query.encode())]
