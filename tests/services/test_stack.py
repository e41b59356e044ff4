"""The stack as a user has it: records go through Kafka, changes come out of PostgreSQL, a kill loses nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer

from aura_lake.services.stack import Stack
from tests.services.live import running

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running("postgres", "kafka", "connect") as stack:
        yield stack


def produce(stack: Stack, topic: str, *values: str) -> None:
    producer = KafkaProducer(bootstrap_servers=stack.kafka.bootstrap, acks="all")
    try:
        for value in values:
            producer.send(topic, value.encode()).get(timeout=30)
    finally:
        producer.close()


def consume(stack: Stack, topic: str, is_enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """The values of the topic from its beginning, read until they are enough or a minute has gone."""
    consumer = KafkaConsumer(topic, bootstrap_servers=stack.kafka.bootstrap, auto_offset_reset="earliest")
    found: list[bytes] = []
    deadline = time.monotonic() + 60
    try:
        while not is_enough(found) and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                found += [record.value for record in records]
    finally:
        consumer.close()
    return found


def connect_orders(stack: Stack, database: str) -> None:
    """A connector on the table `orders` of a new database."""
    stack.postgres.create_database(database)
    with psycopg.connect(stack.postgres.dsn(database), autocommit=True) as session:
        session.execute("create table orders (id int primary key, status text)")
    stack.connect.put_connector(
        database,
        {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": "127.0.0.1",
            "database.port": str(stack.postgres.port),
            "database.user": "postgres",
            "database.password": "none",
            "database.dbname": database,
            "topic.prefix": database,
            "plugin.name": "pgoutput",
            "slot.name": f"{database}_slot",
            "publication.name": f"{database}_publication",
            "table.include.list": "public.orders",
            "poll.interval.ms": "10",
        },
    )


def insert(stack: Stack, database: str, *ids: int) -> None:
    with psycopg.connect(stack.postgres.dsn(database), autocommit=True) as session:
        for number in ids:
            session.execute("insert into orders values (%s, 'new')", [number])


def delivered(stack: Stack, database: str, wanted: set[int]) -> list[int]:
    """The ids of the changes in the topic, read until all that are wanted have come, and perhaps others twice."""

    def ids(values: list[bytes]) -> list[int]:
        return [json.loads(value)["after"]["id"] for value in values]

    return ids(consume(stack, f"{database}.public.orders", lambda values: set(ids(values)) >= wanted))


def test_a_record_that_was_produced_is_consumed(stack: Stack) -> None:
    produce(stack, "greetings", "hello")
    assert consume(stack, "greetings", bool) == [b"hello"]


def test_an_insert_comes_out_of_debezium_and_connect_killed_goes_on_where_it_was(stack: Stack) -> None:
    connect_orders(stack, "shop")
    insert(stack, "shop", 1)
    assert delivered(stack, "shop", {1}) == [1]
    stack.connect.kill()
    insert(stack, "shop", 2, 3)
    stack.connect.start()
    seen = delivered(stack, "shop", {1, 2, 3})
    assert set(seen) == {1, 2, 3}, "the connector is kept in Kafka, how far it was in Kafka and in its slot"
    assert seen[-2:] == [2, 3], "what was sent before the kill may come again, and nothing after it out of order"


def test_kafka_killed_has_its_records_when_it_is_back(stack: Stack) -> None:
    produce(stack, "kept", *(str(number) for number in range(100)))
    stack.kafka.kill()
    stack.kafka.start()
    assert consume(stack, "kept", lambda values: len(values) >= 100) == [str(number).encode() for number in range(100)]


def test_postgres_killed_has_its_rows_when_it_is_back(stack: Stack) -> None:
    stack.postgres.create_database("kept")
    with psycopg.connect(stack.postgres.dsn("kept"), autocommit=True) as session:
        session.execute("create table orders (id int primary key)")
        session.execute("insert into orders values (7)")
    stack.postgres.kill()
    stack.postgres.start()
    with psycopg.connect(stack.postgres.dsn("kept")) as session:
        assert session.execute("select id from orders").fetchall() == [(7,)]
