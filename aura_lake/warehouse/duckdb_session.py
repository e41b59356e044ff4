"""One connection to a DuckDB file: opened at the first use, its errors put into our words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from aura_lake.errors import LeaseHeld, WarehouseError
from aura_lake.warehouse.conform import in_utc


class DuckDBSession:
    """Statements on one file. DuckDB gives a file to one process at a time: `close` lets it go."""

    def __init__(self, path: Path, memory_limit: str, threads: int) -> None:
        self.path = path
        self._memory_limit = memory_limit
        self._threads = threads
        self._connection: duckdb.DuckDBPyConnection | None = None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The open connection. Raises LeaseHeld for a file in use, WarehouseError for a damaged one."""
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            config: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": self._memory_limit,
                "threads": self._threads,
                "autoinstall_known_extensions": False,
            }
            try:
                self._connection = duckdb.connect(str(self.path), config=config)
            except duckdb.Error as error:
                raise _cannot_open(self.path, error) from error
        return self._connection

    def close(self) -> None:
        """Let the file go; the next statement opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement's answer."""
        with self._explained(sql):
            return self.connection.execute(sql, list(values)).fetchall()

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None without a row."""
        rows = self.run(sql, values)
        return rows[0][0] if rows else None

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows an insert or delete changed."""
        return int(self.value(sql, values))

    def query(self, sql: str) -> pa.Table:
        """The answer as Arrow, times in UTC; no columns where the statement answers nothing."""
        with self._explained(sql):
            answer = self.connection.sql(sql)
            return in_utc(answer.to_arrow_table()) if answer is not None else pa.table({})

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        self.run("begin transaction")
        try:
            yield
        except BaseException:
            self.run("rollback")
            raise
        self.run("commit")

    @contextmanager
    def _explained(self, sql: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            statement, reason = " ".join(sql.split())[:120], str(error).splitlines()[0]
            raise WarehouseError(
                f"DuckDB ({self.path.name}) refused `{statement}`: {reason}",
                fix=f"If the file is damaged, delete {self.path}: the next run builds it again.",
            ) from error


def _cannot_open(path: Path, error: duckdb.Error) -> LeaseHeld | WarehouseError:
    reason = str(error).splitlines()[0]
    if "lock" in reason.lower():
        return LeaseHeld(
            f"{path} is open in another process: {reason}",
            fix="DuckDB's file has one user at a time: wait for the other run, or close what reads it.",
        )
    size = path.stat().st_size if path.exists() else 0
    return WarehouseError(
        f"{path} cannot be opened as a DuckDB file ({size} bytes): {reason}",
        fix="It is a cache: delete it, and the next run builds it again from silver.",
    )
