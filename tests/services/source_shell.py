"""A shop of its own on a fresh database, with the command line on both: PostgreSQL, Debezium and Kafka are real."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition

from aura_lake.cli.app import main
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.services.connect import Connect
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres

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


@dataclass
class SourceShell:
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


@pytest.fixture
def source_shell(
    live_postgres: Postgres,
    live_kafka: Kafka,
    live_connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[SourceShell]:
    """A shell on a fresh database; its connector and slot are gone afterwards."""
    name = f"live_{uuid.uuid4().hex[:8]}"
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
    shell = SourceShell(name, url, client, live_kafka.bootstrap, tmp_path, run)
    yield shell
    if shell.connector in client.names():
        client.stop(shell.connector)
        client.delete(shell.connector)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            "where database = current_database() and not active"
        )
