"""Seeded click events in the shape of REES46's: about 250 bytes of JSON each, in order of time, one in twenty
delivered twice, as gzip objects with newlines between the records or without (Firehose)."""

from __future__ import annotations

import gzip
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.json_text import json_object, money, quoted, uuid, words
from benchmarks.places import bench_home

EVENTS_PER_DAY = EVENTS_PER_OBJECT = 500_000
FIRST_DAY = datetime(2019, 10, 1)
REDELIVERED = 0.05

#: What makes two events the same one.
IDENTITY = ("event_time", "event_type", "product_id", "user_id", "user_session")

_BRANDS = [None, "samsung", "apple", "xiaomi", "huawei", "lucente", "oppo", "bosch", "cordiant", "sony"]
_CODES = [
    None,
    "electronics.smartphone",
    "electronics.audio.headphone",
    "appliances.kitchen.refrigerators",
    "computers.notebook",
    "furniture.living_room.sofa",
    "apparel.shoes",
]
_SEPARATORS = {"lines": "\n", "firehose": ""}


def event_objects(count: int, form: str) -> Path:
    """A folder of gzip objects with `count` events; `form` is `lines` or `firehose`. Made once."""
    folder = bench_home() / "data" / f"events-{form}-{count}"
    if folder.is_dir():
        return folder
    building = folder.with_name(folder.name + ".building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    separator = _SEPARATORS[form]
    for number in range(-(-count // EVENTS_PER_OBJECT)):
        rows = min(EVENTS_PER_OBJECT, count - number * EVENTS_PER_OBJECT)
        text = separator.join(event_lines(number, rows).to_list()) + separator
        with gzip.open(building / f"events-{number:03d}.gz", "wb", compresslevel=6) as stream:
            stream.write(text.encode())
    building.rename(folder)
    return folder


def event_lines(number: int, rows: int) -> pl.Series:
    """The events of the object `number` as JSON; the same bytes each time."""
    chance = np.random.default_rng([2019, number])
    begin = FIRST_DAY + timedelta(days=number * EVENTS_PER_OBJECT / EVENTS_PER_DAY)
    sessions = chance.integers(0, 10**15, rows // 6 + 1)
    visits = sessions[chance.integers(0, len(sessions), rows)]
    events = pl.DataFrame(
        {
            "seconds": np.sort(chance.integers(0, 86_400 * EVENTS_PER_OBJECT // EVENTS_PER_DAY, rows)),
            "type": chance.choice(["view", "cart", "purchase"], rows, p=[0.94, 0.04, 0.02]),
            "product": 1_000_000 + (chance.pareto(1.2, rows) * 20_000).astype(np.int64) % 60_000_000,
            "category": 2_053_013_552_000_000_000 + chance.integers(0, 1_000, rows) * 1_234_567,
            "code": chance.integers(0, len(_CODES), rows),
            "brand": chance.integers(0, len(_BRANDS), rows),
            "cents": chance.integers(100, 250_000, rows),
            "user": 500_000_000 + visits % 90_000_000,
            "session": visits,
        }
    )
    is_again = chance.random(rows) < REDELIVERED
    source = np.maximum(np.arange(rows) - is_again, 0)
    return events[source].select(json_object(_members(begin)).alias("event")).to_series()


def _members(begin: datetime) -> dict[str, pl.Expr]:
    time = pl.lit(begin) + pl.duration(seconds="seconds")
    return {
        "event_time": quoted(time.dt.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "event_type": quoted(pl.col("type")),
        "product_id": pl.col("product"),
        "category_id": pl.col("category"),
        "category_code": quoted(words(pl.col("code"), _CODES)),
        "brand": quoted(words(pl.col("brand"), _BRANDS)),
        "price": money(pl.col("cents")),
        "user_id": pl.col("user"),
        "user_session": quoted(uuid(pl.col("session"))),
    }
