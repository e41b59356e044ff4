"""The files of the shop: where they lie, how they are named, how they are written.

Changes: `cdc/aura.public.<table>/YYYY/MM/DD/part-000NN.jsonl.gz`, one JSON a line; NN is
the hour of the day at which the object was closed, 00 the snapshot. Clicks: as Amazon
Data Firehose names and fills its objects, JSON after JSON without a newline.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from aura_lake.simulate.chance import stream, uuid_text
from aura_lake.simulate.clock import HOUR_US, day_of

CDC_PREFIX = "cdc"
CLICK_PREFIX = "firehose/clickstream"
_GZIP = 31  #: zlib's window bits for a gzip wrapper; its header has no time


def change_object(table: str, hour: int, closes: int) -> str:
    """Name of an object of changes of the day of `hour`, closed at hour `closes` of it."""
    day = day_of(hour * HOUR_US)
    return f"{CDC_PREFIX}/aura.public.{table}/{day:%Y/%m/%d}/part-{closes:05d}.jsonl.gz"


def click_object(seed: int, hour: int) -> str:
    """Name of the object that Firehose delivers for the clicks that arrived in `hour`."""
    chance = stream(seed, f"object:{hour}")
    day = day_of(hour * HOUR_US)
    minute, second = int(chance.random() * 3), int(chance.random() * 60)
    at = f"{hour % 24:02d}-{minute:02d}-{second:02d}"
    return (
        f"{CLICK_PREFIX}/{day:%Y/%m/%d}/{hour % 24:02d}/aura-clickstream-1-{day:%Y-%m-%d}-{at}-{uuid_text(chance)}.gz"
    )


def write_object(out: Path, name: str, text: str) -> int:
    """Writes an object whole or not at all; its size on disk in bytes.

    It is written beside its place as `<name>.tmp` and then renamed.
    """
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    data = packer.compress(text.encode()) + packer.flush()
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
    return len(data)
