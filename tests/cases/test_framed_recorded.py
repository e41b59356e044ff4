"""A real connector's records, framed as Avro, become the rows that their JSON twins become."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract
from aura_lake.ledger.count import count
from tests.cases.test_cdc_recorded import column_of, final_rows
from tests.changes import column, things
from tests.connect_avro import AvroConverter
from tests.framed import FramedLake
from tests.registry_server import registry_server
from tests.small_lake import SmallLake

#: What tells one record from another, and nothing of where it lay.
POSITIONS = ("topic", "partition", "offset", "object", "etag", "ordinal", "part", "byte_offset", "landed_at")
NUMBERS = ("feed_batch", "log_batch", "judgement")


def in_both_forms(folder: Path, contract: Contract, records: list[dict[str, Any] | None]) -> tuple[pl.DataFrame, ...]:
    """The log of the records as JSON, and that of their framed twins; without positions, in their order."""
    convert = AvroConverter()
    framed = [None if record is None else convert(record) for record in records]
    as_json = SmallLake(folder / "json", contract).arrive("1.jsonl", *records)
    with registry_server() as server:
        for id_, schema in convert.schemas.items():
            server.add(id_, json.loads(schema.text))
        as_avro = FramedLake(folder / "avro", contract, server.url).send(*framed).run()
    assert as_avro.verdicts() == as_json.verdicts()
    if contract.key:
        assert as_avro.rows() == as_json.rows()
        assert as_avro.rebuild_is_equal(), "the registry is gone, and the lake kept its schemas"
    assert count(as_avro.lake).problems() == []
    logs = (as_json.log(), as_avro.log())
    columns = [name for name in logs[0].columns if name not in POSITIONS + NUMBERS]
    return tuple(log.select(columns) for log in logs)


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    folder = shared_data / "debezium_recorded" / "b_schema_precise"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDINGS: {folder} is missing; this test proves nothing here")
    return folder


def values_of(folder: Path, table: str) -> Iterator[dict[str, Any] | None]:
    """The records of the one partition that is longest, in their order: both lakes have one lane."""
    partitions: dict[int, list[dict[str, Any] | None]] = {}
    with gzip.open(folder / "records.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            if record["topic"] == f"shop.public.{table}":
                value = None if record["value"] is None else json.loads(record["value"])
                partitions.setdefault(record["partition"], []).append(value)
    return iter(max(partitions.values(), key=len))


def typed_column(name: str, kind: str, key: tuple[str, ...]) -> Column:
    """A column of PostgreSQL's type; arrays as JSON. (Of arrays of numerics the digits are read from Avro, and what
    JsonConverter wrote stays base64: they are not alike.)"""
    made = column_of(name, kind, key)
    if kind == "smallint":
        return replace(made, dtype=pl.Int64(), logical_type="integer")
    if kind in ("double precision", "real"):
        return replace(made, dtype=pl.Float64(), logical_type="number")
    return replace(made, logical_type="array") if kind.endswith("[]") else made


@pytest.mark.parametrize(
    ("table", "key", "count_at_least"),
    [
        ("customers", ("id",), 60),
        ("orders", ("id",), 25),
        ("order_items", ("order_id", "line_no"), 1_800),
        ("inventory", ("sku",), 10),
        ("carts", ("id",), 10),
        ("events", ("id", "day"), 10),
    ],
)
def test_recorded_changes_framed_as_avro_are_judged_like_their_json_twins(
    recorded: Path, tmp_path: Path, table: str, key: tuple[str, ...], count_at_least: int
) -> None:
    told, _ = final_rows(recorded.parent, recorded.name, table)
    columns = tuple(typed_column(each["name"], each["type"], key) for each in told if each["type"] != "numeric(10,4)[]")
    records = list(values_of(recorded, table))
    as_json, as_avro = in_both_forms(tmp_path, things(columns=columns), records)
    assert as_avro.equals(as_json)
    assert as_avro.height == len(records) >= count_at_least
    assert (as_avro["verdict"] == "valid").sum() > count_at_least / 2


def test_every_type_of_a_captured_mysql_table_is_judged_like_its_json_twin(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "debezium_captures/paimon/debezium-avro/table/schema/alltype/debezium-avro-data-1.txt"
    if not file.is_file():
        pytest.skip(f"NO CAPTURES: {file} is missing; this test proves nothing here")
    lines = [line for line in file.read_text().splitlines() if line.startswith("{")]
    records = [json.loads(line) for line in lines[1::2]]  # a key stands before each value
    fields = next(f for f in records[0]["schema"]["fields"] if f["field"] == "after")["fields"]
    assert len(fields) > 60
    columns = [column(field["field"], key_position=1 if field["field"] == "_id" else None) for field in fields]
    typed = [_typed(field, made) for field, made in zip(fields, columns, strict=True)]
    as_json, as_avro = in_both_forms(tmp_path, things(columns=tuple(typed)), records)
    assert as_avro.equals(as_json)
    assert as_avro["verdict"].to_list() == ["valid"] * len(records)


def _typed(field: dict[str, Any], made: Column) -> Column:
    """A column of the type that the wire's schema speaks of."""
    kind = field["type"]
    if kind in ("int8", "int16", "int32", "int64"):
        return replace(made, dtype=pl.Int64(), logical_type="integer")
    if kind in ("float", "double"):
        return replace(made, dtype=pl.Float64(), logical_type="number")
    if kind == "boolean":
        return replace(made, dtype=pl.Boolean(), logical_type="boolean")
    return made if kind == "string" else replace(made, logical_type="object", physical_type="json")
