"""The inbox: what waits in quarantine, by table, rule and producer, and the rows themselves.

A row shows its place, the rules it broke and the values that could be read, personal ones hashed; its
bytes stand in bronze alone and are fetched only when asked for.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from aura_lake.contracts.digest import TableDigest
from aura_lake.delta.snapshot import Snapshot
from aura_lake.errors import QueryError
from aura_lake.people.masking import MaskedRow, mask_row
from aura_lake.query.reader import Reader
from aura_lake.query.relations import UNIT, Relations, column_list, quote_name

#: Days of a group that are told, the newest ones; masked rows of it.
DAYS, SAMPLES = 14, 3

#: Who sent a record, as far as its place tells: the topic, or the folder of the object without those of dates. Records
#: beside each other in the feed's own folder have no name but the feed's.
_PRODUCER = (
    "coalesce(topic, nullif(array_to_string([step for step in string_split(object, '/')[:-2]"
    " if not regexp_full_match(step, '([A-Za-z_]+=)?[0-9T:_-]+')], '/'), ''), ?)"
)


@dataclass(frozen=True)
class Waiting:
    """How many units of a table from one producer wait by one rule. A unit that breaks two rules counts under both.

    `by_day`: units by the day they landed, the newest days. `samples`: the newest rows, masked.
    """

    table: str
    feed: str
    rule: str
    producer: str
    blocks: bool
    units: int
    first_landed_at: datetime
    last_landed_at: datetime
    by_day: dict[date, int]
    samples: tuple[MaskedRow, ...] = ()


@dataclass(frozen=True)
class WaitingRow:
    """One unit in quarantine. `raw` is its record's bytes where they were asked for."""

    place: str
    byte_offset: int | None
    batch: int
    landed_at: datetime
    broken_rules: tuple[str, ...]
    values: dict[str, Any]
    raw: bytes | None = None
    raw_note: str | None = None

    @property
    def raw_text(self) -> str | None:
        """The bytes as people read them: text, and a framed record, which is binary, in base64."""
        if self.raw is None:
            return None
        if self.raw.startswith(b"\x00"):
            return f"base64 {base64.b64encode(self.raw).decode()}"
        return self.raw.decode("utf-8", errors="backslashreplace")


