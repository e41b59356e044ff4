"""When people may be told: quiet hours, how many an hour, and how long to wait for a sink that is away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from aura_lake.people.cause import Level

#: The first wait for a sink that is away; each further one is twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(hours=1)


@dataclass(frozen=True)
class QuietHours:
    """From one hour to another, by the clock of the shop; over midnight where it ends before it begins."""

    begin: time
    end: time
    zone: str = "UTC"

    def holds(self, now: datetime) -> bool:
        """Whether it is quiet now."""
        local = now.astimezone(ZoneInfo(self.zone)).time()
        if self.begin <= self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end


@dataclass(frozen=True)
class Policy:
    """`per_hour`: incidents that one sink is told of in an hour; `passes`: the level that quiet hours do not hold."""

    quiet: QuietHours | None = None
    passes: Level = Level.CRITICAL
    per_hour: int = 20

    def is_quiet(self, level: Level, now: datetime) -> bool:
        """Whether an incident of this level waits for the end of the quiet hours."""
        return self.quiet is not None and level.rank < self.passes.rank and self.quiet.holds(now)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts in a row failed."""
    doubled: int = 1 << min(attempts, 16)
    return min(LONGEST_WAIT, FIRST_WAIT * doubled)
