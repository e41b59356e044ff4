"""Why a row is as it is: each record that touched it, each verdict, each version, each gold row.

Reads through SQL over the tables' files and imports neither Polars nor the contracts, so that the answer
is there in 0.7 s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from aura_lake.contracts.digest import TableDigest, digest_of
from aura_lake.ledger.decided import decisions_behind
from aura_lake.ledger.life import GoldLife, Judgement, Life, Mention, RecordLife, Row, TableLife
from aura_lake.query.reader import Reader
from aura_lake.query.relations import UNIT, Relations, column_list, quote_name

if TYPE_CHECKING:
    from aura_lake.lake import Lake

#: Records, versions and gold rows shown of one table; the totals count all.
SHOWN = 50

_OBJECT_PLACE = re.compile(r"(?P<object>.+)#(?P<ordinal>\d+)")
_TOPIC_PLACE = re.compile(r"(?P<topic>.+)\[(?P<partition>\d+)\]@(?P<offset>\d+)")
_CHANGE = ("_op", "_epoch", "_lsn", "_committed_at")


def why(lake: Lake | Reader, key: str) -> Life:
    """The life of the row that `key` names: a key, an event id, an id of a person, a place
    (`object#ordinal`, `topic[partition]@offset`), or a personal value, which is hashed before it is looked for.

    Nothing found is a Life too (`is_known` is False); `searched` says where was looked.
    """
    reader = lake if isinstance(lake, Reader) else Reader(lake.settings, digest_of(lake.shop))
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set threads = 2")
        return _Search(reader, connection, key.strip()).run()
    finally:
        connection.close()


class _Search:
    """One search through the tables of a shop."""

    def __init__(self, reader: Reader, connection: duckdb.DuckDBPyConnection, key: str) -> None:
        self._reader, self._connection, self._key = reader, connection, key
        self._relations = Relations(reader, connection)
        self._searched: list[str] = []
        #: Values by column name that name the row in other tables and in gold.
        self._names: dict[str, set[str]] = {}

    def run(self) -> Life:
        tables: list[TableLife] = []
        for look in (self._by_place, self._by_key, self._by_event_id, self._by_other_ids, self._by_personal_value):
            tables = tables or look()
        return Life(
            key=self._key,
            searched=tuple(self._searched),
            tables=tuple(tables),
            touches=tuple(self._touches()),
            gold=tuple(self._gold()),
            mentions=tuple(self._mentions(tables)),
            waiting=() if tables else tuple(self._waiting()),
        )

    def _by_place(self) -> list[TableLife]:
        place = _place_of(self._key)
        if place is None:
            return []
        where = " and ".join(f"{quote_name(name)} = ?" for name in place)
        found = [self._table(t, where, list(place.values()), ("place",)) for t in self._tables()]
        return [table for table in found if table is not None]

    def _by_key(self) -> list[TableLife]:
        """Rows whose key it is: its first column, another id in it, or all of it, written `a/b`."""
        found = []
        for table in self._tables():
            if not table.key:
                continue
            columns = [name for at, name in enumerate(table.key) if at == 0 or name.endswith("_id")]
            parts = self._key.split("/")
            if len(parts) == len(table.key) > 1:
                where = " and ".join(f"{quote_name(name)}::varchar = ?" for name in table.key)
                found.append(self._table(table, where, list(parts), ("/".join(table.key),)))
            else:
                found.append(self._by_columns(table, columns, self._key))
        return [table for table in found if table is not None]

    def _by_event_id(self) -> list[TableLife]:
        found = [self._by_columns(t, list(t.event_id), self._key) for t in self._tables() if t.event_id]
        return [table for table in found if table is not None]

    def _by_personal_value(self) -> list[TableLife]:
        """Rows that hold the key as a personal value; it is hashed here and not kept."""
        holders = [table for table in self._tables() if table.personal]
        if not holders:
            return []
        from aura_lake.privacy.hash import hash_one
        from aura_lake.privacy.key import read_key

        hash_key, was_made = read_key(self._reader.settings)
        if was_made:
            return []
        hashed = hash_one(self._key, hash_key)
        found = [self._by_columns(table, list(table.personal), hashed) for table in holders]
        return [table for table in found if table is not None]

    def _by_other_ids(self) -> list[TableLife]:
        """Events that carry the key as somebody's id; rows of other tables are only mentioned."""
        found = []
        for table in self._tables():
            ids = [name for name in table.columns if name.endswith("_id") and name not in table.event_id]
            if ids and not table.is_folded:
                found.append(self._by_columns(table, ids, self._key))
        return [table for table in found if table is not None]

    def _tables(self) -> list[TableDigest]:
        return list(self._reader.digest.tables.values())

    def _by_columns(self, table: TableDigest, columns: Sequence[str], value: str) -> TableLife | None:
        where = " or ".join(f"{quote_name(name)} = ?" for name in columns)
        self._searched += [f"{table.name}.{name}" for name in columns]
        return self._table(table, where, [value] * len(columns), tuple(columns))

    def _table(self, table: TableDigest, where: str, values: list[Any], found_by: tuple[str, ...]) -> TableLife | None:
        """What a table knows of the units that a condition on its log picks; None where it picks none."""
        log = self._reader.open("silver", f"{table.name}_log")
        if log is None:
            return None
        rows = self._relations.scan(log)
        units = column_list(UNIT)
        columns = column_list([*UNIT, "byte_offset", "landed_at", "feed_batch", "judgement", "verdict", "reason"])
        columns += ", broken_rules, warnings, " + column_list([*_CHANGE, *(c for c in table.columns if c not in UNIT)])
        hits = f"select * from ({rows}) where {where}"
        if any(file.maxima["judgement"] != 0 for file in log.files(("judgement",))):
            same = " and ".join(f"l.{quote_name(n)} is not distinct from h.{quote_name(n)}" for n in UNIT)
            hits = f"select l.* from ({rows}) as l join (select distinct {units} from ({hits})) as h on {same}"
        order = '_epoch nulls first, _lsn nulls first, landed_at, feed_batch, object, ordinal, "offset", judgement'
        found = self._rows(f"select {columns} from ({hits}) order by {order}", values)
        if not found:
            return None
        records = _records(table, found, decisions_behind(found, self._reader, self._connection))
        keys = list(dict.fromkeys(tuple(row[name] for name in table.key) for row in found))
        keys = [key for key in keys if key and None not in key][:SHOWN]
        for name in (*table.key, *table.event_id):
            self._names.setdefault(name, set()).update(str(row[name]) for row in found if row[name] is not None)
        if "place" in found_by or not table.key:
            keys = keys if len(keys) == 1 else []
        versions, current = self._state(table, keys) if table.is_folded else ((), ())
        shown = records[:SHOWN]
        return TableLife(table.name, table.feed, found_by, table.key, shown, len(records), versions, current)

    def _state(self, table: TableDigest, keys: list[tuple[Any, ...]]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
        if not keys:
            return (), ()
        same = " and ".join(f"{quote_name(name)} = ?" for name in table.key)
        where = " or ".join(f"({same})" for _ in keys)
        values = [value for key in keys for value in key]
        history = self._reader.open("silver", f"{table.name}_history")
        current = self._reader.open("silver", table.name)
        versions: list[Row] = []
        rows: list[Row] = []
        if history is not None:
            columns = column_list([*table.columns, "valid_from", "valid_to", "is_current"])
            order = f"{column_list(table.key)}, valid_from nulls first"
            changes = self._relations.scan(history)
            sql = f"select {columns} from ({changes}) where _is_version and ({where}) order by {order}"
            versions = self._rows(sql, values)
        if current is not None:
            columns = column_list([*table.columns, "_has_newer_in_quarantine"])
            rows = self._rows(f"select {columns} from ({self._relations.scan(current)}) where {where}", values)
        return tuple(versions[:SHOWN]), tuple(rows[:SHOWN])

    def _touches(self) -> list[Row]:
        """The credit of the orders found, and the credits it had before."""
        orders = self._names.get("order_id")
        table = self._reader.open("silver", "order_touchpoints") if orders else None
        if table is None or not orders:
            return []
        shown = [name for name in table.columns() if name not in ("attribution_batch", "_bucket")]
        sql = f"select {column_list(shown)} from ({self._relations.scan(table)}) where order_id in {_marks(orders)}"
        return self._rows(f"{sql} order by restated_at nulls last", sorted(orders))[:SHOWN]

    def _gold(self) -> list[GoldLife]:
        found = []
        for model in self._reader.gold_models():
            snapshot = self._reader.open("gold", model, pinned=f"gold.{model}") if self._names else None
            if snapshot is None:
                continue
            columns = [name for name in snapshot.columns() if not name.startswith("_")]
            named = [name for name in self._narrowest() if name in columns]
            if not named:
                continue
            where = " and ".join(f"{quote_name(name)} in {_marks(self._names[name])}" for name in named)
            values = [value for name in named for value in sorted(self._names[name])]
            sql = f"select {column_list(columns)} from ({self._relations.scan(snapshot)}) where {where}"
            rows = self._rows(sql, values)
            if rows:
                found.append(GoldLife(model, snapshot.version, tuple(rows[:SHOWN]), len(rows)))
        return found

    def _narrowest(self) -> list[str]:
        """The columns that hold the key that was asked for; where none does (a place, a personal value) all."""
        holding = [name for name, values in self._names.items() if self._key in values]
        return holding or list(self._names)

    def _mentions(self, tables: Sequence[TableLife]) -> list[Mention]:
        """How often current rows and valid events of other tables name the key."""
        found, mine = [], {table.table for table in tables}
        for table in self._tables():
            columns = [name for name in self._narrowest() if name in table.columns and name not in table.key]
            if table.name in mine or not columns:
                continue
            parts = ("silver", table.name if table.is_folded else f"{table.name}_log")
            snapshot = self._reader.open(*parts)
            if snapshot is None:
                continue
            rows = self._relations.scan(snapshot) if table.is_folded else self._relations.standing(snapshot)
            valid = "" if table.is_folded else " and outcome = 'valid'"
            for column in columns:
                where = f"{quote_name(column)} in {_marks(self._names[column])}{valid}"
                [(count,)] = self._tuples(f"select count(*) from ({rows}) where {where}", sorted(self._names[column]))
                if count:
                    found.append(Mention(table.name, column, count))
        return found

    def _waiting(self) -> list[Row]:
        """Records at the place asked for that no table has judged yet."""
        place = _place_of(self._key)
        if place is None:
            return []
        where = " and ".join(f"{quote_name(name)} = ?" for name in place)
        columns = 'object, etag, ordinal, topic, "partition", "offset", byte_offset, batch, landed_at, value_size'
        found: list[Row] = []
        for feed in self._reader.digest.feeds:
            bronze = self._reader.open("bronze", feed)
            if bronze is not None:
                rows = f"select {columns} from ({self._relations.scan(bronze)}) where row_kind = 'record' and {where}"
                found += [{"feed": feed, **row} for row in self._rows(rows, list(place.values()))]
        return found

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Row]:
        rows = self._tuples(sql, values)
        names = [str(column[0]) for column in self._connection.description or []]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _tuples(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(values)).fetchall()


