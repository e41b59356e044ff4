"""Run a question: an in-memory engine that holds the tables it names and can reach nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from aura_lake.errors import QueryError
from aura_lake.query.gate import read_question
from aura_lake.query.reader import Reader
from aura_lake.query.relations import Relations

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from aura_lake.lake import Lake

Result = TypeVar("Result")

#: What one question may take of the machine.
SECONDS, MEMORY, THREADS = 120.0, "1GB", 2

#: Errors whose message speaks of the query's text and not of values.
_ABOUT_THE_TEXT = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, and whether there were more than the limit."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    has_more: bool = False


def run_query(lake: Lake, sql: str, limit: int | None = None) -> pl.DataFrame:
    """The answer to read-only SQL (DuckDB's dialect) on the tables of a lake, at most `limit` rows.

    Gold and silver are read at the versions the manifest shows together, bronze, logs and quarantine at
    their newest. Raises QueryError where the text is not one SELECT on these tables.
    """
    import polars as pl

    from aura_lake.contracts.digest import digest_of

    with _Engine(Reader(lake.settings, digest_of(lake.shop))) as engine:
        found = pl.DataFrame(engine.prepare(sql).arrow())
    return found if limit is None else found.head(limit)


def answer(reader: Reader, sql: str, limit: int | None = None, seconds: float = SECONDS) -> Answer:
    """As `run_query`, in plain Python values."""
    with _Engine(reader, seconds) as engine:
        rows = engine.prepare(sql).rows(None if limit is None else limit + 1)
        described = engine.connection.description or []
    has_more = limit is not None and len(rows) > limit
    return Answer(
        tuple(str(column[0]) for column in described),
        tuple(str(column[1]) for column in described),
        rows[:limit],
        has_more,
    )


class _Engine:
    """One connection for one question, closed behind it."""

    def __init__(self, reader: Reader, seconds: float = SECONDS) -> None:
        self._reader, self._seconds = reader, seconds
        self.connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
        self._timer = threading.Timer(seconds, self._interrupt)
        self._timer.daemon = True
        self._timed_out = False
        self._question = ""

    def __enter__(self) -> _Engine:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self.connection.close()

    def prepare(self, sql: str) -> _Engine:
        """This engine with the text checked, its tables known, and everything else out of reach."""
        relations = Relations(self._reader, self.connection)
        known = relations.names()
        question = read_question(self.connection, sql, known.keys())
        for schema, table in question.tables:
            self.connection.execute(f"create schema if not exists {schema}")
            self.connection.execute(f'create view {schema}."{table}" as {known[f"{schema}.{table}"]()}')
        self._lock(relations.files)
        self._question = question.sql
        return self

    def rows(self, most: int | None) -> list[tuple[Any, ...]]:
        """The first rows of the answer; None: all of them."""

        def fetch() -> list[tuple[Any, ...]]:
            self.connection.execute(self._question)
            return self.connection.fetchall() if most is None else self.connection.fetchmany(most)

        return self._guarded(fetch)

    def arrow(self) -> pa.Table:
        """The whole answer as an Arrow table."""
        return self._guarded(lambda: self.connection.sql(self._question).to_arrow_table())

    def _lock(self, files: list[str]) -> None:
        """From here the engine reaches the files of the named tables and nothing else, and cannot be told to."""
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        for statement in (
            "set TimeZone = 'UTC'",
            f"set memory_limit = '{MEMORY}'",
            f"set threads = {THREADS}",
            "set temp_directory = ''",
            "set autoinstall_known_extensions = false",
            "set autoload_known_extensions = false",
            f"set allowed_paths = [{listed}]",
            "set enable_external_access = false",
            "set lock_configuration = true",
        ):
            self.connection.execute(statement)

    def _interrupt(self) -> None:
        self._timed_out = True
        self.connection.interrupt()

    def _guarded(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except _ABOUT_THE_TEXT as error:
            raise QueryError(_first_line(error), fix="`describe silver.<table>` lists a table's columns.") from error
        except duckdb.InterruptException as error:
            if not self._timed_out:
                raise
            raise QueryError(
                f"The query ran for {self._seconds:g} s and was stopped.", fix="Narrow it, for example to a month."
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise QueryError(
                f"The query needs more than the {MEMORY} it may have.", fix="Narrow it, or aggregate earlier."
            ) from error
        except duckdb.Error as error:
            raise QueryError(
                f"The query failed on a value ({type(error).__name__}).", fix="TRY_CAST gives null where CAST fails."
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
