"""PostgreSQL, Debezium and Kafka together: what `aura source` makes, and that rows come through it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from polars.testing import assert_frame_equal

from aura_lake.cli.app import main
from aura_lake.contracts.contract import Format
from aura_lake.decisions import decisions
from aura_lake.lake import Lake
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.outside.postgres import read_address
from aura_lake.outside.postgres_keys import read_keys
from aura_lake.services.connect import Connect
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres
from aura_lake.services.registry import Registry
from aura_lake.source.facts import TableName
from aura_lake.source.silver_keys import keys_as_silver
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver

pytestmark = pytest.mark.services

SCHEMA = """
create type status as enum ('new', 'paid');
create table users (id bigserial primary key, email text not null unique);
create table orders (
    id bigserial primary key, user_id bigint not null references users, status status not null default 'new',
    total numeric(12, 2), placed_at timestamp(3) not null default '2026-01-02 03:04:05.678', notes text);
create table events (id bigint, day date, primary key (id, day)) partition by range (day);
create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
create table clicks (at timestamptz default now(), who text);
insert into users (email) values ('a@x.org'), ('b@x.org');
insert into orders (user_id, total) values (1, 10.50), (2, 0.10);
insert into events values (1, '2026-01-05');
insert into clicks (who) values ('a');
"""

PATIENCE = 90

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


@dataclass
class Shell:
    """A shop of its own, its database, and the command line on both."""

    name: str
    url: str
    connect: KafkaConnect
    bootstrap: str
    folder: Path
    _run: Callable[..., tuple[int, str, str]]

    @property
    def connector(self) -> str:
        return f"aura-{self.name.replace('_', '-')}"

    @property
    def slot(self) -> str:
        return f"aura_{self.name}"

    def topic(self, table: str) -> str:
        return f"{self.name}.public.{table}"

    def __call__(self, *words: str) -> tuple[int, str, str]:
        return self._run(*words)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """What a statement gives; committed."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def records(self, topic: str, until: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """The values of a topic from its beginning, read until they are as awaited."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            values = [json.loads(value) for value in self._all(topic)]
            if until(values):
                return values
            time.sleep(0.3)
        raise AssertionError(f"{topic} after {PATIENCE} s: {self._all(topic)}")

    def raw(self, topic: str, count: int) -> list[bytes]:
        """So many values of a topic as they are."""
        deadline = time.monotonic() + PATIENCE
        while len(values := self._all(topic)) < count:
            assert time.monotonic() < deadline, f"{len(values)} of {count} values of {topic} after {PATIENCE} s"
            time.sleep(0.3)
        return values

    def _all(self, topic: str) -> list[bytes]:
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False)
        try:
            parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not parts:
                return []
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            consumer.seek_to_beginning()
            values: list[bytes] = []
            while any(consumer.position(part) < ends[part] for part in parts):
                for records in consumer.poll(timeout_ms=500).values():
                    values += [record.value for record in records if record.value is not None]
            return values
        finally:
            consumer.close()

    def findings(self) -> dict[tuple[str, str], dict[str, str]]:
        """What `aura source check` says, by subject and check."""
        _, out, _ = self("source", "check", "--format", "json")
        return {(row["subject"], row["check"]): row for row in json.loads(out)}

    def refused(self) -> dict[str, str]:
        """What it refuses: check -> fix."""
        return {check: row["fix"] for (_, check), row in self.findings().items() if row["level"] == "refuse"}


@pytest.fixture(scope="module")
def databases() -> list[str]:
    """Names of the databases made so far: each test takes its own."""
    return []