class Inbox:
    """The quarantine of a lake, for reading."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set TimeZone = 'UTC'")
        self._relations = Relations(reader, self._connection)

    def waiting(self) -> list[Waiting]:
        """A line for each table, rule and producer, the most broken first."""
        lines = []
        for table in self._reader.digest.tables.values():
            log = self._log(table)
            if log is None:
                continue
            rows = f"select *, {_PRODUCER} as producer from ({self._relations.standing(log)})"
            kept = f"create or replace temp table _waiting as {rows} where outcome = 'quarantined'"
            self._connection.execute(kept, [table.feed])
            grouped = (
                "select rule, producer, count(*), min(landed_at), max(landed_at)"
                " from (select unnest(broken_rules) as rule, producer, landed_at from _waiting)"
                " group by rule, producer order by 3 desc, 1, 2"
            )
            for rule, producer, units, first, last in self._connection.execute(grouped).fetchall():
                told = (table.name, table.feed, rule, producer, rule in table.blocking_rules, units, first, last)
                lines.append(Waiting(*told, self._by_day(rule, producer), self._samples(table, rule, producer)))
        return lines

    def _by_day(self, rule: str, producer: str) -> dict[date, int]:
        sql = (
            "select landed_at::date, count(*) from _waiting where list_contains(broken_rules, ?) and producer = ?"
            f" group by 1 order by 1 desc limit {DAYS}"
        )
        return dict(self._connection.execute(sql, [rule, producer]).fetchall()[::-1])

    def _samples(self, table: TableDigest, rule: str, producer: str) -> tuple[MaskedRow, ...]:
        columns = list(dict.fromkeys([*UNIT, "broken_rules", *table.columns]))
        sql = (
            f"select {column_list(columns)} from _waiting where list_contains(broken_rules, ?) and producer = ?"
            f' order by landed_at desc, object, ordinal, topic, "partition", "offset", part limit {SAMPLES}'
        )
        found = self._connection.execute(sql, [rule, producer]).fetchall()
        rows = [dict(zip(columns, row, strict=True)) for row in found]
        return tuple(
            MaskedRow(
                place_of(row),
                tuple(row["broken_rules"]),
                mask_row({name: row[name] for name in table.columns}, hashed=table.personal),
            )
            for row in rows
        )

    def units(self, table: str) -> int:
        """How many units of a table wait."""
        log = self._log(self._table(table))
        if log is None:
            return 0
        sql = f"select count(*) from ({self._relations.standing(log)}) where verdict = 'quarantined'"
        row = self._connection.execute(sql).fetchone()
        return 0 if row is None else int(row[0])

    def rows(self, table: str, *, rule: str | None = None, limit: int = 20, raw: bool = False) -> list[WaitingRow]:
        """The rows of a table that wait, the newest first; of one rule where it is given."""
        digest = self._table(table)
        log = self._log(digest)
        if log is None:
            return []
        columns = [*UNIT, "byte_offset", "feed_batch", "landed_at", "broken_rules"]
        columns += [name for name in digest.columns if name not in columns]
        where = "verdict = 'quarantined'" + (" and list_contains(broken_rules, ?)" if rule else "")
        order = 'landed_at desc, object, ordinal, topic, "partition", "offset", part'
        rows_sql = self._relations.standing(log)
        sql = f"select {column_list(columns)} from ({rows_sql}) where {where} order by {order} limit ?"
        found = self._connection.execute(sql, [*([rule] if rule else []), limit]).fetchall()
        rows = [dict(zip(columns, row, strict=True)) for row in found]
        bytes_of = self._bytes(digest.feed, rows) if raw and rows else {}
        return [self._waiting_row(row, digest, bytes_of, raw=raw) for row in rows]

    def _waiting_row(
        self, row: dict[str, Any], table: TableDigest, bytes_of: dict[tuple[Any, ...], tuple[Any, Any]], *, raw: bool
    ) -> WaitingRow:
        value, value_hash = bytes_of.get(tuple(row[name] for name in UNIT[:-1]), (None, None))
        note = None
        if raw and value is None:
            note = f"over the size cap; SHA-256 {value_hash}" if value_hash else "erased from bronze"
        return WaitingRow(
            place=place_of(row),
            byte_offset=row["byte_offset"],
            batch=row["feed_batch"],
            landed_at=row["landed_at"],
            broken_rules=tuple(row["broken_rules"]),
            values={name: row[name] for name in table.columns if row[name] is not None},
            raw=value,
            raw_note=note,
        )

    def _bytes(self, feed: str, rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[Any, Any]]:
        """(value, hash) of the records of some rows, by position; only their batches are read."""
        bronze = self._reader.open("bronze", feed)
        if bronze is None:
            return {}
        position = UNIT[:-1]
        batches = sorted({row["feed_batch"] for row in rows})
        same = " and ".join(f"{quote_name(name)} is not distinct from ?" for name in position)
        places = list(dict.fromkeys(tuple(row[name] for name in position) for row in rows))
        sql = (
            f"select {column_list(position)}, value, value_hash from ({self._relations.scan(bronze)})"
            f" where row_kind = 'record' and batch in ({', '.join('?' for _ in batches)})"
            f" and ({' or '.join(f'({same})' for _ in places)})"
        )
        values = [*batches, *(value for place in places for value in place)]
        found = self._connection.execute(sql, values).fetchall()
        return {tuple(row[: len(position)]): (row[-2], row[-1]) for row in found}

    def _log(self, table: TableDigest) -> Snapshot | None:
        return self._reader.open("silver", f"{table.name}_log")

    def _table(self, name: str) -> TableDigest:
        try:
            return self._reader.digest.tables[name]
        except KeyError:
            known = ", ".join(sorted(self._reader.digest.tables))
            raise QueryError(
                f"The shop {self._reader.digest.id} has no table {name!r}.", fix=f"Its tables: {known}."
            ) from None


def place_of(row: dict[str, Any]) -> str:
    """A unit's place as people write it, and as `aura why` takes it."""
    part = f" part {row['part']}" if row["part"] else ""
    if row["object"] is not None:
        return f"{row['object']}#{row['ordinal']}{part}"
    return f"{row['topic']}[{row['partition']}]@{row['offset']}{part}"
