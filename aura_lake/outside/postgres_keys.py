"""The primary keys that a table has now, and from where in the log on that is known.

A key that silver holds and that is not among them has vanished: a delete of it was never seen. The look is consistent
(one REPEATABLE READ snapshot) and says how far it may be believed:

`lsn` is read first; then all transactions are awaited that had begun to write by then; then the snapshot is taken.
So each change that stands in the log at or below `lsn` was committed or given up before the snapshot, and is in it.
Without the wait, a row whose transaction was still open would be absent here, although its change has a lower LSN.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from aura_lake.errors import SourceError, SourceUnavailable
from aura_lake.outside.postgres import Address, connected
from aura_lake.outside.postgres_catalog import read_catalog
from aura_lake.source.facts import ColumnFacts, Lsn, TableFacts, TableName, parse_lsn, quoted

if TYPE_CHECKING:
    from psycopg import Connection

#: Keys of one frame; what is held in memory at a time.
BATCH = 200_000

#: Seconds to wait for transactions that had begun to write before.
PATIENCE = 60.0

_ESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r", "\\b": "\b", "\\f": "\f", "\\v": "\v"}


@dataclass(frozen=True)
class KeySnapshot:
    """The keys of a table at one instant. `frames` can be read once, while the connection is open."""

    table: TableName
    columns: tuple[str, ...]  #: the key's columns in order, as the database calls them
    lsn: Lsn  #: of each change at or below it, this snapshot has the outcome
    taken_at: datetime
    frames: Iterator[pl.DataFrame]


@contextmanager
def open_keys(
    address: Address, table: TableName, *, batch: int = BATCH, patience: float = PATIENCE
) -> Iterator[KeySnapshot]:
    """The keys of a table as frames of up to `batch` rows, read as they come; memory is bounded by one frame.

    Out: a String column for each column of the key, in its order, by the database's name; the text is what the
    connector writes of the value (integers by their digits, `char(n)` with its blanks, bytes in base64, times in ISO
    with a Z). Never null. No order.
    Raises SourceError where the table is not there or has no primary key, SourceUnavailable where a transaction that
    wrote before stays open for longer than `patience` seconds.
    """
    with connected(address) as connection:
        facts = _table(connection, table)
        lsn = _settled_lsn(connection, patience)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        taken = connection.execute("SELECT clock_timestamp()").fetchone()
        assert taken is not None
        frames = _frames(connection, facts, batch)
        yield KeySnapshot(table, facts.primary_key, lsn, taken[0].astimezone(UTC), frames)


def read_keys(address: Address, table: TableName, *, patience: float = PATIENCE) -> tuple[pl.DataFrame, Lsn]:
    """All keys in one frame, and the LSN up to which they may be believed; see `open_keys`."""
    with open_keys(address, table, patience=patience) as keys:
        frames = list(keys.frames)
        return pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(keys.columns, pl.String)), keys.lsn


def _table(connection: Connection[Any], table: TableName) -> TableFacts:
    facts = read_catalog(connection).get(table)
    if facts is None:
        raise SourceError(f"The database has no table {table}.", fix="Was it renamed or dropped?")
    if not facts.primary_key:
        raise SourceError(f"{table} has no primary key.", fix="Without one nothing tells which rows vanished.")
    return facts


def _settled_lsn(connection: Connection[Any], patience: float) -> Lsn:
    """A place in the log below which every transaction is over."""
    row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    lsn = parse_lsn(row[0] if row else None)
    assert lsn is not None
    # A number of our own, given after the place was read: whoever had written by then has a lower one. (A snapshot's
    # xmax would not do: it is one past the last transaction that ended, and open ones may have higher numbers.)
    row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    assert row is not None
    ours = row[0]
    deadline = time.monotonic() + patience
    while True:
        row = connection.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
            "(SELECT min(pid) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid())"
        ).fetchone()
        assert row is not None
        if row[0] > ours:
            return lsn
        if time.monotonic() > deadline:
            raise SourceUnavailable(
                f"A transaction that wrote before stays open for over {patience:.0f} s"
                + (f" (process {row[1]})." if row[1] else " (a prepared one)."),
                fix="Wait for it or end it, then run again.",
            )
        time.sleep(0.05)


def _frames(connection: Connection[Any], facts: TableFacts, batch: int) -> Iterator[pl.DataFrame]:
    columns = [facts.column(name) for name in facts.primary_key]
    listed = ", ".join(_as_sent(column) for column in columns)
    sql = f"COPY (SELECT {listed} FROM {facts.table.sql}) TO STDOUT"
    held: list[bytes] = []
    with connection.cursor() as cursor, cursor.copy(sql.encode()) as rows:
        for row in rows:  # one row at a time, with its newline (libpq, PQgetCopyData)
            held.append(bytes(row))
            if len(held) >= batch:
                yield _frame(held, facts.primary_key)
                held = []
    if held:
        yield _frame(held, facts.primary_key)


def _frame(rows: Sequence[bytes], names: Sequence[str]) -> pl.DataFrame:
    """Rows of COPY's text format: columns apart by tabs, tabs and newlines inside values escaped."""
    lines = pl.Series("line", b"".join(rows).decode().removesuffix("\n").split("\n"))
    parts = lines.str.split_exact("\t", len(names) - 1).struct.unnest()
    parts.columns = list(names)
    return parts.select(_unescaped(parts[name]) for name in names)


def _unescaped(values: pl.Series) -> pl.Series:
    """Values without COPY's escapes; those that have none, nearly all, are not looked at one by one."""
    escaped = values.str.contains("\\", literal=True)
    if not escaped.any():
        return values
    plain = pl.Series(values.name, [_without_escapes(text) for text in values.filter(escaped)], dtype=pl.String)
    return values.scatter(escaped.arg_true(), plain)


def _without_escapes(text: str) -> str:
    parts, at = [], 0
    while (found := text.find("\\", at)) >= 0:
        parts += [text[at:found], _ESCAPES.get(text[found : found + 2], text[found + 1 : found + 2])]
        at = found + 2
    return "".join([*parts, text[at:]])


def _as_sent(column: ColumnFacts) -> str:
    """The column as the connector that `aura source connect` sets up writes it."""
    name = quoted(column.name)
    if column.base in ("timestamp", "timestamptz"):  # at UTC, which the session's zone is
        iso = f"""to_char({name}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"CASE WHEN isfinite({name}) THEN {iso} ELSE {name}::text END"
    if column.base == "bytea":
        return f"translate(encode({name}, 'base64'), E'\\n', '')"
    if column.base == "bool":
        return f"CASE WHEN {name} THEN 'true' ELSE 'false' END"
    return name
