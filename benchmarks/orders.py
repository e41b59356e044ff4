"""Seeded changes of a shop's orders as Debezium envelopes: the same number of orders a day, numbered through.

Order n was placed on day n // ORDERS_PER_DAY. Everything of it follows from its number.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.json_text import json_object, money, quoted, uuid, words

ORDERS_PER_DAY = 25_000
LINES_PER_ORDER = 2
FIRST_DAY = datetime(2024, 1, 1)
STATUSES: list[str | None] = ["created", "approved", "shipped", "delivered", "cancelled"]
_REGIONS: list[str | None] = ["Northeast", "Midwest", "South", "West"]

#: A batch of changes: what PERFORMANCE.md measured merges with.
SHARES = {"u": 0.80, "c": 0.15, "d": 0.05}

Numbers = npt.NDArray[np.int64]


def write_creates(path: Path, days: range) -> None:
    """The orders of some days as they were created."""
    numbers = np.arange(days.start * ORDERS_PER_DAY, days.stop * ORDERS_PER_DAY)
    _write(path, pl.DataFrame({"n": numbers, "op": "c", "lsn": numbers + 1, "status": 0}), _order(), committed=None)


def write_lines(path: Path, numbers: Numbers, first_lsn: int = 1) -> None:
    """The lines of some orders as they were created with them."""
    lines = np.repeat(numbers, LINES_PER_ORDER)
    frame = pl.DataFrame({"n": lines, "op": "c", "lsn": first_lsn + np.arange(len(lines))})
    frame = frame.with_columns(line=pl.int_range(pl.len()) % LINES_PER_ORDER + 1)
    _write(path, frame, _line(), committed=None)


def write_changes(path: Path, seed: int, count: int, days: Sequence[int], last_day: int) -> Numbers:
    """`count` changes of distinct orders of `days`; the new ones among them were placed the day after
    `last_day`, and are returned. All were committed on the evening of that day, after everything that stands."""
    chance = np.random.default_rng([seed, count])
    created = round(count * SHARES["c"])
    deleted = round(count * SHARES["d"])
    standing = chance.choice(len(days) * ORDERS_PER_DAY, count - created, replace=False)
    numbers = np.asarray(days)[standing // ORDERS_PER_DAY] * ORDERS_PER_DAY + standing % ORDERS_PER_DAY
    new = (last_day + 1) * ORDERS_PER_DAY + np.arange(created) + seed * created
    changes = pl.DataFrame(
        {
            "n": np.concatenate([numbers, new]),
            "op": ["d"] * deleted + ["u"] * (count - created - deleted) + ["c"] * created,
            "lsn": 10**12 + seed * 10**6 + np.arange(count),
            "status": chance.integers(1, len(STATUSES), count),
        }
    )
    _write(path, changes[chance.permutation(count)], _order(last_day + 1), committed=last_day + 1)
    return new


def last_day(count: int) -> int:
    """The newest day of the lake of `count` orders."""
    return count // ORDERS_PER_DAY - 1


def order_id(number: pl.Expr) -> pl.Expr:
    """The key of an order: different for each number below ten million, and in no order."""
    return uuid(number * 982_451_653 % 10**15)


def _write(path: Path, changes: pl.DataFrame, row: dict[str, pl.Expr], committed: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = changes.select(_envelope(row, committed).alias("change"))["change"].to_list()
    with gzip.open(path, "wb", compresslevel=6) as stream:
        stream.write(("\n".join(lines) + "\n").encode())


def _moment(day: int | None) -> pl.Expr:
    """When the order was placed; or the evening of `day`."""
    if day is None:
        seconds = pl.col("n") % ORDERS_PER_DAY * 3
        return pl.lit(FIRST_DAY) + pl.duration(days=pl.col("n") // ORDERS_PER_DAY, seconds=seconds)
    return pl.lit(FIRST_DAY) + pl.duration(days=day, hours=23)


def _order(updated: int | None = None) -> dict[str, pl.Expr]:
    stamp = "%Y-%m-%dT%H:%M:%S.%6fZ"
    return {
        "order_id": quoted(order_id(pl.col("n"))),
        "user_id": quoted(uuid(pl.col("n") * 7_919 % 1_000_003)),
        "status": quoted(words(pl.col("status"), STATUSES)),
        "created_at": quoted(_moment(None).dt.strftime(stamp)),
        "updated_at": quoted(_moment(updated).dt.strftime(stamp)),
        "order_amount": quoted(money(pl.col("n") * 7_907 % 90_000 + 1_000)),
        "currency": pl.lit('"USD"'),
        "region": quoted(words(pl.col("n") % 4, _REGIONS)),
    }


def _line() -> dict[str, pl.Expr]:
    return {
        "order_id": quoted(order_id(pl.col("n"))),
        "line_number": pl.col("line"),
        "product_id": pl.col("n") * 31 % 5_003 + pl.col("line"),
        "quantity": pl.col("n") % 3 + 1,
        "unit_price": quoted(money(pl.col("n") * 7_907 % 9_000 + 100)),
    }


def _envelope(row: dict[str, pl.Expr], committed: int | None) -> pl.Expr:
    image = json_object(row)
    key_alone = json_object({name: value if name == "order_id" else pl.lit("null") for name, value in row.items()})
    is_delete = pl.col("op") == "d"
    source = {
        "connector": pl.lit('"postgresql"'),
        "ts_us": _moment(committed).dt.epoch("us"),
        "snapshot": pl.lit('"false"'),
        "schema": pl.lit('"public"'),
        "lsn": pl.col("lsn"),
    }
    return json_object(
        {
            "before": pl.when(is_delete).then(key_alone).otherwise(pl.lit("null")),
            "after": pl.when(is_delete).then(pl.lit("null")).otherwise(image),
            "source": json_object(source),
            "op": quoted(pl.col("op")),
            "ts_ms": _moment(committed).dt.epoch("ms"),
        }
    )
