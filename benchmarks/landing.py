"""Landing: 5M JSON events out of gzip objects into bronze, beside the best that a machine can do.

The floor is what no landing can do without: isal's gunzip, streamed, and one Binary column written as
Parquet with zstd-1. It cuts lines and knows no positions, no batches, no hashes and no commit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.events import event_objects
from benchmarks.measure import Case, Check, Report, measure
from benchmarks.places import fresh
from benchmarks.stopwatch import Stopwatch

SIZES = {"full": 5_000_000, "small": 500_000}
LINES_BAR, FIREHOSE_BAR, MEMORY_BAR_MB = 1.6, 3.5, 800


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether the bars of landing hold."""
    count = SIZES[scale]
    lines, firehose = (str(event_objects(count, form)) for form in ("lines", "firehose"))
    warm = str(event_objects(20_000, "lines"))
    cases = [
        Case("floor: isal, Parquet zstd-1", "benchmarks.landing:floor", {"folder": lines}),
        Case("aura land, lines", "benchmarks.landing:aura", {"folder": lines, "form": "lines"}),
        Case("aura land, Firehose", "benchmarks.landing:aura", {"folder": firehose, "form": "firehose"}),
    ]
    figures = measure(cases)
    if spark:
        peers = [
            Case(
                f"PySpark read.text, to {kind}", "benchmarks.spark:land", {"folder": lines, "warm": warm, "kind": kind}
            )
            for kind in ("parquet", "delta")
        ]
        figures += measure(peers, rounds=1)
    floor, by_line, joined = figures[:3]
    checks = [
        Check("CPU of lines to the floor", by_line.cpu_seconds / floor.cpu_seconds, LINES_BAR),
        Check("CPU of Firehose objects to the floor", joined.cpu_seconds / floor.cpu_seconds, FIREHOSE_BAR),
        Check("peak memory, MB", max(by_line.peak_mb, joined.peak_mb), MEMORY_BAR_MB),
    ]
    return Report(f"Landing {count:,} gzip JSON events into bronze", figures, checks)


def aura(stopwatch: Stopwatch, folder: str, form: str) -> dict[str, Any]:
    """Land a folder; warmed up by a small one, so that imports are not in it."""
    from aura_lake.steps.land import land
    from benchmarks.lakes import open_lake

    feed = {"lines": "events_lines", "firehose": "events_firehose"}[form]
    small = open_lake(fresh("landing-warm"), {feed.upper(): event_objects(20_000, form)})
    land(small, small.shop.feeds[feed])
    lake = open_lake(fresh("landing"), {feed.upper(): Path(folder)})
    with stopwatch:
        report = land(lake, lake.shop.feeds[feed])
    files = lake.bronze(feed).files()
    return {"rows": report.records, "commits": report.batches, "stored MB": round(files["size_bytes"].sum() / 1e6)}


def floor(stopwatch: Stopwatch, folder: str) -> dict[str, Any]:
    """Gunzip, cut at newlines, write the lines."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = fresh("landing-floor") / "lines.parquet"
    schema = pa.schema([("value", pa.large_binary())])
    pa.table({"value": pa.array([b"warm"], pa.large_binary())}).filter(pa.array([True]))
    rows = 0
    with stopwatch:
        options = {"compression": "zstd", "compression_level": 1, "use_dictionary": False, "write_statistics": False}
        with pq.ParquetWriter(target, schema, **options) as writer:
            for path in sorted(Path(folder).iterdir()):
                for lines in _lines(path):
                    writer.write_batch(pa.record_batch([lines], schema=schema), row_group_size=65_536)
                    rows += len(lines)
    return {"rows": rows, "stored MB": round(target.stat().st_size / 1e6)}


def _lines(path: Path) -> Any:
    """Lines of a gzip object as Arrow arrays: newlines found by NumPy and deleted by `bytes.replace`."""
    import numpy as np
    import pyarrow as pa
    from isal import igzip

    rest = b""
    with igzip.open(path) as stream:
        while block := stream.read(512 * 1024):
            cut = block.rfind(b"\n") + 1
            lines, rest = b"".join((rest, block[:cut])), block[cut:]
            ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == 0x0A)
            offsets = np.append(0, ends - np.arange(len(ends)))
            buffers = [None, pa.py_buffer(offsets), pa.py_buffer(lines.replace(b"\n", b""))]
            yield pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends), buffers)
