"""A real registry, and a real connector that frames its changes as Avro: from PostgreSQL's rows to the same rows."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from aura_lake.contracts.contract import KAFKA, Contract, Feed, Format, Shop
from aura_lake.delta.watermarks import of_feed
from aura_lake.errors import FeedError, FeedUnavailable
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.outside.schema_registry import SchemaRegistry
from aura_lake.services.stack import Stack
from aura_lake.settings import Settings
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.rebuild import rebuild
from tests.changes import change, column, things
from tests.framed import FramedLake, avro, frame
from tests.services.live import running

pytestmark = pytest.mark.services

UTC_MICROS = pl.Datetime("us", "UTC")

#: Apicurio tells a JSON Schema by it.
DRAFT = "http://json-schema.org/draft-07/schema#"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running("postgres", "kafka", "registry", "connect") as stack:
        yield stack


def register(url: str, subject: str, schema: Any, kind: str = "AVRO", references: Any = ()) -> int:
    """The id under which a registry keeps a schema."""
    body = {"schema": json.dumps(schema), "schemaType": kind, "references": list(references)}
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    request = urllib.request.Request(f"{url}/subjects/{subject}/versions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(json.load(response)["id"])


def envelope(size: Any) -> dict[str, Any]:
    """The schema of a change whose `size` has this type."""
    fields = [("id", "string"), ("word", ["null", "string"]), ("size", ["null", size])]
    row = {"type": "record", "name": "Row", "fields": [{"name": n, "type": t} for n, t in fields]}
    parts = [("before", ["null", row]), ("after", ["null", "Row"]), ("op", "string"), ("ts_ms", "long")]
    source = {"type": "record", "name": "Source", "fields": [{"name": "lsn", "type": "long"}]}
    fields = [*parts, ("source", source)]
    return {"type": "record", "name": "Envelope", "fields": [{"name": n, "type": t} for n, t in fields]}


def test_case_046_a_real_registry_is_asked_goes_away_and_comes_back(stack: Stack, tmp_path: Path) -> None:
    url = stack.registry.url
    money = {"type": "record", "name": "Money", "namespace": "shop", "fields": [{"name": "cents", "type": "long"}]}
    register(url, "money", money)
    flat, priced = envelope("long"), envelope("shop.Money")
    one = register(url, "flat-value", flat)
    two = register(url, "priced-value", priced, references=[{"name": "shop.Money", "subject": "money", "version": 1}])
    as_json = register(url, "json-value", {"$schema": DRAFT, "type": "object"}, "JSON")

    registry = SchemaRegistry(url, {})
    found = [registry.schema(id_) for id_ in (one, two, as_json)]
    assert [schema.kind for schema in found if schema] == ["AVRO", "AVRO", "JSON"]
    assert found[1] is not None
    assert [json.loads(each.text)["name"] for each in found[1].references] == ["Money"]
    assert [registry.schema(id_) for id_ in (0, 4711, 2**31 - 1)] == [None, None, None]
    with pytest.raises(FeedError, match="Mend `registry`: Confluent's API stands at the root, Apicurio's at"):
        SchemaRegistry(url.removesuffix("/apis/ccompat/v7"), {}).schema(one)

    columns = (
        column("id", key_position=1),
        column("word"),
        column("size", pl.Int64(), "integer", source="size.cents", synonyms=("size",)),
    )
    lake = FramedLake(tmp_path, things(columns=columns), url, Format.JSON)
    wide = {**change("c", 2, "b", "y"), "after": {"id": "b", "word": "y", "size": {"cents": 5}}}
    lake.send(
        frame(one, avro(flat, change("c", 1, "a", "x", 1))), frame(as_json, json.dumps(change("c", 3, "c")).encode())
    )
    lake.run()
    assert lake.rows() == [("a", "x", 1), ("c", None, None)]

    stack.registry.stop()
    lake.send(frame(two, avro(priced, wide, money)))
    with pytest.raises(FeedUnavailable, match=r"/apis/ccompat/v7: the schema registry did not answer"):
        lake.reopened().run()
    assert lake.verdicts() == {"valid": 2}
    stack.registry.start()
    again = lake.reopened().run()
    assert again.rows() == [("a", "x", 1), ("b", "y", 5), ("c", None, None)]
    stack.registry.stop()
    assert again.reopened().rebuild_is_equal()
    stack.registry.start()


class Table:
    """A table whose changes a real connector frames as Avro, and a lake that reads them."""

    def __init__(self, stack: Stack, folder: Path, name: str, ddl: str, contract: Contract) -> None:
        self.stack, self.name, self.contract = stack, name, contract
        stack.postgres.create_database(name)
        self.run(ddl)
        converter = {
            "": "io.apicurio.registry.utils.converter.AvroConverter",
            ".apicurio.registry.url": stack.registry.own_url,
            ".apicurio.registry.auto-register": "true",
            ".apicurio.registry.find-latest": "true",
            ".apicurio.registry.as-confluent": "true",
            ".apicurio.registry.headers.enabled": "false",
        }
        stack.connect.put_connector(
            name,
            {
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
                "database.hostname": "127.0.0.1",
                "database.port": str(stack.postgres.port),
                "database.user": "postgres",
                "database.password": "none",
                "database.dbname": name,
                "topic.prefix": name,
                "plugin.name": "pgoutput",
                "slot.name": f"{name}_slot",
                "publication.name": f"{name}_publication",
                "table.include.list": "public.things",
                "schema.name.adjustment.mode": "avro",
                "field.name.adjustment.mode": "avro",
                "poll.interval.ms": "10",
                **{f"{part}.converter{key}": value for part in ("key", "value") for key, value in converter.items()},
            },
        )
        topic, registry = f"{name}.public.things", stack.registry.url
        self.feed = Feed("things", KAFKA + stack.kafka.bootstrap, Format.AVRO, topics=(topic,), registry=registry)
        settings = Settings(folder, str(folder / "lake"), folder / "state", folder, environ=dict(os.environ))
        self._opening = settings, Shop("test", folder, {"things": contract}, {"things": self.feed})
        self.lake = Lake(*self._opening)

    def reopen(self) -> None:
        """The lake as another process finds it."""
        self.lake = Lake(*self._opening)

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.stack.postgres.dsn(self.name), autocommit=True) as session:
            for statement in statements:
                session.execute(statement)

    def landed(self, count_at_least: int) -> None:
        """Land until bronze holds so many records; the connector has a minute."""
        deadline, records = time.monotonic() + 60, 0
        while records < count_at_least and time.monotonic() < deadline:
            try:
                land(self.lake, self.feed)
            except FeedError:  # the topic is made with its first record
                time.sleep(0.5)
                continue
            bronze = self.lake.bronze("things").scan().filter(pl.col("row_kind") == "record")
            records = bronze.select(pl.len()).collect().item()
        assert records >= count_at_least, self.stack.connect.connector_status(self.name)

    def rows(self) -> list[dict[str, Any]]:
        judge(self.lake, self.contract)
        fold(self.lake, self.contract)
        return self.lake.table("things").collect().sort("id").to_dicts()


DDL = """
create table things (
    id uuid primary key, word text, amount numeric(12,2), wide numeric(38,10), free numeric, ratio double precision,
    small real, size bigint, is_open boolean, at timestamptz(6), local_ms timestamp(3), local_us timestamp(6), day date,
    raw bytea, tags text[], notes jsonb, "odd name" int
)
"""
BIG = "long ago " * 2000
ROW = (
    "insert into things values ('00000000-0000-0000-0000-{n:012}', '{word}', 1234567890.12, "
    "-1234567890123456789012345678.0000000001, 0.0000000001, 0.1, 0.1, 9007199254740993, true, "
    "'2026-03-01T12:00:00.123456+02', '2026-03-01T12:00:00.123', '2026-03-01T12:00:00.123456', '2026-03-01', "
    "'\\x00ff', array['a','b'], '{{\"a\": 1.50}}', 7)"
)

COLUMNS = (
    column("id", physical_type="uuid", key_position=1),
    column("word"),
    column("amount", pl.Decimal(12, 2), "number"),
    column("wide", pl.Decimal(38, 10), "number"),
    column("free", physical_type="numeric"),
    column("ratio", pl.Float64(), "number"),
    column("small", pl.Float64(), "number"),
    column("size", pl.Int64(), "integer"),
    column("is_open", pl.Boolean(), "boolean"),
    column("at", UTC_MICROS, "timestamp"),
    column("local_ms", UTC_MICROS, "timestamp"),
    column("local_us", UTC_MICROS, "timestamp"),
    column("day", pl.Date(), "date"),
    column("raw"),
    column("tags", logical="array"),
    column("notes", logical="object"),
    column("odd", pl.Int64(), "integer", source="odd_name"),
)


def expected(n: int, word: str) -> dict[str, Any]:
    """The row as PostgreSQL holds it."""
    return {
        "id": f"00000000-0000-0000-0000-{n:012}",
        "word": word,
        "amount": Decimal("1234567890.12"),
        "wide": Decimal("-1234567890123456789012345678.0000000001"),
        "free": "0.0000000001",
        "ratio": 0.1,
        "small": 0.1,
        "size": 9007199254740993,
        "is_open": True,
        "at": datetime(2026, 3, 1, 10, 0, 0, 123456, UTC),
        "local_ms": datetime(2026, 3, 1, 12, 0, 0, 123000, UTC),
        "local_us": datetime(2026, 3, 1, 12, 0, 0, 123456, UTC),
        "day": date(2026, 3, 1),
        "raw": "AP8=",
        "tags": '["a","b"]',
        "notes": '{"a": 1.50}',
        "odd": 7,
    }


def differing(row: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two rows have unlike each other."""
    return {name: (row.get(name), other.get(name)) for name in row | other if row.get(name) != other.get(name)}


