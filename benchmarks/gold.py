"""Gold: 10k touched orders of the last three days, from silver to the published tables of 1M and 4M orders.

Measured: load into the warehouse, dbt's build with its tests, publication as Delta; by the warm dbt of a process that
has built before, as `aura run` and a live process do.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.measure import Case, Check, Report, measure, prepare
from benchmarks.stopwatch import Stopwatch

SIZES = {"full": (1_000_000, 4_000_000), "small": (200_000, 400_000)}
CHANGES = 10_000
RECENT_DAYS = 3
GROWTH_BAR = 1.4
SEED = 7


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether the touched orders cost the same in a shop four times as large."""
    sizes = SIZES[scale]
    for count in sizes:
        prepare(Case(f"grow {count:,} orders", "benchmarks.grow:orders_lake", {"count": count}))
        prepare(Case(f"grow their lines, {count:,}", "benchmarks.grow:shop_lake", {"count": count}))
        prepare(Case(f"gold of {count:,}, whole", "benchmarks.gold:whole", {"count": count}))
    figures = measure([Case(f"10k orders of {n:,}", "benchmarks.gold:touched", {"count": n}) for n in sizes])
    growth = figures[-1].cpu_seconds / figures[0].cpu_seconds
    return Report(
        f"{CHANGES:,} touched orders to published gold",
        figures,
        [Check("largest shop to smallest", growth, GROWTH_BAR)],
    )


def whole(stopwatch: Stopwatch, count: int) -> None:
    """The lake with everything loaded, built and published, made once."""
    from benchmarks.grow import copy_of, grown

    target = grown(count, "gold")
    if target.is_dir():
        return
    building = copy_of(grown(count, "shop"), f"building-gold-{count}")
    _Gold(building).bring_up()
    building.rename(target)


def touched(stopwatch: Stopwatch, count: int) -> dict[str, Any]:
    """Load, build and publish one batch of changes; warmed up by the batch before it."""
    from benchmarks.grow import copy_of, grown
    from benchmarks.orders import last_day, write_changes, write_lines

    home = copy_of(grown(count, "gold"), f"gold-{count}")
    gold = _Gold(home)
    newest = last_day(count)
    days = range(newest - RECENT_DAYS + 1, newest + 1)
    for seed in (SEED - 1, SEED):
        name = f"changes-{seed}.jsonl.gz"
        new = write_changes(home / "landing" / "orders" / name, seed, CHANGES, days, newest)
        write_lines(home / "landing" / "order_items" / name, new, first_lsn=10**13 + seed * 10**6)
        gold.refresh_silver()
        if seed < SEED:
            gold.bring_up()
    with stopwatch:
        facts = gold.bring_up()
    shutil.rmtree(home, ignore_errors=True)
    return facts


class _Gold:
    """A lake with its warehouse and a warm dbt."""

    def __init__(self, home: Path) -> None:
        from aura_lake.warehouse.opening import open_gold, open_warehouse
        from benchmarks.grow import open_copy

        self.lake = open_copy(home)
        self.warehouse = open_warehouse(self.lake.settings)
        self.gold = open_gold(self.lake.settings, self.lake.shop)

    def refresh_silver(self) -> None:
        """Land, judge and fold what is new."""
        from aura_lake.steps.land import land
        from aura_lake.steps.pipeline import refresh_silver

        for table in ("orders", "order_items"):
            land(self.lake, self.lake.shop.feeds[table])
            refresh_silver(self.lake, self.lake.contract(table))

    def bring_up(self) -> dict[str, Any]:
        """Load, build and publish; CPU seconds of each."""
        import time

        from aura_lake.steps.load import load
        from aura_lake.steps.publish import publish
        from aura_lake.warehouse.tables import LOADED, table_specs

        begun = time.process_time()
        self.warehouse.prepare(table_specs())
        loads = [load(self.lake, self.warehouse, name) for name in LOADED]
        loaded = time.process_time()
        report = publish(self.lake, self.warehouse, self.gold, held={})
        assert not report.build.failed_tests, report.build.failed_tests
        return {
            "load CPU s": loaded - begun,
            "publish CPU s": time.process_time() - loaded,
            "touched": sum(done.touched for done in loads if done is not None),
            "published rows": sum(report.written.values()),
        }
