"""What a simulation is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from aura_lake.errors import SettingsError
from aura_lake.simulate.clock import DAY_US, HOUR_US, micros
from aura_lake.simulate.mess import known_mess

#: Business of a weekday, Monday first; their sum is 7.
WEEKDAY_WEIGHTS = (0.92, 0.90, 0.93, 0.97, 1.06, 1.15, 1.07)


@dataclass(frozen=True)
class SimulationPlan:
    """A shop, a span of days, and how much happens in them.

    The plan alone decides every byte: there is no clock and no other source of chance.
    SettingsError where a number makes no sense or a mess has no such name.
    """

    seed: int = 7
    days: int = 30
    end: date = date(2026, 1, 1)  #: the day after the last one; nothing happens on it
    orders: int = 5_000  #: all of them; 4 % stand in the snapshot that opens the feed
    clicks: int = 200_000
    mess: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for name, least in (("days", 1), ("orders", 0), ("clicks", 0)):
            value = getattr(self, name)
            if value < least:
                raise SettingsError(
                    f"A simulation with {name}={value} is not possible.",
                    fix=f"Give {name} of at least {least}.",
                )
        known_mess(self.mess)

    @property
    def start(self) -> date:
        """The first day; the database snapshot is read at its first instant."""
        return self.end - timedelta(days=self.days)

    @property
    def start_us(self) -> int:
        """Microseconds since 1970 of the first instant."""
        return micros(self.start)

    @property
    def first_hour(self) -> int:
        """Hours since 1970 of the first hour."""
        return self.start_us // HOUR_US

    @property
    def end_hour(self) -> int:
        """Hours since 1970 of the first hour that is no longer simulated."""
        return self.first_hour + 24 * self.days

    @property
    def snapshot_orders(self) -> int:
        """How many orders are older than the first day."""
        return self.orders // 25

    def has(self, mess: str) -> bool:
        """True where that mess is switched on."""
        return mess in self.mess

    def quota(self, total: int, day: int) -> int:
        """How much of `total` falls on day `day` (from 0): weekends are busier.

        The days of the plan add up to `total` exactly; later days go on at the same rate.
        """
        return self._until(total, day + 1) - self._until(total, day)

    def _until(self, total: int, day: int) -> int:
        return round(total * self._weight(day) / self._weight(self.days))

    def _weight(self, days: int) -> float:
        weeks, rest = divmod(days, 7)
        first = self.start.weekday()
        return weeks * 7 + sum(WEEKDAY_WEIGHTS[(first + n) % 7] for n in range(rest))

    def day_us(self, day: int) -> int:
        """Microseconds since 1970 of the first instant of day `day`."""
        return self.start_us + day * DAY_US
