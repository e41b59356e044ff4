"""The numbers of a live process, as its line shows them: written by the loop, read by whoever prints."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Records a second are counted over this window.
WINDOW_SECONDS = 5.0


@dataclass(frozen=True)
class LiveLine:
    """What a live process is at. `gold_age_seconds`: since the newest record that gold shows was written to its
    topic or object; None before there is one. `role`: applies, or lands only."""

    records_per_second: float
    lag: int
    gold_age_seconds: float | None
    quarantined: int
    records: int
    batches: int
    role: str
    doing: str
    lanes: int
    stopped: Mapping[str, str] = field(default_factory=dict)
    trouble: str | None = None


class LiveNumbers:
    """Numbers that one thread writes and another reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._came: deque[tuple[float, int]] = deque()
        self._lag = self._quarantined = self._records = self._batches = self._lanes = 0
        self._gold_at: float | None = None
        self._role, self._doing = "lands", "starting"
        self._stopped: Mapping[str, str] = {}
        self._trouble: str | None = None

    def came(self, records: int) -> None:
        """So many records were landed now."""
        with self._lock:
            self._came.append((time.monotonic(), records))
            self._records += records

    def batch(self, quarantined: int) -> None:
        """A micro-batch went through, with so many records that wait."""
        with self._lock:
            self._batches += 1
            self._quarantined += quarantined

    def gold_shows(self, newest_millis: int) -> None:
        """Gold shows everything up to a record that was written to its topic then (since 1970)."""
        with self._lock:
            self._gold_at = max(self._gold_at or 0.0, newest_millis / 1000)

    def at(self, doing: str, *, role: str | None = None, lag: int | None = None, lanes: int | None = None) -> None:
        """What the loop does now."""
        with self._lock:
            self._doing = doing
            self._role = role or self._role
            self._lag = self._lag if lag is None else lag
            self._lanes = self._lanes if lanes is None else lanes

    def stopped(self, lanes: Mapping[str, str]) -> None:
        """Lanes that are not read, with the reason."""
        with self._lock:
            self._stopped = dict(lanes)

    def trouble(self, what: str | None) -> None:
        """Why the loop waits; None where it goes on."""
        with self._lock:
            self._trouble = what

    def line(self) -> LiveLine:
        """The numbers now."""
        now = time.monotonic()
        with self._lock:
            while self._came and now - self._came[0][0] > WINDOW_SECONDS:
                self._came.popleft()
            rate = sum(count for _, count in self._came) / WINDOW_SECONDS
            age = None if self._gold_at is None else max(0.0, time.time() - self._gold_at)
            return LiveLine(
                rate, self._lag, age, self._quarantined, self._records, self._batches, self._role, self._doing,
                self._lanes, self._stopped, self._trouble,
            )  # fmt: skip