def test_case_031_rows_of_postgresql_come_through_debezium_in_avro_exactly_and_without_the_registry_again(
    stack: Stack, tmp_path: Path
) -> None:
    table = Table(stack, tmp_path, "avro_shop", DDL, things(columns=COLUMNS))
    table.run(ROW.format(n=1, word=BIG), ROW.format(n=2, word="gone"))
    table.landed(2)
    first, second = table.rows()
    assert differing(first, expected(1, BIG)) == {}
    assert differing(second, expected(2, "gone")) == {}

    # unchanged TOAST, a delete with its tombstone, and a column that a new schema brings
    table.run(
        "update things set size = 5",
        "delete from things where word = 'gone'",
        "alter table things add column colour text",
        "insert into things (id, word, colour) values ('00000000-0000-0000-0000-000000000003', 'new', 'red')",
    )
    table.landed(7)
    stack.registry.stop()  # asked, not killed: its database writes half a second late
    table.reopen()
    read_to = table.lake.log(table.contract).watermark(of_feed("things"))
    with pytest.raises(FeedUnavailable, match="did not answer"):
        table.rows()
    assert table.lake.log(table.contract).watermark(of_feed("things")) == read_to
    stack.registry.start()
    rows = table.rows()
    log = table.lake.log(table.contract).scan().collect()
    assert log["verdict"].value_counts(sort=True).rows() == [("valid", 6), ("ignored", 1)], log.to_dicts()
    first, third = rows
    assert differing(first, {**expected(1, BIG), "size": 5}) == {}
    assert {name: value for name, value in third.items() if value is not None} == {
        "id": "00000000-0000-0000-0000-000000000003",
        "word": "new",
    }
    assert [names for names in log["_unknown_fields"].to_list() if names] == [["colour"]]
    assert count(table.lake).problems() == []

    stack.registry.stop()
    table.reopen()
    assert rebuild(table.lake, table.contract).equal
    assert table.rows() == [first, third]
    stack.registry.start()