@pytest.fixture
def aura(
    live_postgres: Postgres,
    live_kafka: Kafka,
    live_connect: Connect,
    databases: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    """A shell on a fresh database; its connector and slot are gone afterwards."""
    name = f"live_{len(databases)}"
    databases.append(name)
    live_postgres.create_database(name)
    url = live_postgres.dsn(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    told = {
        "AURA_PROJECT": str(Path(__file__).parents[2]),
        "AURA_HOME": str(tmp_path / "lake"),
        "AURA_SHOP": str(tmp_path / "shop"),
        "AURA_POSTGRES_URL": url,
        "AURA_CONNECT_URL": live_connect.url,
        "KAFKA_BROKERS": live_kafka.bootstrap,
        "AURA_PII_KEY": "k" * 32,
    }
    for key, value in told.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("AURA_ENV", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*words, *(["--prefix", name] if words[:2] == ("source", "connect") else [])])
        out, err = (" ".join(text.replace("│", " ").split()) for text in capsys.readouterr())
        return int(ended.value.code or 0), out, err

    client = KafkaConnect(live_connect.url)
    shell = Shell(name, url, client, live_kafka.bootstrap, tmp_path, run)
    yield shell
    if shell.connector in client.names():
        client.stop(shell.connector)
        client.delete(shell.connector)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            "where database = current_database() and not active"
        )


def test_a_sentence_becomes_a_connector_through_which_rows_come(aura: Shell) -> None:
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


def test_connecting_again_changes_nothing_and_adds_a_table_with_its_rows(aura: Shell) -> None:
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


def test_a_table_is_read_again_and_the_request_is_a_decision(aura: Shell) -> None:
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


def test_case_048_a_slot_lost_behind_the_connectors_back_is_named_and_everything_read_anew(aura: Shell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "orders,users", "--yes")[0] == 0
    lake, topic = Lake(), aura.topic("orders")
    aura.records(topic, lambda values: len(values) == 2)
    aura.connect.stop(aura.connector)
    aura.sql(f"select pg_drop_replication_slot('{aura.slot}')")
    aura.sql("delete from orders where id = 1; insert into orders (user_id, total) values (1, 3)")

    assert aura.refused()["slot"] == "aura source resnapshot --all"
    aura.sql(f"select pg_create_logical_replication_slot('{aura.slot}', 'pgoutput')")
    gap = aura.findings()[aura.slot, "gap"]
    assert (gap["level"], gap["fix"]) == ("refuse", "aura source resnapshot --all")
    assert "were never read" in gap["says"]

    code, out, err = aura("source", "resnapshot", "--all", "--yes", "--who", "ann")
    assert code == 0, out + err
    values = aura.records(topic, lambda values: len(values) == 4)
    assert sorted(v["after"]["id"] for v in values if v["op"] == "r") == [1, 2, 2, 3]
    assert aura.refused() == {}
    told = {(d.facts["table"], d.facts["how"]) for d in decisions(lake, "resnapshot")}
    assert told == {("raw_orders", "initial"), ("raw_users", "initial")}
    # What was written in the gap streams on, and row 1, which vanished in it, is not among the reads.
    aura.sql("insert into orders (user_id, total) values (1, 4)")
    aura.records(topic, lambda values: any(v["op"] == "c" and v["after"]["id"] == 4 for v in values))


def test_a_stopped_connector_is_told_and_started_again(aura: Shell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "users", "--yes")[0] == 0
    aura.connect.stop(aura.connector)

    assert aura.refused()["active"] == f"aura source restart --connector {aura.connector}"
    code, out, err = aura("source", "restart")
    assert code == 0, out + err
    assert aura.refused() == {}


def test_a_connector_that_cannot_be_made_leaves_no_slot_behind(aura: Shell) -> None:
    code, _, err = aura("source", "connect", "postgres", "--tables", "users", "--yes", "--database-host", "127.0.0.1:1")
    assert code == 1
    assert "Kafka Connect refuses the configuration" in err
    assert aura.sql("select count(*) from pg_publication") == [(0,)]
    assert aura.sql("select count(*) from pg_replication_slots where database = current_database()") == [(0,)]


def test_every_type_arrives_in_silver_as_the_draft_says(aura: Shell) -> None:
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


def test_a_connector_that_writes_avro_is_made_and_drafted(aura: Shell, live_registry: Registry) -> None:
    code, out, err = aura("source", "connect", "postgres", "--tables", "orders", "--avro", live_registry.url, "--yes")
    assert code == 0, out + err

    feed = Lake().shop.feeds["orders"]
    assert (feed.format, feed.registry) == (Format.AVRO, live_registry.url)
    values = aura.raw(aura.topic("orders"), 2)
    assert all(value[:1] == b"\x00" for value in values)  # Confluent's framing: a zero, then the schema's number
    assert aura.refused() == {}
