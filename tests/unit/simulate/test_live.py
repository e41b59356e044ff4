"""The live shop goes on from the plan's end, hour by hour, until it is stopped."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

import pytest

from aura_lake.errors import SettingsError
from aura_lake.simulate import SimulationPlan, mess_named, simulate, simulate_live
from aura_lake.simulate.delivery import Arrivals

PLAN = SimulationPlan(seed=5, days=2, end=date(2026, 3, 3), orders=200, clicks=3_000, mess=mess_named("all"))


def run_for(hours: int, out: Path) -> list[Arrivals]:
    stop, seen = threading.Event(), []

    def after_an_hour(arrivals: Arrivals) -> None:
        seen.append(arrivals)
        if len(seen) == hours:
            stop.set()

    report = simulate_live(PLAN, out, seconds_per_day=0.001, stop=stop, progress=after_an_hour)
    assert report.hours == hours
    assert sum(report.records.values()) == sum(len(t) for a in seen for t in a.records.values())
    return seen


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_live_shop_writes_its_past_and_then_new_hours(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path / "batch")
    arrivals = run_for(30, tmp_path / "live")
    past, live = contents(tmp_path / "batch"), contents(tmp_path / "live")
    assert past.items() <= live.items()
    new = live.keys() - past.keys()
    assert any(name.startswith("cdc/aura.public.orders/2026/03/03/") for name in new)
    assert any(name.startswith("firehose/clickstream/2026/03/04/05/") for name in new)
    assert [a.hour for a in arrivals] == list(range(PLAN.end_hour, PLAN.end_hour + 30))
    assert not [name for name in live if name.endswith(".tmp")]


def test_the_live_shop_is_as_busy_as_its_past(tmp_path: Path) -> None:
    arrivals = run_for(48, tmp_path)
    clicks = sum(len(hour.records.get("clickstream", ())) for hour in arrivals)
    assert 2_500 < clicks < 3_700


def test_the_same_seed_lives_the_same_future(tmp_path: Path) -> None:
    run_for(5, tmp_path / "one")
    run_for(5, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_objects_that_stand_there_already_are_left_alone(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")}
    run_for(1, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_stopped_shop_writes_nothing_new(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path)
    before = contents(tmp_path)
    stop = threading.Event()
    stop.set()
    report = simulate_live(PLAN, tmp_path, seconds_per_day=60, stop=stop)
    assert (report.files, report.hours) == (0, 0)
    assert contents(tmp_path) == before


def test_a_day_without_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="A day of 0 seconds is not possible"):
        simulate_live(PLAN, tmp_path, seconds_per_day=0, stop=threading.Event())
