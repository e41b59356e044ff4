"""What a lake must end with, known from the shop and not from its records.

The truth is told here once: by whoever lived it. A lake that read every object must have
these verdicts, these live rows and this revenue to the cent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aura_lake.simulate.clock import DAY_US, day_of
from aura_lake.simulate.rows import CDC_TABLES, CLICKSTREAM, Change, Line, Order, key_of
from aura_lake.simulate.sessions import Click

#: An order is credited to the last click that is not direct within this time before it.
LOOKBACK_DAYS = 7
_LOOKBACK_US = LOOKBACK_DAYS * DAY_US
#: Statuses whose lines bring nothing.
_WORTHLESS = ("cancelled", "unavailable")


@dataclass(frozen=True)
class TableTruth:
    """What the records of one table must become."""

    records: int  #: values in the objects; valid + quarantined + duplicate + ignored
    valid: int
    quarantined: int
    duplicate: int
    ignored: int  #: tombstones
    live: int  #: current rows; of clicks the valid ones


@dataclass(frozen=True)
class Truth:
    """What the lake must hold after it has read every object. Money is USD, days are UTC."""

    tables: Mapping[str, TableTruth]
    orders_by_status: Mapping[str, int]
    net_revenue: Decimal  #: sum of fct_sales_revenue.net_revenue
    revenue_by_day: Mapping[date, Decimal]
    revenue_by_device: Mapping[str | None, Decimal]  #: null: no click to credit
    revenue_by_channel: Mapping[str | None, Decimal]
    revenue_by_day_and_device: Mapping[tuple[date, str | None], Decimal]


class TruthKeeper:
    """Follows the shop while its records are delivered."""

    def __init__(self) -> None:
        self._verdicts: dict[str, Counter[str]] = {table: Counter() for table in (*CDC_TABLES, CLICKSTREAM)}
        self._live: dict[str, dict[tuple[str | int, ...], Change]] = {t: {} for t in CDC_TABLES}
        self._touches: dict[str, list[tuple[int, str, str | None]]] = defaultdict(list)
        self.mess: Counter[str] = Counter()  #: records touched, by mess

    def count(self, table: str, verdict: str, records: int = 1) -> None:
        """So many more records were delivered that must get this verdict."""
        self._verdicts[table][verdict] += records

    def change(self, change: Change) -> None:
        """A change happened; a bad one leaves the last good row of its key, a delete none."""
        live = self._live[change.table]
        if change.breaks is not None:
            return
        if change.op == "d":
            live.pop(key_of(change.table, change.row), None)
        else:
            live[key_of(change.table, change.row)] = change

    def touch(self, click: Click) -> None:
        """A good click happened; it can be credited with what its visitor orders next."""
        if click.user_id is not None and not click.visit.is_direct:
            visit = click.visit
            self._touches[click.user_id].append((click.at_ms * 1000, visit.device_os, visit.channel))

    def told(self) -> Truth:
        """The truth at this moment."""
        net_by_order: Counter[str] = Counter()
        for change in self._live["order_items"].values():
            line = change.row
            assert isinstance(line, Line)
            net_by_order[line.order_id] += line.net
        for touches in self._touches.values():
            touches.sort()
        by_day: Counter[date] = Counter()
        by_device: Counter[str | None] = Counter()
        by_channel: Counter[str | None] = Counter()
        by_both: Counter[tuple[date, str | None]] = Counter()
        statuses: Counter[str] = Counter()
        for change in self._live["orders"].values():
            order = change.row
            assert isinstance(order, Order)
            net = 0 if order.status in _WORTHLESS else net_by_order[order.order_id]
            day, (device, channel) = day_of(order.created_us), self._credited(order)
            statuses[order.status] += 1
            by_day[day] += net
            by_device[device] += net
            by_channel[channel] += net
            by_both[day, device] += net
        return Truth(
            tables={table: self._table(table) for table in self._verdicts},
            orders_by_status=dict(sorted(statuses.items())),
            net_revenue=_dollars(sum(by_day.values())),
            revenue_by_day={day: _dollars(by_day[day]) for day in sorted(by_day)},
            revenue_by_device={device: _dollars(cents) for device, cents in by_device.items()},
            revenue_by_channel={channel: _dollars(cents) for channel, cents in by_channel.items()},
            revenue_by_day_and_device={both: _dollars(cents) for both, cents in by_both.items()},
        )

    def _credited(self, order: Order) -> tuple[str | None, str | None]:
        touches = self._touches.get(order.user_id or "", [])
        place = bisect_right(touches, order.created_us, key=lambda touch: touch[0])
        if place == 0 or touches[place - 1][0] < order.created_us - _LOOKBACK_US:
            return None, None
        return touches[place - 1][1], touches[place - 1][2]

    def _table(self, table: str) -> TableTruth:
        verdicts = self._verdicts[table]
        live = verdicts["valid"] if table == CLICKSTREAM else len(self._live[table])
        return TableTruth(
            records=verdicts.total(),
            valid=verdicts["valid"],
            quarantined=verdicts["quarantined"],
            duplicate=verdicts["duplicate"],
            ignored=verdicts["ignored"],
            live=live,
        )


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
