"""A real connector's records, laid down as files, end in the rows that PostgreSQL held.

Four configurations of Debezium, with redeliveries after a SIGKILL, key changes together with unchanged TOAST
and across partitions, deletes and inserts in one transaction, truncates, interleaved transactions, an
incremental snapshot and a partitioned table inside. The oracle is a dump of PostgreSQL itself.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract
from aura_lake.ledger.count import count
from tests.changes import column, things
from tests.small_lake import SmallLake

KEYS = {
    "customers": ("id",),
    "order_items": ("order_id", "line_no"),
    "inventory": ("sku",),
    "carts": ("id",),
    "cart_lines": ("id",),
    "events": ("id", "day"),
}

#: Rows that the wire cannot carry as PostgreSQL held them: numeric NaN and Infinity are null in precise mode.
NOT_FINITE = {"NaN", "Infinity", "NAN", "POSITIVE_INFINITY", None}


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    folder = shared_data / "debezium_recorded"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDINGS: {folder} is missing; this test proves nothing here")
    return folder


def final_rows(
    recorded: Path, configuration: str, table: str
) -> tuple[list[dict[str, Any]], list[dict[str, str | None]]]:
    """The columns of a table with their types, and its rows as text, as PostgreSQL dumped them."""
    with gzip.open(recorded / configuration / "final" / f"{table}.jsonl.gz", "rt") as lines:
        head, *rows = (json.loads(line) for line in lines)
    return head["_columns"], rows


def column_of(name: str, kind: str, key: tuple[str, ...]) -> Column:
    """A column of the type that PostgreSQL gave; `score` has 39 digits in one row, so it is text."""
    position = key.index(name) + 1 if name in key else None
    made = column(name, physical_type=kind, key_position=position)
    if kind in ("bigint", "integer"):
        return replace(made, dtype=pl.Int64(), logical_type="integer")
    if kind == "boolean":
        return replace(made, dtype=pl.Boolean(), logical_type="boolean")
    if exact := re.fullmatch(r"numeric\((\d+),(\d+)\)", kind):
        return replace(made, dtype=pl.Decimal(int(exact[1]), int(exact[2])), logical_type="number")
    if kind == "date":
        return replace(made, dtype=pl.Date(), logical_type="date")
    if kind.startswith("timestamp"):
        return replace(made, dtype=pl.Datetime("us", "UTC"), logical_type="timestamp", physical_type="timestamptz(6)")
    return made


def contract_of(recorded: Path, configuration: str, table: str) -> Contract:
    told, _ = final_rows(recorded, configuration, table)
    columns = tuple(column_of(c["name"], c["type"], KEYS[table]) for c in told if not c["type"].endswith("[]"))
    decimals = "string" if "precise" not in configuration else "precise"
    if configuration == "d_unwrap_rewrite":
        decimals = "string"
    return things(columns=columns, decimals=decimals)


def partitions(recorded: Path, configuration: str, table: str) -> Iterator[tuple[str, list[bytes]]]:
    """The values of each partition of each topic of the table, in their order; a tombstone is a `null`."""
    found: dict[str, list[bytes]] = {}
    with gzip.open(recorded / configuration / "records.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            topic = record["topic"].removeprefix("shop.public.")
            if topic == table or (table == "events" and topic.startswith("events_")):
                values = found.setdefault(f"{topic}/{record['partition']}", [])
                values.append(b"null" if record["value"] is None else record["value"].encode())
    yield from found.items()


def as_text(value: Any) -> str | Decimal | None:
    """A value of silver as PostgreSQL prints it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0").rstrip(".") + "+00"
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


@pytest.mark.parametrize(
    ("configuration", "table"),
    [
        *(
            (name, "customers")
            for name in ("a_json_precise", "b_schema_precise", "c_string_isostring", "d_unwrap_rewrite")
        ),
        *(("a_json_precise", name) for name in ("inventory", "carts", "cart_lines", "events")),
        ("c_string_isostring", "order_items"),
    ],
)
def test_a_real_connectors_records_end_in_the_rows_of_postgresql(
    recorded: Path, tmp_path: Path, configuration: str, table: str
) -> None:
    contract = contract_of(recorded, configuration, table)
    lake = SmallLake(tmp_path, contract)
    pieces = list(partitions(recorded, configuration, table))
    for late in (True, False):  # the second half of each partition comes first
        for name, values in pieces:
            half = len(values) // 2
            lake.put(f"{name}/{int(late)}.jsonl.gz", *(values[half:] if late else values[:half]))
        lake.run()
    _, expected = final_rows(recorded, configuration, table)
    names = [c.name for c in contract.columns]
    held = {tuple(as_text(row[names.index(k)]) for k in KEYS[table]): row for row in lake.rows()}
    wanted = {tuple(row[k] for k in KEYS[table]): row for row in expected}
    assert held.keys() == wanted.keys()
    for key, row in held.items():
        for name, value in zip(names, row, strict=True):
            if wanted[key][name] in NOT_FINITE:
                assert value in NOT_FINITE
            else:
                assert as_text(value) == wanted[key][name], (key, name)
    assert lake.held() == []
    assert lake.broken_rules() == []
    assert count(lake.lake).balanced
