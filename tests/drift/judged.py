"""Records judged without a lake: what every table of a feed makes of them, unit by unit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Format, Shop
from aura_lake.contracts.judge import Judge
from aura_lake.layouts import POSITION, UTC_MICROS, table_columns
from aura_lake.privacy.hash import hash_values
from aura_lake.privacy.key import HashKey

KEY = HashKey(b"a key that only tests hash with, 32 bytes or more")
LANDED = datetime(2026, 1, 1, tzinfo=UTC)


def judge(shop: Shop, feed: str, records: Sequence[Any]) -> dict[str, pl.DataFrame]:
    """By table: position, verdict and the table's columns of every unit, in order."""
    frame, headers = _bronze(records, shop.feeds[feed].format)
    found = {}
    for contract in shop.readers(feed):
        judged = Judge(contract, shop, lambda values: hash_values(values, KEY))(frame, headers)
        columns = ["ordinal", "verdict", *(c for c in table_columns(contract) if c not in ("ordinal", "verdict"))]
        found[contract.table] = judged.sort("ordinal").select(columns)
    return found


def _bronze(records: Sequence[Any], format: Format) -> tuple[pl.DataFrame, pl.DataFrame]:
    objects = [_names(record) for record in records] if format is Format.CSV else ["all"] * len(records)
    known = {names: f"object{number}" for number, names in enumerate(dict.fromkeys(objects))}
    rows = {
        "topic": [None] * len(records),
        "partition": [None] * len(records),
        "offset": [None] * len(records),
        "object": [known[names] for names in objects],
        "etag": ["e"] * len(records),
        "ordinal": list(range(len(records))),
        "byte_offset": [None] * len(records),
        "landed_at": [LANDED] * len(records),
        "batch": [0] * len(records),
        "key": [None] * len(records),
        "headers": [None] * len(records),
        "value": [_bytes(record, format) for record in records],
        "value_hash": [None] * len(records),
    }
    types = {**POSITION, "byte_offset": pl.Int64(), "landed_at": UTC_MICROS, "batch": pl.Int64(), "key": pl.Binary()}
    schema = {**types, "headers": pl.String(), "value": pl.Binary(), "value_hash": pl.String()}
    headers = pl.DataFrame(
        {"object": list(known.values()), "etag": ["e"] * len(known), "header": [names.encode() for names in known]},
        schema={"object": pl.String, "etag": pl.String, "header": pl.Binary},
    )
    return pl.DataFrame(rows, schema=schema), headers


def _names(record: dict[str, Any]) -> str:
    return _line(list(record))


def _bytes(record: Any, format: Format) -> bytes:
    return _line(list(record.values())).encode() if format is Format.CSV else json.dumps(record).encode()


def _line(fields: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
