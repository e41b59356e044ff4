"""A lake with millions of orders, made from one real day: its log, history and current rows are written again
for each other day, a batch of the log at a time, as landing, judging and folding those days would have left them.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LOG
from aura_lake.lake import Lake
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.placement import buckets_of
from benchmarks.lakes import open_lake
from benchmarks.orders import FIRST_DAY, LINES_PER_ORDER, ORDERS_PER_DAY, order_id, write_creates, write_lines
from benchmarks.places import bench_home, fresh
from benchmarks.stopwatch import Stopwatch

DAYS_PER_BATCH = 20


def orders_lake(stopwatch: Stopwatch, count: int) -> None:
    """The lake of `count` orders, made once."""
    if grown(count).is_dir():
        return
    home = fresh(f"building-orders-{count}")
    write_creates(home / "landing" / "orders" / "day-0.jsonl.gz", range(1))
    _grow(home, "orders", count)
    _keep(home, grown(count))


def shop_lake(stopwatch: Stopwatch, count: int) -> None:
    """The lake of `count` orders and their lines, made once."""
    if grown(count, "shop").is_dir():
        return
    home = copy_of(grown(count), f"building-shop-{count}")
    write_lines(home / "landing" / "order_items" / "day-0.jsonl.gz", np.arange(ORDERS_PER_DAY))
    _grow(home, "order_items", count)
    _keep(home, grown(count, "shop"))


def _keep(building: Path, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    building.rename(home)


def grown(count: int, what: str = "orders") -> Path:
    """Where the lake of `count` orders stands; `shop`: with their lines."""
    return bench_home() / "data" / f"{what}-{count}"


def open_copy(home: Path) -> Lake:
    """The lake in `home` with its own landing folders."""
    feeds = {name.upper(): home / "landing" / name for name in ("orders", "order_items")}
    return open_lake(home, feeds)


def copy_of(standing: Path, name: str) -> Path:
    """A copy to change, of links: a table's files never change once they stand."""
    target = fresh(name)
    shutil.copytree(standing, target, copy_function=_link, dirs_exist_ok=True)
    return target


def _link(source: str, target: str) -> None:
    if Path(source).suffix == ".duckdb":  # a database is changed in place
        shutil.copy2(source, target)
    else:
        Path(target).hardlink_to(source)


def _grow(home: Path, table: str, count: int) -> None:
    lake = open_copy(home)
    contract = lake.contract(table)
    land(lake, lake.shop.feeds[contract.feed])
    judge(lake, contract)
    fold(lake, contract)
    for rows in (lake.log(contract), lake.history(contract), lake.current(contract)):
        _repeat(rows, contract, count // ORDERS_PER_DAY)


def _repeat(table: LakeTable, contract: Contract, days: int) -> None:
    numbers = pl.DataFrame({"n": range(ORDERS_PER_DAY)}).with_columns(order_id=order_id(pl.col("n")))
    first = table.scan().collect().join(numbers, on="order_id")
    for batch, begin in enumerate(range(1, days, DAYS_PER_BATCH), start=1):
        with Commit(table) as commit:
            for day in range(begin, min(begin + DAYS_PER_BATCH, days)):
                rows = _moved(first, day, batch)
                if "_bucket" in rows.columns:
                    rows = rows.with_columns(_bucket=buckets_of(rows, contract))
                commit.add(rows.select(list(table.layout.columns)))
            commit.publish({LOG: (batch - 1, batch)}, metadata={"benchmark": "a day repeated"})


def _moved(first: pl.DataFrame, day: int, batch: int) -> pl.DataFrame:
    """The rows of day 0, numbered `n`, as those of `day`."""
    date = FIRST_DAY + timedelta(days=day)
    number = pl.col("n") + day * ORDERS_PER_DAY
    moved = {
        "order_id": order_id(number),
        "_lsn": pl.col("_lsn") + day * ORDERS_PER_DAY * LINES_PER_ORDER,
        "object": pl.lit(f"day-{day}.jsonl.gz"),
        "etag": pl.lit(f"day-{day}"),
        "log_batch": pl.lit(batch, pl.Int64),
        "log_period": pl.lit(f"{date:%Y-%m}"),
    }
    times = [name for name, dtype in first.schema.items() if dtype.is_temporal() and name != "landed_at"]
    return first.with_columns(
        pl.col(times).dt.offset_by(f"{day}d"), **{name: value for name, value in moved.items() if name in first.columns}
    )
