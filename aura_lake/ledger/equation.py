"""What the ledger says, as plain values with an exact JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

#: At most so many places are named where an equation is off.
NAMED = 5


@dataclass(frozen=True)
class Equation:
    """Two counts that must be the same.

    `first` names the first places where the two sides differ. Counts can agree while places differ (one
    row lost, another doubled): the equation balances only where both do.
    """

    name: str
    left: int | Decimal
    right: int | Decimal
    first: tuple[str, ...] = ()

    @property
    def difference(self) -> int | Decimal:
        """How much the left side has more than the right."""
        return self.left - self.right

    @property
    def balanced(self) -> bool:
        """Whether both sides count the same, at the same places."""
        return self.left == self.right and not self.first

    def to_json(self) -> dict[str, Any]:
        """The equation with exact numbers: money as text, counts as integers."""
        return {
            "name": self.name,
            "left": _exact(self.left),
            "right": _exact(self.right),
            "difference": _exact(self.difference),
            "balanced": self.balanced,
            "first": list(self.first),
        }


@dataclass(frozen=True)
class BatchLine:
    """One bronze batch as one table judged it: units in, and units by the verdict that stands."""

    batch: int
    records: int
    units: int
    verdicts: dict[str, int]
    first: tuple[str, ...] = ()

    @property
    def difference(self) -> int:
        """Units in bronze less units with a verdict: above 0 some are missing, below 0 some stand twice."""
        return self.units - sum(self.verdicts.values())

    @property
    def balanced(self) -> bool:
        """Whether each unit of the batch has exactly one standing verdict."""
        return self.difference == 0 and not self.first

    def to_json(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "batch": self.batch,
            "records": self.records,
            "units": self.units,
            "verdicts": dict(sorted(self.verdicts.items())),
            "difference": self.difference,
            "balanced": self.balanced,
            "first": list(self.first),
        }


@dataclass(frozen=True)
class FeedLine:
    """One feed in bronze: its batches, objects and records, recounted."""

    feed: str
    watermark: int  #: the last batch; -1 before the first
    objects: int
    records: int
    equations: tuple[Equation, ...] = ()

    @property
    def balanced(self) -> bool:
        """Whether no batch is missing and every object holds the records it came with."""
        return all(equation.balanced for equation in self.equations)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "feed": self.feed,
            "watermark": self.watermark,
            "objects": self.objects,
            "records": self.records,
            "balanced": self.balanced,
            "equations": [equation.to_json() for equation in self.equations],
        }


@dataclass(frozen=True)
class TableLine:
    """One table: the equation of each batch it has judged, and those between log, state and warehouse."""

    table: str
    feed: str
    kind: str
    watermark: int  #: the last bronze batch it has judged
    waiting_batches: int  #: bronze batches it has not judged yet
    waiting_records: int
    blocked: int  #: units in quarantine by a rule that blocks publication
    batches: tuple[BatchLine, ...] = ()
    equations: tuple[Equation, ...] = ()

    @property
    def records(self) -> int:
        """Records of the judged batches."""
        return sum(line.records for line in self.batches)

    @property
    def units(self) -> int:
        """Units of the judged batches: records, or elements where the table takes an array."""
        return sum(line.units for line in self.batches)

    @property
    def verdicts(self) -> dict[str, int]:
        """Units by the verdict that stands."""
        total: dict[str, int] = {}
        for line in self.batches:
            for verdict, count in line.verdicts.items():
                total[verdict] = total.get(verdict, 0) + count
        return dict(sorted(total.items()))

    @property
    def difference(self) -> int:
        """Units in less units with a verdict."""
        return sum(line.difference for line in self.batches)

    @property
    def balanced(self) -> bool:
        """Whether every batch and every equation of the table balances."""
        return all(line.balanced for line in self.batches) and all(e.balanced for e in self.equations)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "table": self.table,
            "feed": self.feed,
            "kind": self.kind,
            "watermark": self.watermark,
            "waiting": {"batches": self.waiting_batches, "records": self.waiting_records},
            "blocked": self.blocked,
            "records": self.records,
            "units": self.units,
            "verdicts": self.verdicts,
            "difference": self.difference,
            "balanced": self.balanced,
            "batches": [line.to_json() for line in self.batches],
            "equations": [equation.to_json() for equation in self.equations],
        }


@dataclass(frozen=True)
class Ledger:
    """The whole shop at one moment."""

    shop: str
    home: str
    counted_at: datetime
    feeds: tuple[FeedLine, ...] = ()
    tables: tuple[TableLine, ...] = ()
    money: tuple[Equation, ...] = field(default=())

    @property
    def balanced(self) -> bool:
        """Whether every equation of every table, batch and feed balances, and the money with them."""
        lines: list[FeedLine | TableLine | Equation] = [*self.feeds, *self.tables, *self.money]
        return all(line.balanced for line in lines)

    @property
    def blocked(self) -> tuple[str, ...]:
        """Tables whose publication a broken block rule holds back."""
        return tuple(line.table for line in self.tables if line.blocked)

    def problems(self) -> list[str]:
        """One sentence for each thing that is off, with the place and by how much."""
        found: list[str] = []
        for feed in self.feeds:
            found += [f"bronze.{feed.feed}: {_off(e)}" for e in feed.equations if not e.balanced]
        for table in self.tables:
            for line in table.batches:
                if not line.balanced:
                    verdicts = sum(line.verdicts.values())
                    places = f" ({'; '.join(line.first)})" if line.first else ""
                    found.append(
                        f"{table.table}, batch {line.batch}: {line.units} units in bronze, "
                        f"{verdicts} with a verdict, off by {line.difference:+d}{places}"
                    )
            found += [f"{table.table}: {_off(e)}" for e in table.equations if not e.balanced]
        return found + [_off(e) for e in self.money if not e.balanced]

    def to_json(self) -> dict[str, Any]:
        """The ledger as JSON."""
        return {
            "shop": self.shop,
            "home": self.home,
            "counted_at": self.counted_at.isoformat(),
            "balanced": self.balanced,
            "problems": self.problems(),
            "feeds": [line.to_json() for line in self.feeds],
            "tables": [line.to_json() for line in self.tables],
            "money": [equation.to_json() for equation in self.money],
        }


def _off(equation: Equation) -> str:
    places = f" ({'; '.join(equation.first)})" if equation.first else ""
    return f"{equation.name}: {equation.left} against {equation.right}, off by {equation.difference:+}{places}"


def _exact(number: int | Decimal) -> int | str:
    return str(number) if isinstance(number, Decimal) else number
