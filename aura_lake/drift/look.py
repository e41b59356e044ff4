"""One look at a feed: its window, its contracts, and which fields have been explained so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from aura_lake.contracts.contract import Contract, Shop
from aura_lake.drift.reads import Reading, readings_of
from aura_lake.drift.schema_change import SchemaChange
from aura_lake.drift.window import Cell, FieldSeen, Window

#: Records that have to show something before it is proposed, and before it is told at all.
ENOUGH, SOME = 30, 8

#: A field is gone when it stays away for so many times its longest absence before.
LONGER = 5

#: Fields beside which the values of another are looked at.
CONTEXTS = 6


@dataclass
class Look:
    """What the detectors share. `explained`: fields that a finding accounts for."""

    shop: Shop
    feed: str
    window: Window
    schema: SchemaChange | None = None
    explained: set[str] = field(default_factory=set)

    @cached_property
    def contracts(self) -> Sequence[Contract]:
        """The contracts that read the feed."""
        return self.shop.readers(self.feed)

    @cached_property
    def reads(self) -> Mapping[str, list[Reading]]:
        """The fields they read."""
        return readings_of(self.contracts)

    def seen(self, path: str) -> FieldSeen:
        """The field at a path; without cells where it never came."""
        return self.window.fields.get(path) or FieldSeen(path)

    def before(self, path: str) -> dict[int, Cell]:
        """Its cells in the records before."""
        return self.seen(path).between(0, self.window.begins)

    def after(self, path: str) -> dict[int, Cell]:
        """Its cells in the records after."""
        return self.seen(path).between(self.window.begins, self.window.rows)

    def places(self, path: str) -> tuple[str, ...]:
        """The columns and filters that read it."""
        return tuple(sorted({reading.place for reading in self.reads.get(path, ())}))

    def is_read_otherwise(self, path: str) -> bool:
        """Whether what reads a field reads another name of it, which does come in the records after."""
        readings = self.reads.get(path, [])
        others = [p for p, its in self.reads.items() if p != path and any(reading in its for reading in readings)]
        return any(len(self.after(other)) >= SOME for other in others)

    def is_new(self, path: str) -> bool:
        """Whether a field came up in the records after, and often enough that it would have shown before."""
        rows = sorted(self.seen(path).cells)
        if not rows or rows[0] < self.window.begins or len(rows) < SOME:
            return False
        rate = len(rows) / (self.window.rows - rows[0])
        return rate * self.window.begins >= SOME

    def new_fields(self) -> list[str]:
        """Fields that are new and that no contract reads."""
        return [p for p in self.window.fields if p not in self.reads and p not in self.explained and self.is_new(p)]

    def gone_since(self, path: str) -> int | None:
        """The record from which on a field is missing, or has no value, for longer than it ever was before; None
        where it is still there. One that was mostly missing before cannot be said to be gone."""
        cells = self.seen(path).cells
        is_missing = self._away_since(sorted(cells))
        if is_missing is not None:
            return is_missing
        return self._away_since(sorted(row for row, cell in cells.items() if not cell.is_null))

    def _away_since(self, rows: Sequence[int]) -> int | None:
        had = [row for row in rows if row < self.window.begins]
        if len(had) < SOME or len(had) < self.window.begins / 2:
            return None
        absences = [later - earlier for earlier, later in zip([-1, *had], [*had, self.window.begins], strict=True)]
        last = rows[-1] + 1
        away = self.window.rows - last
        return last if away >= ENOUGH and away >= LONGER * max(absences) else None

    def contexts(self, leave_out: Collection[str]) -> dict[str, dict[int, Cell]]:
        """Fields that stayed what they are and whose values come again: what others can be seen beside."""
        found: list[tuple[int, str]] = []
        for path, seen in self.window.fields.items():
            if path in leave_out or path in self.explained:
                continue
            told = seen.told(self.window.before)
            distinct = len({cell.value for cell in told})
            if len(told) < self.window.begins / 2 or distinct < 5 or distinct > 0.9 * len(told):
                continue
            if len(seen.told(self.window.after)) < len(self.window.after) / 2:
                continue
            found.append((distinct, path))
        chosen = [path for _, path in sorted(found, reverse=True)[:CONTEXTS]]
        return {path: self.seen(path).cells for path in chosen}
