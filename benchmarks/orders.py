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
FIRST_DAY = datetime(2024, 1, 1)
STATUSES: list[str | None] = ["created", "approved", "shipped", "delivered", "cancelled"]
_REGIONS: list[str | None] = ["Northeast", "Midwest", "South", "West"]
_FIELDS = ("order_id", "user_id", "status", "created_at", "updated_at", "order_amount", "currency", "region")

#: A batch of changes: what PERFORMANCE.md measured merges with.
SHARES = {"u": 0.80, "c": 0.15, "d": 0.05}

Numbers = npt.NDArray[np.int64]


def write_creates(path: Path, days: range) -> None:
    """The orders of some days as they were created."""
    numbers = np.arange(days.start * ORDERS_PER_DAY, days.stop * ORDERS_PER_DAY)
    _write(path, pl.DataFrame({"n": numbers, "op": "c", "lsn": numbers + 1, "status": 0}))


def write_changes(path: Path, seed: int, count: int, days: Sequence[int], last_day: int) -> None:
    """`count` changes of distinct orders of `days`; the created ones are new, placed on the last of them.
    All of them were committed on the evening of `last_day`, after everything that stands."""
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
    _write(path, changes[chance.permutation(count)], committed=last_day)


def order_id(number: pl.Expr) -> pl.Expr:
    """The key of an order: different for each number below ten million, and in no order."""
    return uuid(number * 982_451_653 % 10**15)


def _write(path: Path, changes: pl.DataFrame, committed: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = changes.select(_envelope(committed).alias("change"))["change"].to_list()
    with gzip.open(path, "wb", compresslevel=6) as stream:
        stream.write(("\n".join(lines) + "\n").encode())


def _envelope(committed: int | None) -> pl.Expr:
    ordered = pl.lit(FIRST_DAY) + pl.duration(
        days=pl.col("n") // ORDERS_PER_DAY, seconds=pl.col("n") % ORDERS_PER_DAY * 3
    )
    told = ordered if committed is None else pl.lit(FIRST_DAY) + pl.duration(days=committed, hours=23)
    stamp = "%Y-%m-%dT%H:%M:%S.%6fZ"
    row = {
        "order_id": quoted(order_id(pl.col("n"))),
        "user_id": quoted(uuid(pl.col("n") * 7_919 % 1_000_003)),
        "status": quoted(words(pl.col("status"), STATUSES)),
        "created_at": quoted(ordered.dt.strftime(stamp)),
        "updated_at": quoted(told.dt.strftime(stamp)),
        "order_amount": quoted(money(pl.col("n") * 7_907 % 90_000 + 1_000)),
        "currency": pl.lit('"USD"'),
        "region": quoted(words(pl.col("n") % 4, _REGIONS)),
    }
    image = json_object({name: row[name] for name in _FIELDS})
    key_alone = json_object({name: row[name] if name == "order_id" else pl.lit("null") for name in _FIELDS})
    is_delete = pl.col("op") == "d"
    source = {
        "connector": pl.lit('"postgresql"'),
        "ts_us": told.dt.epoch("us"),
        "snapshot": pl.lit('"false"'),
        "schema": pl.lit('"public"'),
        "table": pl.lit('"orders"'),
        "lsn": pl.col("lsn"),
    }
    return json_object(
        {
            "before": pl.when(is_delete).then(key_alone).otherwise(pl.lit("null")),
            "after": pl.when(is_delete).then(pl.lit("null")).otherwise(image),
            "source": json_object(source),
            "op": quoted(pl.col("op")),
            "ts_ms": told.dt.epoch("ms"),
        }
    )
