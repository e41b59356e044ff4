"""What a real Debezium recorded of a real PostgreSQL: its records, its final rows, and contracts for its tables.

The recordings lie outside the project and are read where they are. The contracts are drafted from the types that
PostgreSQL told, by the code that `aura source connect` drafts them with, so a table that is read from files and one
that is read from topics differ in their server alone. What a draft cannot know is added: the connector's settings, a
renamed column, a real text that equals the placeholder.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from aura_lake.contracts.contract import Shop
from aura_lake.contracts.load import load_shop
from aura_lake.source.drafts import TableDraft, draft_contracts
from aura_lake.source.facts import ColumnFacts, TableFacts, TableName, plain_type
from aura_lake.source.plan import PlannedTable

#: The folders of the recordings, with Debezium's decimal.handling.mode in each.
CONFIGURATIONS = {
    "a_json_precise": "precise",
    "b_schema_precise": "precise",
    "c_string_isostring": "string",
    "d_unwrap_rewrite": "string",
}

#: Tables by the name of their topic, with the primary key that schema.sql gives them.
KEYS = {
    "MixedCase_Tbl": ("Id",),
    "cart_lines": ("id",),
    "carts": ("id",),
    "coupons": ("code",),
    "customers": ("id",),
    "debezium_heartbeat": ("id",),
    "debezium_signal": ("id",),
    "events": ("id", "day"),
    "inventory": ("sku",),
    "order_items": ("order_id", "line_no"),
    "orders": ("id",),
    "sentinel": ("id",),
}
KEYLESS = ("audit_log", "clicks")

#: The second table over the records of `orders`: text where PostgreSQL's range is wider than silver's types.
AS_TEXT = "orders_as_text"
_WIDER = ("numeric(12,2)", "date", "timestamp(3)", "timestamp(6)", "timestamptz(6)", "double precision", "real")

_PREFIX = "shop.public."
_LABELS = {"order_status": ("new", "paid", "shipped", "cancelled", "returned")}
_CATALOG_NAMES = {
    "bigint": "int8",
    "integer": "int4",
    "smallint": "int2",
    "boolean": "bool",
    "char": "bpchar",
    "double precision": "float8",
    "real": "float4",
    "text[]": "_text",
    "integer[]": "_int4",
    "numeric(10,4)[]": "_numeric",
    "order_status": "order_status",
}

#: The definition of a table's server in a contract, from the name of the feed and of the table.
ServerOf = Callable[[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Recording:
    """One configuration: a folder of records and of the rows that PostgreSQL held at the end."""

    folder: Path

    @property
    def name(self) -> str:
        """The configuration."""
        return self.folder.name

    @property
    def decimals(self) -> str:
        """Debezium's decimal.handling.mode."""
        return CONFIGURATIONS[self.name]

    @property
    def is_flat(self) -> bool:
        """Whether the transform took the envelope off."""
        return self.name == "d_unwrap_rewrite"

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """Every record: topic, partition, offset, timestamp, key, value, headers; in the recording's order."""
        with gzip.open(self.folder / "records.jsonl.gz", "rt") as lines:
            return [json.loads(line) for line in lines]

    def records_of(self, table: str) -> Iterator[dict[str, Any]]:
        """The records of the table's topics: of a partitioned one its own and its leaves'."""
        return (record for record in self.records if table_of(record["topic"]) == table)

    def rows_told(self, table: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """(operation, LSN, row) of each record that tells a row, as the JSON has them, tombstones left out; a delete
        tells the row before it. Read without the lake's code: what is expected may not come from what is tested."""
        for record in self.records_of(table):
            value = json.loads(record["value"] or "null")
            if value is not None and value.keys() == {"schema", "payload"}:
                value = value["payload"]
            if value is None:
                continue
            if self.is_flat:
                op = "d" if value["__deleted"] == "true" else value["__op"]
                yield op, value["__lsn"] or 0, {k: v for k, v in value.items() if not k.startswith("__")}
            elif value["op"] != "t":
                yield value["op"], value["source"]["lsn"] or 0, value["before" if value["op"] == "d" else "after"]

    def final(self, table: str) -> tuple[dict[str, str], list[dict[str, str | None]]]:
        """The type of each column, and the rows as text, as PostgreSQL dumped them."""
        with gzip.open(self.folder / "final" / f"{table}.jsonl.gz", "rt") as lines:
            head, *rows = (json.loads(line) for line in lines if line.strip())
        return {column["name"]: plain_type(column["type"]) for column in head["_columns"]}, rows

    def facts(self, table: str) -> TableFacts:
        """What PostgreSQL's catalog said of the table at the end."""
        with gzip.open(self.folder / "final" / f"{table}.jsonl.gz", "rt") as lines:
            head = json.loads(next(lines))
        columns = tuple(
            ColumnFacts(
                column["name"],
                kind := plain_type(column["type"]),
                _CATALOG_NAMES.get(kind, _CATALOG_NAMES.get(bare := kind.partition("(")[0], bare)),
                "e" if kind in _LABELS else "b",
                is_nullable=not column["notnull"],
                enum_values=_LABELS.get(kind, ()),
            )
            for column in head["_columns"]
        )
        return TableFacts(TableName("public", head["_table"]), columns, primary_key=KEYS.get(table, ()))


def recording(shared_data: Path, configuration: str) -> Recording:
    """The recording; the test is skipped where it is not at hand."""
    folder = shared_data / "debezium_recorded" / configuration
    if not folder.is_dir():
        pytest.skip(f"NO RECORDINGS: {folder} is missing; this test proves nothing here")
    return Recording(folder)


def table_of(topic: str) -> str | None:
    """The table of a topic; None of the connector's own topics."""
    if not topic.startswith(_PREFIX):
        return None
    name = topic.removeprefix(_PREFIX)
    return "events" if name.startswith("events_") else name


def local_server(root: Path) -> ServerOf:
    """A folder a table below `root`."""
    return lambda feed, table: {"server": feed, "type": "local", "path": str(root / table), "format": "jsonl"}


def kafka_server(host: str, prefix: str) -> ServerOf:
    """The recorded topics under a prefix: `events` is one feed of its root's topic and its leaves'."""

    def server(feed: str, table: str) -> dict[str, Any]:
        name = f"{prefix}{_PREFIX}{table}"
        topics = "^" + name.replace(".", r"\.") + r"(_\d{4}_\d{2})?$" if table == "events" else name
        properties = [{"property": "topics", "value": [topics]}]
        return {"server": feed, "type": "kafka", "host": host, "format": "json", "customProperties": properties}

    return server


def shop_of(told: Recording, folder: Path, server_of: ServerOf, tables: Iterable[str] = (*KEYS, *KEYLESS)) -> Shop:
    """The shop of these tables, its contracts written to `folder` and read back as any shop's are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text("id: recorded\n")
    for table in tables:
        facts = told.facts(table)
        drafted = draft(facts, "cdc" if table in KEYS else "events")
        contract = completed(told, yaml.safe_load(drafted.text), table, server_of(drafted.feed, table))
        write(folder / drafted.file, contract)
        if table == "orders":
            write(folder / f"{AS_TEXT}.odcs.yaml", as_text(contract))
    return load_shop(folder, "local", {})


def silver_name(told: Recording, table: str) -> str:
    """What the table is called in silver."""
    return draft(told.facts(table), "cdc" if table in KEYS else "events").table


def draft(facts: TableFacts, kind: str) -> TableDraft:
    """What `aura source connect` drafts for the table."""
    planned = PlannedTable(facts.table, kind, f"shop.{facts.table}")
    return draft_contracts("recorded", [planned], {facts.table: facts}, source="a recording")[0]


def completed(told: Recording, contract: dict[str, Any], table: str, server: dict[str, Any]) -> dict[str, Any]:
    """The draft for this connector, without personal columns: hashes cannot be compared with PostgreSQL's rows."""
    schema = contract["schema"][0]
    properties = {entry["property"]: entry for entry in schema["customProperties"]}
    if table in KEYS:
        properties["decimals"]["value"] = told.decimals
    elif told.is_flat:
        properties["filter"]["value"] = "__op in ('c', 'r')"
    if table == "MixedCase_Tbl":  # a row holds the placeholder's own text
        schema["customProperties"].append({"property": "placeholder", "value": "nothing is left out here"})
    for column in schema["properties"]:
        column.pop("classification", None)
        if told.is_flat and "physicalName" in column:
            column["physicalName"] = column["physicalName"].removeprefix("after.")
        if column["name"] == "fx_ratio":
            column["synonyms"] = [{"synonym": "ratio"}]
    return {**contract, "servers": [server]}


def as_text(contract: dict[str, Any]) -> dict[str, Any]:
    """The contract with text for every column whose type in PostgreSQL holds more than silver's."""
    schema = contract["schema"][0]
    columns = [
        {**column, "logicalType": "string"} if column.get("physicalType") in _WIDER else column
        for column in schema["properties"]
    ]
    return {**contract, "id": AS_TEXT.replace("_", "-"), "schema": [{**schema, "name": AS_TEXT, "properties": columns}]}


def write(file: Path, contract: dict[str, Any]) -> None:
    """One contract file."""
    file.write_text(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True))
