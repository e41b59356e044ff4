"""Plays a plan: all of it at once, or on and on while time passes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aura_lake.errors import SettingsError
from aura_lake.simulate.delivery import PART_HOURS, Arrivals, Delivery
from aura_lake.simulate.objects import change_object, click_object, write_object
from aura_lake.simulate.plan import SimulationPlan
from aura_lake.simulate.rows import CLICKSTREAM
from aura_lake.simulate.truth import Truth, TruthKeeper

#: Called with the days that are done and the days of the plan.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SimulationReport:
    """What was written, and what a lake must make of it."""

    files: tuple[str, ...]  #: names below the folder, in the order in which they were written
    size: int  #: bytes on disk
    records: Mapping[str, int]  #: values by table, copies and tombstones included
    mess: Mapping[str, int]  #: records touched, by the name of every mess switched on
    truth: Truth


@dataclass(frozen=True)
class LiveReport:
    """What the live shop wrote until it was stopped."""

    files: int
    hours: int  #: simulated hours after the plan's end
    records: Mapping[str, int]


def simulate(plan: SimulationPlan, out: Path, progress: Progress | None = None) -> SimulationReport:
    """Writes every object of the plan below `out`; the same plan gives the same bytes.

    Objects that are there already are replaced by equal ones.
    """
    truth = TruthKeeper()
    files: list[str] = []
    size = 0
    for name, text in _history(plan, Delivery(plan, truth), progress):
        size += write_object(out, name, text)
        files.append(name)
    told = truth.told()
    return SimulationReport(
        files=tuple(files),
        size=size,
        records={table: told.tables[table].records for table in told.tables},
        mess={name: truth.mess[name] for name in sorted(plan.mess)},
        truth=told,
    )


def simulate_live(
    plan: SimulationPlan,
    out: Path,
    *,
    seconds_per_day: float,
    stop: threading.Event,
    progress: Callable[[Arrivals], None] | None = None,
) -> LiveReport:
    """The shop goes on after the plan's end, an hour in seconds_per_day / 24, until `stop` is set.

    The plan's own objects come first and at once, except those that stand there already.
    Each later hour writes its objects when it is over; an object appears whole.
    `progress` sees every hour just after it was written.
    """
    if seconds_per_day <= 0:
        raise SettingsError(
            f"A day of {seconds_per_day:g} seconds is not possible.",
            fix="Give more than 0 seconds a day; 86400 is the pace of the real world.",
        )
    delivery = Delivery(plan, TruthKeeper())
    files = 0
    records: Counter[str] = Counter()
    for name, text in _history(plan, delivery, None):
        if not (out / name).exists():
            write_object(out, name, text)
            files += 1
    hour = plan.end_hour
    while not stop.wait(seconds_per_day / 24):
        arrivals = delivery.hour(hour)
        for table, texts in arrivals.records.items():
            write_object(out, *_object(plan, table, hour, texts, closes=hour % 24 + 1))
            files += 1
            records[table] += len(texts)
        if progress is not None:
            progress(arrivals)
        hour += 1
    return LiveReport(files=files, hours=hour - plan.end_hour, records=dict(records))


def _history(plan: SimulationPlan, delivery: Delivery, progress: Progress | None) -> Iterator[tuple[str, str]]:
    """Name and text of every object of the plan.

    The snapshot first, then clicks by the hour and changes by the half day.
    """
    for table, texts in delivery.snapshot().records.items():
        yield _object(plan, table, plan.first_hour, texts, closes=0)
    changes: dict[str, list[str]] = {}
    for hour in range(plan.first_hour, plan.end_hour):
        arrivals = delivery.hour(hour)
        for table, texts in arrivals.records.items():
            if table == CLICKSTREAM:
                yield _object(plan, table, hour, texts, closes=0)
            else:
                changes.setdefault(table, []).extend(texts)
        closes = hour % 24 + 1
        if closes % PART_HOURS == 0:
            for table, texts in changes.items():
                yield _object(plan, table, hour, texts, closes=closes)
            changes = {}
        if closes == 24 and progress is not None:
            progress((hour + 1 - plan.first_hour) // 24, plan.days)


def _object(plan: SimulationPlan, table: str, hour: int, texts: list[str], *, closes: int) -> tuple[str, str]:
    if table == CLICKSTREAM:
        return click_object(plan.seed, hour), "".join(texts)
    return change_object(table, hour, closes), "\n".join(texts) + "\n"
