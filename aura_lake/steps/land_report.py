"""What one landing of a feed did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from aura_lake.delta.table import NEVER

#: Called with (done, found): objects of files, messages of topics.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LandReport:
    """What came. `waiting` and `skipped` give a reason for each name; `stopped` for each lane of a topic that
    cannot be read on, with what to do."""

    feed: str
    batches: int = 0
    objects: int = 0
    records: int = 0
    copies: int = 0
    corrupt: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    raw_bytes: int = 0
    watermark: int = NEVER
    seconds: float = 0.0

    def followed_by(self, later: LandReport) -> LandReport:
        """Both landings of the feed as one."""
        return replace(
            later,
            batches=self.batches + later.batches,
            objects=self.objects + later.objects,
            records=self.records + later.records,
            copies=self.copies + later.copies,
            corrupt={**self.corrupt, **later.corrupt},
            waiting={**self.waiting, **later.waiting},
            skipped={**self.skipped, **later.skipped},
            stopped={**self.stopped, **later.stopped},
            notes=(*self.notes, *later.notes),
            raw_bytes=self.raw_bytes + later.raw_bytes,
            seconds=self.seconds + later.seconds,
        )
