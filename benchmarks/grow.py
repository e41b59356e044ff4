"""A lake with millions of orders, made from one real day: its log, history and current rows are written again
for each other day, a batch of the log at a time, as landing, judging and folding those days would have left them.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl

from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LOG
from benchmarks.orders import FIRST_DAY, ORDERS_PER_DAY, order_id, write_creates
from benchmarks.places import bench_home, fresh
from benchmarks.stopwatch import Stopwatch

DAYS_PER_BATCH = 20


def orders_lake(stopwatch: Stopwatch, count: int) -> None:
    """The lake of `count` orders, made once."""
    home = grown(count)
    if home.is_dir():
        return
    building = fresh(f"building-orders-{count}")
    _grow(building, count)
    home.parent.mkdir(parents=True, exist_ok=True)
    building.rename(home)


def grown(count: int) -> Path:
    """Where the lake of `count` orders stands."""
    return bench_home() / "data" / f"orders-{count}"


def copy_of(count: int, name: str) -> Path:
    """A copy to change, of links: a table's files never change once they stand."""
    target = fresh(name)
    shutil.copytree(grown(count), target, copy_function=_link, dirs_exist_ok=True)
    return target


def last_day(count: int) -> int:
    """The newest day of the lake of `count` orders."""
    return count // ORDERS_PER_DAY - 1


def _link(source: str, target: str) -> None:
    if Path(source).suffix == ".duckdb":  # a database is changed in place
        shutil.copy2(source, target)
    else:
        Path(target).hardlink_to(source)


def _grow(home: Path, count: int) -> None:
    from aura_lake.steps.fold import fold
    from aura_lake.steps.judge import judge
    from aura_lake.steps.land import land
    from benchmarks.lakes import open_lake

    write_creates(home / "landing" / "day-0.jsonl.gz", range(1))
    lake = open_lake(home, {"ORDERS": home / "landing"})
    contract = lake.contract("orders")
    land(lake, lake.shop.feeds["orders"])
    judge(lake, contract)
    fold(lake, contract)
    for table in (lake.log(contract), lake.history(contract), lake.current(contract)):
        _repeat(table, count // ORDERS_PER_DAY)


def _repeat(table: LakeTable, days: int) -> None:
    numbers = pl.DataFrame({"n": range(ORDERS_PER_DAY)}).with_columns(order_id=order_id(pl.col("n")))
    first = table.scan().collect().join(numbers, on="order_id")
    for batch, begin in enumerate(range(1, days, DAYS_PER_BATCH), start=1):
        with Commit(table) as commit:
            for day in range(begin, min(begin + DAYS_PER_BATCH, days)):
                commit.add(_moved(first, day, batch).select(list(table.layout.columns)))
            commit.publish({LOG: (batch - 1, batch)}, metadata={"benchmark": "a day repeated"})


def _moved(first: pl.DataFrame, day: int, batch: int) -> pl.DataFrame:
    """The rows of day 0, numbered `n`, as those of `day`."""
    date = FIRST_DAY + timedelta(days=day)
    number = pl.col("n") + day * ORDERS_PER_DAY
    moved = {
        "order_id": order_id(number),
        "_lsn": number + 1,
        "object": pl.lit(f"day-{day}.jsonl.gz"),
        "etag": pl.lit(f"day-{day}"),
        "log_batch": pl.lit(batch, pl.Int64),
        "log_period": pl.lit(f"{date:%Y-%m}"),
        "_bucket": pl.lit(f"{date:%Y-%m-%d}"),
    }
    times = [name for name, dtype in first.schema.items() if dtype.is_temporal() and name != "landed_at"]
    return first.with_columns(
        pl.col(times).dt.offset_by(f"{day}d"), **{name: value for name, value in moved.items() if name in first.columns}
    )
