"""PostgreSQL, Debezium and Kafka together: what `aura source` makes, and that rows come through it."""

from __future__ import annotations

import json
import re

import pytest
from polars.testing import assert_frame_equal

from aura_lake.contracts.contract import Format
from aura_lake.decisions import decisions
from aura_lake.lake import Lake
from aura_lake.outside.postgres import read_address
from aura_lake.outside.postgres_keys import read_keys
from aura_lake.services.registry import Registry
from aura_lake.source.facts import TableName
from aura_lake.source.silver_keys import keys_as_silver
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.services.source_shell import SourceShell

pytestmark = pytest.mark.services

#: A column of every type that travels, with a value.
TYPES = {
    "si smallint": "1",
    "bi bigint": "9007199254740993",
    "exact numeric(12, 2)": "12.5",
    "many numeric": "123456789012345678901234567890.123",
    "huge numeric(40, 2)": "1.25",
    "cash money": "'$12.34'",
    "re real": "1.5",
    "dp double precision": "2.25",
    "flag boolean": "true",
    "padded char(5)": "'ab'",
    "short varchar(10)": "'v'",
    "letter email": "'a@b.org'",
    "feeling mood": "'it''s ok'",
    "born date": "'2026-01-02'",
    "local6 timestamp": "'2026-07-02 03:04:05.123456'",
    "local3 timestamp(3)": "'2026-07-02 03:04:05.123'",
    "instant timestamptz": "'2026-07-02 03:04:05.123456+02'",
    "clock time": "'03:04:05.5'",
    "zoned timetz": "'03:04:05.5+02'",
    "span interval": "'1 year 2 mons 3 days 04:05:06.5'",
    "uid uuid": "'11111111-2222-3333-4444-555555555555'",
    "addr inet": "'10.0.0.1/24'",
    "tree xml": "'<a/>'",
    "doc jsonb": """'{"a": [1, null]}'""",
    "raw bytea": "'\\x00ff'",
    "bit1 bit(1)": "'1'",
    "bits bit(9)": "'101010101'",
    "nums int[]": "'{1,2,null}'",
    "words text[]": """'{a,"b,c",null}'""",
    "moods mood[]": "'{sad}'",
    "span4 int4range": "'[1,5)'",
    "spot point": "'(1,2)'",
    "vec tsvector": "'a b'",
}


@pytest.fixture
def aura(source_shell: SourceShell) -> SourceShell:
    return source_shell


def test_a_sentence_becomes_a_connector_through_which_rows_come(aura: SourceShell) -> None:
    sentence = "Stream every mutation of the `orders` and `users` tables from PostgreSQL into our bronze lake."
    code, out, err = aura("source", "connect", "postgres", sentence, "--yes")
    assert (code, err.count("refuse")) == (0, 0), out + err
    orders = aura.topic("orders")

    read = aura.records(orders, lambda values: len(values) == 2)
    assert {value["op"] for value in read} == {"r"}
    assert {(v["after"]["id"], v["after"]["total"], v["after"]["placed_at"]) for v in read} == {
        (1, "10.50", "2026-01-02T03:04:05.678Z"),
        (2, "0.10", "2026-01-02T03:04:05.678Z"),
    }
    aura.sql("insert into orders (user_id, total) values (1, 7); update orders set total = 8 where id = 3")
    aura.sql("delete from orders where id = 2")
    aura.sql("truncate orders")  # case 018: the default would hide it
    changes = aura.records(orders, lambda values: any(value["op"] == "t" for value in values))
    assert sorted(value["op"] for value in changes) == ["c", "d", "r", "r", "t", "u"]

    assert aura.refused() == {}
    found = aura.findings()
    assert found[aura.connector, "skipped.operations"]["says"] == "none"
    assert found[aura.slot, "active"]["level"] == "ok"
    config = json.loads(next((aura.folder / "shop" / "connectors").glob("*.json")).read_text())["config"]
    assert "database.password" not in config or config["database.password"].startswith("${")


def test_connecting_again_changes_nothing_and_adds_a_table_with_its_rows(aura: SourceShell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "users", "--yes")[0] == 0
    code, out, _ = aura("source", "connect", "postgres", "--tables", "users", "--yes")
    assert code == 0
    assert "CREATE" not in out

    code, out, _ = aura("source", "connect", "postgres", "--tables", "events,clicks", "--yes")
    assert code == 0, out
    assert 'ADD TABLE "public"."clicks", "public"."events"' in out
    assert "rows of public.clicks that are there already are not read: without a key they cannot" in out
    # Rows that were there before come by an incremental snapshot; the leaf's under the root's name (case 047).
    (read,) = aura.records(aura.topic("events"), lambda values: len(values) == 1)
    assert (read["op"], read["source"]["snapshot"], read["after"]["id"]) == ("r", "incremental", 1)
    aura.sql("insert into events values (2, '2026-01-06')")
    aura.sql("insert into clicks (who) values ('b')")
    assert len(aura.records(aura.topic("events"), lambda values: len(values) == 2)) == 2
    (click,) = aura.records(aura.topic("clicks"), lambda values: len(values) == 1)
    assert (click["op"], click["after"]["who"]) == ("c", "b")
    assert aura.refused() == {}


