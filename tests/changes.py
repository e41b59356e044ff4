"""Small change feeds for tests: Debezium envelopes as lines, and the contract that reads them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Column, Contract, Feed, Format, Kind

SECOND = 1_000_000


def column(name: str, dtype: pl.DataType | None = None, logical: str = "string", **more: Any) -> Column:
    """A column whose producer's field has its own name."""
    return Column(name, dtype or pl.String(), logical, **{"source": name, **more})


def things(**more: Any) -> Contract:
    """A table of changes: key `id`, text `word`, whole number `size`."""
    columns = (
        column("id", key_position=1),
        column("word"),
        column("size", pl.Int64(), "integer"),
    )
    return Contract(**{"table": "things", "kind": Kind.CDC, "feed": "things", "columns": columns, **more})


def change(
    op: str,
    lsn: int | None,
    key: str | None,
    word: str | None = None,
    size: int | None = None,
    *,
    at: int | None = None,
    snapshot: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """An envelope; `at` seconds after 1970 is its commit time (default: its LSN)."""
    row = None if key is None else {"id": key, "word": word, "size": size}
    seconds = at if at is not None else (lsn or 0)
    source = {"lsn": lsn, "ts_ms": seconds * 1000, "snapshot": "true" if snapshot else "false", "table": "things"}
    image = {"before": row, "after": None} if op == "d" else {"before": None, "after": row if op != "t" else None}
    return {**image, "source": source, "op": op, "ts_ms": seconds * 1000, **more}


def write_lines(folder: Path, name: str, values: Iterable[Mapping[str, Any] | bytes | None]) -> Path:
    """A JSON Lines object of these values (bytes stand as they are)."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    data = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def feed(folder: Path, name: str = "things", format: Format = Format.JSONL) -> Feed:
    """A feed over a folder."""
    return Feed(name, str(folder), format)
