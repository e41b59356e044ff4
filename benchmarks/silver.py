"""Silver: events out of bronze, judged by eight rules and freed of redeliveries, one log row each.

Beside it what a script would do, which keeps no verdicts and remembers nothing: `read_ndjson`, `unique` on the
same five columns, `write_deltalake`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.events import IDENTITY, event_objects
from benchmarks.measure import Case, Check, Figure, Report, measure, prepare
from benchmarks.places import bench_home, fresh
from benchmarks.stopwatch import Stopwatch

SIZES = {"full": (1_000_000, 2_000_000, 4_000_000), "small": (200_000, 400_000)}
GROWTH_BAR, MEMORY_GROWTH_BAR, MEMORY_BAR_MB = 1.2, 1.2, 1_500


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether the bars of silver hold."""
    sizes = SIZES[scale]
    for count in sizes:
        prepare(Case(f"land {count:,}", "benchmarks.silver:land_events", {"count": count}))
    ours = [Case(f"aura judge, {n:,}", "benchmarks.silver:judge_events", {"count": n}) for n in sizes]
    most = sizes[-1]
    whole = Case(f"aura land and judge, {most:,}", "benchmarks.silver:from_objects", {"count": most})
    peers = [
        Case(f"read_ndjson, unique, write, {n:,}", "benchmarks.silver:script", {"count": n}) for n in (sizes[0], most)
    ]
    figures = measure([*ours, whole, *peers])
    judged = figures[: len(sizes)]
    per_row = [figure.cpu_seconds / count for figure, count in zip(judged, sizes, strict=True)]
    checks = [
        Check("CPU per row, dearest size to cheapest", max(per_row) / min(per_row), GROWTH_BAR),
        Check("peak memory, largest size to smallest", judged[-1].peak_mb / judged[0].peak_mb, MEMORY_GROWTH_BAR),
        Check("peak memory, MB", max(figure.peak_mb for figure in judged), MEMORY_BAR_MB),
    ]
    return Report("Events to silver, 8 rules, deduplicated on 5 columns", figures, checks, _per_million(judged, sizes))


def land_events(stopwatch: Stopwatch, count: int) -> None:
    """Bronze with `count` events, made once."""
    from aura_lake.steps.land import land

    if _bronze(count).is_dir():
        return
    building = fresh(f"building-bronze-{count}")
    lake = _lake(building, count)
    land(lake, lake.shop.feeds["events_lines"])
    _bronze(count).parent.mkdir(parents=True, exist_ok=True)
    building.rename(_bronze(count))


def judge_events(stopwatch: Stopwatch, count: int) -> dict[str, Any]:
    """Judge all of bronze; warmed up by a small lake."""
    from aura_lake.steps.judge import judge

    _warm_up()
    shutil.rmtree(_bronze(count) / "silver", ignore_errors=True)
    lake = _lake(_bronze(count), count)
    with stopwatch:
        report = judge(lake, lake.contract("clickstream"))
    return {"rows": report.rows_in, **report.verdicts}


def from_objects(stopwatch: Stopwatch, count: int) -> dict[str, Any]:
    """From the objects to silver: what the script beside it does."""
    from aura_lake.steps.judge import judge
    from aura_lake.steps.land import land

    _warm_up()
    lake = _lake(fresh("silver-whole"), count)
    with stopwatch:
        land(lake, lake.shop.feeds["events_lines"])
        report = judge(lake, lake.contract("clickstream"))
    return {"rows": report.rows_in, **report.verdicts}


def script(stopwatch: Stopwatch, count: int) -> dict[str, Any]:
    """The shortest way to the same rows, all at once in memory."""
    import polars as pl
    from deltalake import write_deltalake

    target = fresh("silver-script")
    write_deltalake(target / "warm", pl.DataFrame({"warm": [1]}).to_arrow())
    with stopwatch:
        events = pl.concat([pl.read_ndjson(path) for path in sorted(event_objects(count, "lines").iterdir())])
        events = events.unique(subset=list(IDENTITY), keep="first", maintain_order=True)
        write_deltalake(target / "events", events.to_arrow())
    return {"rows": count, "valid": events.height}


def _warm_up() -> None:
    from aura_lake.steps.judge import judge
    from aura_lake.steps.land import land

    lake = _lake(fresh("silver-warm"), 20_000)
    land(lake, lake.shop.feeds["events_lines"])
    judge(lake, lake.contract("clickstream"))


def _bronze(count: int) -> Path:
    return bench_home() / "data" / f"bronze-{count}"


def _lake(home: Path, count: int) -> Any:
    from benchmarks.lakes import open_lake

    return open_lake(home, {"EVENTS_LINES": event_objects(count, "lines")})


def _per_million(figures: list[Figure], sizes: tuple[int, ...]) -> list[str]:
    costs = ", ".join(f"{f.cpu_seconds / n * 1e6:.2f} at {n:,}" for f, n in zip(figures, sizes, strict=True))
    return [f"CPU seconds per million events judged: {costs}"]