def _records(table: TableDigest, found: list[Row], decided: Mapping[str | None, Row]) -> tuple[RecordLife, ...]:
    """Log rows gathered by unit, in the order they came."""
    by_unit: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        by_unit.setdefault(tuple(row[name] for name in UNIT), []).append(row)
    records = []
    for rows in by_unit.values():
        highest = max(row["judgement"] for row in rows)
        judgements = tuple(
            Judgement(
                number=row["judgement"],
                verdict=row["verdict"],
                reason=row["reason"],
                broken_rules=tuple(row["broken_rules"] or ()),
                warnings=tuple(row["warnings"] or ()),
                stands=row["judgement"] == highest,
                decided=decided.get(row["reason"]),
            )
            for row in sorted(rows, key=lambda row: int(row["judgement"]))
        )
        last = rows[-1]
        position = {name: last[name] for name in (*UNIT, "byte_offset") if last[name] is not None}
        change = {name.lstrip("_"): last[name] for name in _CHANGE if last[name] is not None}
        records.append(RecordLife(table.feed, position, last["feed_batch"], last["landed_at"], change, judgements))
    return tuple(records)


def _place_of(key: str) -> dict[str, Any] | None:
    """The place that a text names, as columns and values; None where it names none."""
    if match := _TOPIC_PLACE.fullmatch(key):
        return {"topic": match["topic"], "partition": int(match["partition"]), "offset": int(match["offset"])}
    if match := _OBJECT_PLACE.fullmatch(key):
        return {"object": match["object"], "ordinal": int(match["ordinal"])}
    return None


def _marks(values: Sequence[str] | set[str]) -> str:
    return f"({', '.join('?' for _ in values)})"
