"""How far each table is: what has landed, what is judged, folded and published, and what waits.

Reads the tables' commit logs and little else; the ledger is what recounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from aura_lake.contracts.digest import TableDigest
from aura_lake.delta.snapshot import NEVER, Snapshot
from aura_lake.query.reader import Reader
from aura_lake.query.relations import Relations


@dataclass(frozen=True)
class TableStatus:
    """One table now. Batches are numbers from 0; -1 is before the first."""

    table: str
    kind: str
    feed: str
    watermark: int  #: the last bronze batch it has judged
    to_judge: int  #: bronze batches behind the watermark
    to_fold: int  #: log batches that its current rows lack
    to_publish: int  #: log batches that what is published lacks
    waiting: int  #: records landed and not judged
    quarantined: int  #: units in quarantine
    blocked: int  #: of those, units that hold back publication
    held_back: int  #: changes that wait for a value they left out
    held: str | None  #: why publication stays at an earlier batch
    changed_at: datetime | None  #: its last commit
    age_seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__ if name != "changed_at"},
            "changed_at": None if self.changed_at is None else self.changed_at.isoformat(),
        }


def read_status(reader: Reader, now: datetime | None = None) -> list[TableStatus]:
    """A line for each table of the shop, by name."""
    connection = duckdb.connect(":memory:")
    try:
        feeds = {feed: reader.open("bronze", feed) for feed in reader.digest.feeds}
        look = _Look(reader, connection, feeds, now or datetime.now(UTC))
        return [look.table(table) for table in reader.digest.tables.values()]
    finally:
        connection.close()


class _Look:
    """One look at all tables."""

    def __init__(
        self,
        reader: Reader,
        connection: duckdb.DuckDBPyConnection,
        feeds: dict[str, Snapshot | None],
        now: datetime,
    ) -> None:
        self._reader, self._connection, self._feeds, self._now = reader, connection, feeds, now
        self._relations = Relations(reader, connection)

    def table(self, table: TableDigest) -> TableStatus:
        bronze, log = self._feeds.get(table.feed), self._reader.open("silver", f"{table.name}_log")
        landed = NEVER if bronze is None else bronze.watermark("lane/files")
        watermark = NEVER if log is None else log.watermark(f"bronze/{table.feed}")
        judged = NEVER if log is None else log.watermark("log")
        folded = self._folded(table, judged)
        quarantined, blocked = (0, 0) if log is None else self._quarantined(table, log)
        changed_at = None if log is None or log.version == 0 else log.committed_at()
        return TableStatus(
            table=table.name,
            kind=table.kind,
            feed=table.feed,
            watermark=watermark,
            to_judge=landed - watermark,
            to_fold=judged - folded,
            to_publish=judged - self._published(table, log, judged),
            waiting=0 if bronze is None else self._waiting(bronze, watermark),
            quarantined=quarantined,
            blocked=blocked,
            held_back=self._held_back(table),
            held=self._reader.manifest.get("held", {}).get(table.name),
            changed_at=changed_at,
            age_seconds=None if changed_at is None else (self._now - changed_at).total_seconds(),
        )

    def _folded(self, table: TableDigest, judged: int) -> int:
        if not table.is_folded:
            return judged
        current = self._reader.open("silver", table.name)
        return NEVER if current is None else current.watermark("log")

    def _held_back(self, table: TableDigest) -> int:
        """Changes that are not in the current rows until an earlier one brings what they left out."""
        history = self._reader.open("silver", f"{table.name}_history") if table.is_folded else None
        if history is None:
            return 0
        row = self._connection.execute(
            f"select count(*) from ({self._relations.scan(history)}) where _is_held"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _published(self, table: TableDigest, log: Snapshot | None, judged: int) -> int:
        name = f"{table.name}_log"
        version = self._reader.manifest.get("tables", {}).get(f"silver.{name}")
        if version is None or log is None:
            return NEVER
        if version == log.version:
            return judged
        pinned = self._reader.open("silver", name, pinned=f"silver.{name}")
        return NEVER if pinned is None else pinned.watermark("log")

    def _waiting(self, bronze: Snapshot, watermark: int) -> int:
        """Records of the batches behind the watermark, by the files' own counts; a file is of one batch."""
        files = bronze.files(("batch",))
        mine = [f for f in files if f.partition.get("row_kind") == "record"]
        return sum(file.records for file in mine if (file.maxima["batch"] or 0) > watermark)

    def _quarantined(self, table: TableDigest, log: Snapshot) -> tuple[int, int]:
        """Units in quarantine, and those of them that broke a rule which blocks."""
        files = log.files(("judgement",))
        waiting = sum(file.records for file in files if file.partition.get("outcome") == "quarantined")
        was_judged_again = any(file.maxima["judgement"] != 0 for file in files)
        if not was_judged_again and not (waiting and table.blocking_rules):
            return waiting, 0
        rows = self._relations.standing(log)
        counts = "count(*), count(*) filter (list_has_any(broken_rules, ?))"
        sql = f"select {counts} from ({rows}) where verdict = 'quarantined'"
        row = self._connection.execute(sql, [list(table.blocking_rules)]).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])