def test_a_table_is_read_again_and_the_request_is_a_decision(aura: SourceShell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "orders,users", "--yes")[0] == 0
    code, out, err = aura("source", "resnapshot", "orders", "--reason", "rows were missed", "--who", "ann", "--yes")
    assert code == 0, err
    request = re.findall(r"request ([0-9a-f-]{36})", out)[0]

    lake = Lake()
    (decision,) = decisions(lake, "resnapshot")
    assert (decision.who, decision.why) == ("ann", "rows were missed")
    assert {key: decision.facts[key] for key in ("request", "table", "source", "how")} == {
        "request": request,
        "table": "raw_orders",
        "source": "public.orders",
        "how": "incremental",
    }
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", decision.facts["lsn"])
    topic = aura.topic("orders")
    assert lake.shop.feeds["orders"].topics == (topic,)
    reads = aura.records(
        topic, lambda values: sum(value["source"]["snapshot"] == "incremental" for value in values) == 2
    )
    again = [value for value in reads if value["source"]["snapshot"] == "incremental"]
    assert [(value["op"], value["source"]["lsn"]) for value in again] == [("r", None), ("r", None)]
    # The connector's marks carry the request's id.
    assert aura.sql(f"select count(*) > 0 from debezium_signal where data like '%{request}%'") == [(True,)]
    code, _, err = aura("source", "resnapshot", "nix", "--yes")
    assert (code, "no table 'nix'" in err) == (1, True)


def test_a_stopped_connector_is_told_and_started_again(aura: SourceShell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "users", "--yes")[0] == 0
    aura.connect.stop(aura.connector)

    assert aura.refused()["active"] == f"aura source restart --connector {aura.connector}"
    code, out, err = aura("source", "restart")
    assert code == 0, out + err
    assert aura.refused() == {}


def test_a_connector_that_cannot_be_made_leaves_no_slot_behind(aura: SourceShell) -> None:
    code, _, err = aura("source", "connect", "postgres", "--tables", "users", "--yes", "--database-host", "127.0.0.1:1")
    assert code == 1
    assert "Kafka Connect refuses the configuration" in err
    assert aura.sql("select count(*) from pg_publication") == [(0,)]
    assert aura.sql("select count(*) from pg_replication_slots where database = current_database()") == [(0,)]


def test_every_type_arrives_in_silver_as_the_draft_says(aura: SourceShell) -> None:
    names, values = ", ".join(one.split()[0] for one in TYPES), ", ".join(TYPES.values())
    aura.sql("create type mood as enum ('sad', 'it''s ok'); create domain email as text check (value ~ '@')")
    aura.sql(
        f"create table types (id bigserial primary key, {', '.join(TYPES)}, twice int generated always as (2) stored)"
    )
    row = f"insert into types ({names}) values ({values})"
    aura.sql(row)  # read by the snapshot
    assert aura("source", "connect", "postgres", "--tables", "types", "--yes")[0] == 0
    aura.sql(row)  # streamed
    aura.records(aura.topic("types"), lambda values: len(values) == 2)

    lake = Lake()
    land(lake, lake.shop.feeds["types"])
    refresh_silver(lake, lake.contract("types"))
    log = lake.log(lake.contract("types")).scan().collect()
    assert log["broken_rules"].list.join(" ").to_list() == ["", ""]
    assert log["warnings"].list.join(" ").to_list() == ["", ""]
    first, second = lake.table("types").collect().sort("id").drop("id").to_dicts()
    assert first == second
    assert {name for name, value in first.items() if value is None} == set()
    kept = {name: first[name] for name in ("exact", "many", "huge", "cash", "flag", "padded", "feeling", "span", "raw")}
    assert {name: str(value) for name, value in kept.items()} == {
        "exact": "12.50",
        "many": "123456789012345678901234567890.123",
        "huge": "1.25",
        "cash": "12.34",
        "flag": "True",
        "padded": "ab   ",
        "feeling": "it's ok",
        "span": "P1Y2M3DT4H5M6.5S",
        "raw": "AP8=",
    }
    times = {name: f"{first[name]:%m-%d %H:%M:%S.%f}" for name in ("local6", "local3", "instant")}
    assert times == {
        "local6": "07-02 03:04:05.123456",
        "local3": "07-02 03:04:05.123000",
        "instant": "07-02 01:04:05.123456",
    }
    keys, _ = read_keys(read_address(aura.url), TableName("public", "types"))
    silver = keys_as_silver(keys, lake.contract("types"), lake.shop.time_zone)
    assert_frame_equal(silver.sort("id"), lake.table("types").select("id").collect().sort("id"))


def test_a_connector_that_writes_avro_is_made_and_drafted(aura: SourceShell, live_registry: Registry) -> None:
    code, out, err = aura("source", "connect", "postgres", "--tables", "orders", "--avro", live_registry.url, "--yes")
    assert code == 0, out + err

    feed = Lake().shop.feeds["orders"]
    assert (feed.format, feed.registry) == (Format.AVRO, live_registry.url)
    values = aura.raw(aura.topic("orders"), 2)
    assert all(value[:1] == b"\x00" for value in values)  # Confluent's framing: a zero, then the schema's number
    assert aura.refused() == {}
