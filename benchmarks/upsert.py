"""Upsert: 10k changes (80 % updates, 15 % new, 5 % deletes) judged and folded into tables of 1M to 8M orders.

The tables have the same number of orders a day. `recent`: keys of the last three days, as a shop's are;
`uniform`: of all days, which the fold must rewrite whole. Peers: deltalake's MERGE and Spark's, with deletion
vectors, of the same changes read already, into a table of the current rows partitioned by day; they name
the touched days as literals. They keep no log, no history and no verdicts, and parse nothing.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import Case, Check, Figure, Report, measure, prepare
from benchmarks.orders import FIRST_DAY, last_day, write_changes
from benchmarks.places import bench_home, fresh
from benchmarks.stopwatch import Stopwatch

SIZES = {"full": (1_000_000, 4_000_000, 8_000_000), "small": (200_000, 400_000)}
CHANGES = 10_000
RECENT_DAYS = 3
GROWTH_BAR = 1.4
SEED = 7


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether recent keys cost the same in a table eight times as large."""
    sizes = SIZES[scale]
    for count in sizes:
        prepare(Case(f"grow {count:,} orders", "benchmarks.grow:orders_lake", {"count": count}))
        prepare(Case(f"plain table of {count:,}", "benchmarks.upsert:plain_table", {"count": count}))
    figures: dict[tuple[str, str, int], Figure] = {}
    for spread in ("recent", "uniform"):
        for name, target in (("aura", "aura"), ("deltalake MERGE", "merge")):
            cases = [_case(name, target, spread, count) for count in sizes]
            found = measure(cases, rounds=3 if spread == "recent" else 1)
            figures.update({(name, spread, n): figure for n, figure in zip(sizes, found, strict=True)})
    if spark:
        for spread in ("recent", "uniform"):
            found = measure([_case("Spark MERGE", "spark", spread, count) for count in sizes], rounds=1)
            figures.update({("Spark MERGE", spread, n): figure for n, figure in zip(sizes, found, strict=True)})
    least, most = (figures["aura", "recent", n] for n in (sizes[0], sizes[-1]))
    checks = [Check("recent keys, largest table to smallest", most.cpu_seconds / least.cpu_seconds, GROWTH_BAR)]
    return Report(f"{CHANGES:,} changes into tables of orders", list(figures.values()), checks)


def _case(name: str, target: str, spread: str, count: int) -> Case:
    module = "benchmarks.spark_merge:merge" if target == "spark" else f"benchmarks.upsert:{target}"
    return Case(f"{name}, {spread} keys, {count:,}", module, {"count": count, "spread": spread})


def aura(stopwatch: Stopwatch, count: int, spread: str) -> dict[str, Any]:
    """Judge and fold a landed batch; the fold alone is a fact. Warmed up by the batch before it."""
    import time

    from aura_lake.steps.fold import fold
    from aura_lake.steps.judge import judge
    from aura_lake.steps.land import land
    from benchmarks.grow import copy_of, grown, open_copy

    home = copy_of(grown(count), f"upsert-{count}")
    lake = open_copy(home)
    contract = lake.contract("orders")
    for seed in (SEED - 1, SEED):
        path = home / "landing" / "orders" / f"changes-{seed}.jsonl.gz"
        write_changes(path, seed, CHANGES, days(count, spread), last_day(count))
        land(lake, lake.shop.feeds["orders"])
        if seed < SEED:
            judge(lake, contract)
            fold(lake, contract)
    with stopwatch:
        judged = judge(lake, contract)
        before = time.process_time()
        folded = fold(lake, contract)
        fold_seconds = time.process_time() - before
    assert judged.verdicts == {"valid": CHANGES}, judged.verdicts
    return {"fold CPU s": fold_seconds, "partitions": folded.buckets, "keys": folded.keys}


def days(count: int, spread: str) -> range:
    """The days whose orders are changed."""
    newest = last_day(count)
    return range(newest - RECENT_DAYS + 1, newest + 1) if spread == "recent" else range(newest + 1)


def plain_table(stopwatch: Stopwatch, count: int) -> None:
    """The current rows as a plain Delta table partitioned by day, for the peers."""
    import polars as pl
    from deltalake import write_deltalake

    from benchmarks.grow import grown, open_copy

    target = bench_home() / "data" / f"plain-orders-{count}"
    if (target / "_delta_log").is_dir():
        return
    lake = open_copy(grown(count))
    rows = lake.current(lake.contract("orders")).scan().drop("_has_newer_in_quarantine")
    for some in rows.rename({"_bucket": "day"}).collect_batches(chunk_size=1_000_000, maintain_order=True):
        write_deltalake(target, some.to_arrow(), mode="append", partition_by=["day"])
    assert pl.scan_delta(str(target)).select(pl.len()).collect().item() == count


def changes(count: int, spread: str) -> Any:
    """The changes as a frame that is ready to merge: the table's columns and `op`."""
    import polars as pl

    path = fresh("upsert-changes") / "changes.jsonl.gz"
    write_changes(path, SEED, CHANGES, days(count, spread), last_day(count))
    envelopes = pl.read_ndjson(path)
    row = pl.when(pl.col("op") == "d").then("before").otherwise("after")
    rows = envelopes.select("op", row=row).unnest("row")
    stamp = pl.Datetime("us", "UTC")
    typed = rows.select(
        "op",
        "order_id",
        "user_id",
        pl.col("status").alias("order_status"),
        pl.col("created_at").str.to_datetime(time_unit="us", time_zone="UTC").cast(stamp).alias("ordered_at"),
        pl.col("updated_at").str.to_datetime(time_unit="us", time_zone="UTC").cast(stamp),
        pl.col("order_amount").cast(pl.Decimal(18, 4)),
        "currency",
        "region",
    )
    return typed.with_columns(day=pl.col("ordered_at").dt.strftime("%Y-%m-%d"))


def touched_days(count: int, spread: str) -> list[str]:
    """The partitions a merge names: the changed days and the day after, where the new orders are."""
    newest = last_day(count)
    return [f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for day in [*days(count, spread), newest + 1]]


def merge(stopwatch: Stopwatch, count: int, spread: str) -> dict[str, Any]:
    """deltalake's MERGE on the key, the touched days as literals."""
    import shutil

    from deltalake import DeltaTable

    target = fresh("upsert-merge")
    shutil.copytree(plain_path(count), target, dirs_exist_ok=True, copy_function=_link)
    source = changes(count, spread).to_arrow()
    literals = ", ".join(f"'{day}'" for day in touched_days(count, spread))
    table = DeltaTable(target)
    columns = [name for name in source.column_names if name != "op"]
    with stopwatch:
        merged = (
            table.merge(
                source, f"t.order_id = s.order_id and t.day in ({literals})", source_alias="s", target_alias="t"
            )
            .when_matched_delete(predicate="s.op = 'd'")
            .when_matched_update({name: f"s.{name}" for name in columns}, predicate="s.op = 'u'")
            .when_not_matched_insert({name: f"s.{name}" for name in columns}, predicate="s.op = 'c'")
            .execute()
        )
    return {
        "keys": merged["num_target_rows_updated"]
        + merged["num_target_rows_deleted"]
        + merged["num_target_rows_inserted"]
    }


def plain_path(count: int) -> Path:
    """Where the peers' table stands."""
    return bench_home() / "data" / f"plain-orders-{count}"


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
