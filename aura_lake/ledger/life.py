"""The life of one row, as plain values with a JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """One verdict on a unit. `stands`: it is the highest of its unit, the one that counts. `decided`: who decided it,
    when and why, where a person did (`number`, `kind`, `who`, `why`, `at`)."""

    number: int
    verdict: str
    reason: str | None
    broken_rules: tuple[str, ...]
    warnings: tuple[str, ...]
    stands: bool
    decided: Row | None = None


@dataclass(frozen=True)
class RecordLife:
    """One record (or element of one) that touched the row: where it stands, and what became of it."""

    feed: str
    position: Row  #: object, etag, ordinal or topic, partition, offset; part; byte_offset
    batch: int
    landed_at: datetime | None
    change: Row  #: op, lsn, committed_at where the record is a change
    judgements: tuple[Judgement, ...]

    @property
    def place(self) -> str:
        """The position as people write it."""
        part = f" part {self.position['part']}" if self.position.get("part") else ""
        if self.position.get("object") is not None:
            return f"{self.position['object']}#{self.position['ordinal']}{part}"
        return f"{self.position['topic']}[{self.position['partition']}]@{self.position['offset']}{part}"


@dataclass(frozen=True)
class TableLife:
    """What one silver table knows of the row. `total_records` counts more than are shown."""

    table: str
    feed: str
    found_by: tuple[str, ...]
    key: tuple[str, ...]
    records: tuple[RecordLife, ...]
    total_records: int
    versions: tuple[Row, ...] = ()
    current: tuple[Row, ...] = ()


@dataclass(frozen=True)
class GoldLife:
    """The rows of one gold model, at the published version. `total_rows` counts more than are shown."""

    model: str
    version: int
    rows: tuple[Row, ...]
    total_rows: int


@dataclass(frozen=True)
class Mention:
    """Rows of another table that name the row's key."""

    table: str
    column: str
    rows: int


@dataclass(frozen=True)
class Life:
    """Everything the lake knows of one key. `waiting` names records that landed and are not judged yet."""

    key: str
    searched: tuple[str, ...]
    tables: tuple[TableLife, ...] = ()
    gold: tuple[GoldLife, ...] = ()
    touches: tuple[Row, ...] = ()
    mentions: tuple[Mention, ...] = ()
    waiting: tuple[Row, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anything was found."""
        return bool(self.tables or self.gold or self.waiting or self.mentions)

    def to_json(self) -> dict[str, Any]:
        """The life as JSON: times in ISO, money as text."""
        return {
            "key": self.key,
            "found": self.is_known,
            "searched": list(self.searched),
            "tables": [
                {
                    "table": table.table,
                    "feed": table.feed,
                    "found_by": list(table.found_by),
                    "total_records": table.total_records,
                    "records": [_record(record) for record in table.records],
                    "versions": [_plain(row) for row in table.versions],
                    "current": [_plain(row) for row in table.current],
                }
                for table in self.tables
            ],
            "touches": [_plain(row) for row in self.touches],
            "gold": [
                {
                    "model": gold.model,
                    "version": gold.version,
                    "total_rows": gold.total_rows,
                    "rows": [_plain(row) for row in gold.rows],
                }
                for gold in self.gold
            ],
            "mentions": [{"table": m.table, "column": m.column, "rows": m.rows} for m in self.mentions],
            "waiting": [_plain(row) for row in self.waiting],
        }


def _record(record: RecordLife) -> dict[str, Any]:
    return {
        "feed": record.feed,
        "place": record.place,
        **_plain(record.position),
        "batch": record.batch,
        "landed_at": _value(record.landed_at),
        **_plain(record.change),
        "judgements": [
            {
                "number": judgement.number,
                "verdict": judgement.verdict,
                "reason": judgement.reason,
                "broken_rules": list(judgement.broken_rules),
                "warnings": list(judgement.warnings),
                "stands": judgement.stands,
                **({"decided": _plain(judgement.decided)} if judgement.decided else {}),
            }
            for judgement in record.judgements
        ],
    }


def _plain(row: Row) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_value(element) for element in value]
    return value
