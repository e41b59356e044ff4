"""Each table that may be asked for, as SQL over the Parquet files of one Delta version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import duckdb

from aura_lake.contracts.digest import TableDigest
from aura_lake.delta.snapshot import Snapshot
from aura_lake.errors import QueryError
from aura_lake.query.reader import Reader

#: The unit of verdicts, as columns.
UNIT = ("topic", "partition", "offset", "object", "etag", "ordinal", "part")

#: What a quarantined row shows of its record, before the table's own columns.
RECORD = ("object", "ordinal", "topic", "partition", "offset", "part", "byte_offset", "landed_at", "feed_batch")


class Relations:
    """Makes the tables of a lake known to a connection, under their public names."""

    def __init__(self, reader: Reader, connection: duckdb.DuckDBPyConnection) -> None:
        self._reader, self._connection = reader, connection
        self._registered = 0
        #: Files that the views read; nothing else needs to be reachable.
        self.files: list[str] = []

    def names(self) -> dict[str, Callable[[], str]]:
        """Public name (`schema.table`) of each table, and how to get its SQL."""
        known: dict[str, Callable[[], str]] = {}
        for model in self._reader.gold_models():
            known[f"gold.{model}"] = partial(self._gold, model)
        for name, table in self._reader.digest.tables.items():
            known[f"silver.{name}"] = partial(self.rows, table)
            if table.is_folded:
                known[f"silver.{name}_history"] = partial(self.history, table)
            known[f"silver.{name}_quarantine"] = partial(self.quarantine, table)
            known[f"silver.{name}_log"] = partial(self.log, table)
        if "orders" in self._reader.digest.tables:
            known["silver.order_touchpoints"] = partial(self._touchpoints, "current")
            known["silver.order_touchpoints_restated"] = partial(self._touchpoints, "restated")
        found = (self._reader.document("discovered.json") or {}).get("found", {})
        for feed in {*self._reader.digest.feeds, *(name for name, each in found.items() if each.get("landed"))}:
            known[f"bronze.{feed}"] = partial(self.bronze, feed)
        return known

    def bronze(self, feed: str) -> str:
        """Records and object rows as they landed."""
        return self.scan(self._open(f"bronze.{feed}", "bronze", feed))

    def log(self, table: TableDigest) -> str:
        """Every judgement of every unit."""
        name = f"{table.name}_log"
        return self.scan(self._open(f"silver.{name}", "silver", name))

    def rows(self, table: TableDigest) -> str:
        """The rows of the table itself: current ones, or for events the valid rows of the log."""
        if table.is_folded:
            snapshot = self._open(f"silver.{table.name}", "silver", table.name, pin=True)
            return f"select {column_list(table.columns)} from ({self.scan(snapshot)})"
        name = f"{table.name}_log"
        log = self._open(f"silver.{name}", "silver", name, pin=True)
        return f"select {column_list(table.columns)} from ({self.standing(log)}) where outcome = 'valid'"

    def history(self, table: TableDigest) -> str:
        """The versions of every key."""
        name = f"{table.name}_history"
        history = self._open(f"silver.{name}", "silver", name, pin=True)
        columns = column_list([*table.columns, "valid_from", "valid_to", "is_current"])
        return f"select {columns} from ({self.scan(history)}) where _is_version"

    def quarantine(self, table: TableDigest) -> str:
        """The rows that wait, of the newest log: position, broken rules, and what could be read of them."""
        log = self._open(f"silver.{table.name}_quarantine", "silver", f"{table.name}_log")
        columns = column_list([*RECORD, "broken_rules", *(c for c in table.columns if c not in RECORD)])
        return f"select {columns} from ({self.standing(log)}) where verdict = 'quarantined'"

    def standing(self, log: Snapshot) -> str:
        """The rows of a log that count: of each unit those of its highest judgement."""
        rows = self.scan(log)
        highest = [file.maxima["judgement"] for file in log.files(("judgement",))]
        if all(number == 0 for number in highest):
            return rows
        again = f"select {column_list(UNIT)}, max(judgement) as _highest from ({rows}) where judgement > 0 group by all"
        same = " and ".join(f'u."{name}" is not distinct from a."{name}"' for name in UNIT)
        return (
            f"select u.* from ({rows}) as u left join ({again}) as a on {same}"
            " where a._highest is null or u.judgement = a._highest"
        )

    def scan(self, snapshot: Snapshot) -> str:
        """All rows of a version, columns as the table has them, also those that its older files lack."""
        columns = snapshot.columns()
        nothing = ", ".join(f"null::{kind} as {quote_name(name)}" for name, kind in columns.items())
        empty = f"select {nothing} where false"
        files = [file.uri for file in snapshot.files()]
        if not files:
            return empty
        if not self._reader.settings.is_local:
            name = f"_dataset_{self._registered}"
            self._registered += 1
            self._connection.register(name, snapshot.to_dataset())
            return f"{empty} union all by name select * from {name}"
        self.files += files
        parts = ", ".join(f"{_text(name)}: {columns[name]}" for name in snapshot.partition_columns())
        hive = f", hive_partitioning = true, hive_types_autocast = false, hive_types = {{{parts}}}" if parts else ""
        listed = ", ".join(_text(file) for file in files)
        return f"{empty} union all by name select * from read_parquet([{listed}], union_by_name = true{hive})"

    def _gold(self, model: str) -> str:
        snapshot = self._open(f"gold.{model}", "gold", model, pin=True)
        shown = [name for name in snapshot.columns() if not name.startswith("_")]
        return f"select {column_list(shown)} from ({self.scan(snapshot)})"

    def _touchpoints(self, state: str) -> str:
        name = "order_touchpoints"
        snapshot = self._open(f"silver.{name}", "silver", name, pin=True)
        hidden = ("attribution_batch", *(("restated_at",) if state == "current" else ()), "ordered_at", "user_id")
        shown = [n for n in snapshot.columns() if not n.startswith("_") and n not in hidden]
        return f"select {column_list(shown)} from ({self.scan(snapshot)}) where _state = {_text(state)}"

    def _open(self, public: str, *parts: str, pin: bool = False) -> Snapshot:
        snapshot = self._reader.open(*parts, pinned=".".join(parts) if pin else None)
        if snapshot is None:
            raise QueryError(f"{public} has not been written yet.", fix="Run `aura run` first.")
        return snapshot


def column_list(names: Sequence[str]) -> str:
    """Names as they stand after SELECT."""
    return ", ".join(quote_name(name) for name in names)


def quote_name(name: str) -> str:
    """A name that may hold anything, as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
