"""A real connector's records, framed as Avro, become the rows that their JSON twins become."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract
from aura_lake.ledger.count import count
from tests.changes import column, things
from tests.connect_avro import AvroConverter
from tests.framed import FramedLake
from tests.recordings import Recording, local_server, recording, shop_of, silver_name
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


def values_of(told: Recording, table: str) -> list[dict[str, Any] | None]:
    """The records of the one partition that is longest, in their order: both lakes have one lane."""
    partitions: dict[tuple[str, int], list[dict[str, Any] | None]] = {}
    for record in told.records_of(table):
        lane = partitions.setdefault((record["topic"], record["partition"]), [])
        lane.append(None if record["value"] is None else json.loads(record["value"]))
    return max(partitions.values(), key=len)


@pytest.mark.parametrize(
    ("table", "count_at_least"),
    [("customers", 60), ("orders", 25), ("order_items", 1_800), ("inventory", 10), ("carts", 10), ("events", 10)],
)
def test_recorded_changes_framed_as_avro_are_judged_like_their_json_twins(
    shared_data: Path, tmp_path: Path, table: str, count_at_least: int
) -> None:
    told = recording(shared_data, "b_schema_precise")
    shop = shop_of(told, tmp_path / "shop", local_server(tmp_path), [table])
    records = values_of(told, table)
    as_json, as_avro = in_both_forms(tmp_path, shop.contracts[silver_name(told, table)], records)
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
