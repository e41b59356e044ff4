"""Replay: rows that waited among many that did not, judged again out of bronze, beside as many fresh rows.

Twice: where what waits came in one batch of fifty, as when a producer was wrong for an hour, and where it is spread
evenly over all of them, so that all of bronze has to be read.
"""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.events import event_lines, event_objects
from benchmarks.measure import Case, Check, Report, measure, prepare
from benchmarks.places import bench_home, fresh
from benchmarks.stopwatch import Stopwatch

#: Rows in all; of them waits what one batch holds.
SIZES = {"full": 5_000_000, "small": 200_000}
BATCHES = 50

#: The rule that is broken, and that the contract has no more when the rows are replayed.
RULE = "price_is_plausible"

COST_BAR, MEMORY_BAR_MB = 2.0, 1_500


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether a replay costs at most twice as much as fresh rows."""
    rows = SIZES[scale]
    for layout in ("together", "spread"):
        prepare(Case(f"lake, {layout}", "benchmarks.replay:build", {"rows": rows, "layout": layout}))
    count = rows // BATCHES
    cases = [
        Case(f"{count:,} fresh rows", "benchmarks.replay:judge_fresh", {"rows": rows}),
        Case(
            f"{count:,} replayed, of 1 batch", "benchmarks.replay:replay_waiting", {"rows": rows, "layout": "together"}
        ),
        Case(
            f"{count:,} replayed, of {BATCHES} batches",
            "benchmarks.replay:replay_waiting",
            {"rows": rows, "layout": "spread"},
        ),
        Case("a judging with nothing to do", "benchmarks.replay:judge_nothing", {"rows": rows}),
    ]
    figures = measure(cases)
    new, together, spread, nothing = figures
    checks = [
        Check(
            "CPU of a replay out of 2 % of the batches, to fresh rows", together.cpu_seconds / new.cpu_seconds, COST_BAR
        ),
        Check("peak memory, MB", max(figure.peak_mb for figure in figures), MEMORY_BAR_MB),
    ]
    notes = [
        f"CPU of a replay out of all batches, to fresh rows: {spread.cpu_seconds / new.cpu_seconds:.2f}",
        f"CPU of looking whether contract or decisions are others: {nothing.cpu_seconds * 1000:.0f} ms",
    ]
    return Report(f"Replay of {count:,} rows that wait among {rows:,}", figures, checks, notes)


def build(stopwatch: Stopwatch, rows: int, layout: str) -> None:
    """A lake of `BATCHES` judged batches and one that is landed only. Made once."""
    from aura_lake.steps.judge import judge
    from aura_lake.steps.land import land

    if _home(rows, layout).is_dir():
        return
    building, feed = fresh(f"building-replay-{layout}"), fresh(f"replay-feed-{layout}")
    lake = _lake(building, feed)
    contract = lake.contract("clickstream")
    for number in range(BATCHES + 1):
        with gzip.open(feed / f"{number:03d}.gz", "wb", compresslevel=1) as stream:
            stream.write(_lines(number, rows // BATCHES, layout))
        land(lake, lake.shop.feeds[contract.feed])
        if number < BATCHES:
            judge(lake, contract)
    _home(rows, layout).parent.mkdir(parents=True, exist_ok=True)
    building.rename(_home(rows, layout))


def judge_fresh(stopwatch: Stopwatch, rows: int) -> dict[str, Any]:
    """Judge the batch that is landed."""
    from aura_lake.steps.judge import judge

    lake = _copy(rows, "together")
    with stopwatch:
        report = judge(lake, lake.contract("clickstream"))
    return {"rows": report.rows_in, **report.verdicts}


def judge_nothing(stopwatch: Stopwatch, rows: int) -> dict[str, Any]:
    """Judge once more when everything is judged."""
    from aura_lake.steps.judge import judge

    lake = _copy(rows, "together")
    judge(lake, lake.contract("clickstream"))
    with stopwatch:
        report = judge(lake, lake.contract("clickstream"))
    return {"rows": report.rows_in}


def replay_waiting(stopwatch: Stopwatch, rows: int, layout: str) -> dict[str, Any]:
    """Decide to replay what waits, under a contract without the rule, and carry it out."""
    from aura_lake.steps.replay import Chosen, apply, decide_replay

    lake = _copy(rows, layout)
    strict = lake.contract("clickstream")
    eased = replace(strict, row_rules=tuple(rule for rule in strict.row_rules if rule.name != RULE))
    lake = lake.under(replace(lake.shop, contracts={**lake.shop.contracts, "clickstream": eased}))
    with stopwatch:
        decide_replay(lake, Chosen(eased), who="benchmark")
        done = apply(lake, eased)
    assert done is not None
    assert done.rejudged is not None
    found = done.rejudged
    return {"rows": found.units, "valid": found.now("valid"), "duplicate": found.now("duplicate")}


def _lines(number: int, count: int, layout: str) -> bytes:
    """A batch of events; those that break the rule are all of one batch, or an equal share of each."""
    import polars as pl

    events = event_lines(number, count)
    if number < BATCHES:
        place = pl.int_range(pl.len()) % BATCHES == BATCHES // 2
        breaks = pl.lit(number == BATCHES // 2) if layout == "together" else place
        dear = pl.col("event").str.replace(r'"price":\s*', '"price":99999')
        events = events.to_frame().select(pl.when(breaks).then(dear).otherwise("event"))["event"]
    return ("\n".join(events.to_list()) + "\n").encode()


def _home(rows: int, layout: str) -> Path:
    return bench_home() / "data" / f"replay-{rows}-{layout}"


def _copy(rows: int, layout: str) -> Any:
    """The lake to write to: files of a table never change, so links to them suffice. Warmed up by a small one."""
    from aura_lake.steps.judge import judge
    from aura_lake.steps.land import land

    warm = _lake(fresh("replay-warm"), event_objects(20_000, "lines"))
    land(warm, warm.shop.feeds["events_lines"])
    judge(warm, warm.contract("clickstream"))
    target = fresh(f"replay-{layout}")
    shutil.copytree(_home(rows, layout), target, copy_function=os.link, dirs_exist_ok=True)
    return _lake(target, event_objects(20_000, "lines"))


def _lake(home: Path, feed: Path) -> Any:
    from benchmarks.lakes import open_lake

    return open_lake(home, {"EVENTS_LINES": feed})
