"""The live shop in a real database and on a real broker: what it says it did is what stands there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition

from aura_lake.errors import FeedUnavailable, SourceError, SourceUnavailable
from aura_lake.outside.postgres import read_address
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres
from aura_lake.services.site import free_ports
from aura_lake.simulate import mess_named
from aura_lake.simulate.rows import CDC_TABLES
from aura_lake.steps.live_shop import LiveCounts, LiveRequest, run_live_shop

pytestmark = pytest.mark.services

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def database(live_postgres: Postgres) -> str:
    """A database of the test's own."""
    name = f"shop_{uuid.uuid4().hex[:8]}"
    live_postgres.create_database(name)
    return live_postgres.dsn(name)


@pytest.fixture
def topic() -> str:
    return f"clicks-{uuid.uuid4().hex[:8]}"


def request(database: str, kafka: Kafka | None = None, topic: str = "", **more: Any) -> LiveRequest:
    brokers = kafka.bootstrap if kafka is not None else None
    return LiveRequest(read_address(database), brokers=brokers, topic=topic, **{"mess": mess_named("all"), **more})


def run_for(asked: LiveRequest, transactions: int) -> LiveCounts:
    """Run the shop until it has done so much, however slow the machine is; a minute at most."""
    stop = threading.Event()

    def look(so_far: LiveCounts) -> None:
        if so_far.transactions >= transactions or so_far.seconds > 60:
            stop.set()

    counts = run_live_shop(asked, stop, look)
    assert counts.transactions >= transactions
    return counts


def standing(database: str) -> dict[str, int]:
    """How many rows each table has."""
    with psycopg.connect(database) as session:
        counts = {table: session.execute(f"select count(*) from public.{table}").fetchone() for table in CDC_TABLES}
    return {table: row[0] for table, row in counts.items() if row is not None}


def written(counts: LiveCounts) -> dict[str, int]:
    """How many rows each table must have after the shop's first run."""
    return {table: counts.rows[table, "inserted"] - counts.rows[table, "deleted"] for table in CDC_TABLES}


def clicks_of(kafka: Kafka, topic: str) -> list[tuple[str, str]]:
    """Key and value of every message of the topic."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    total = sum(consumer.end_offsets(parts).values())
    found: list[tuple[str, str]] = []
    deadline = time.monotonic() + 60
    while len(found) < total and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=500).values():
            found += [(record.key.decode(), record.value.decode()) for record in records]
    consumer.close()
    assert len(found) == total
    return found


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_what_the_shop_says_is_what_stands_in_the_database_and_in_the_topic(
    database: str, live_kafka: Kafka, topic: str
) -> None:
    counts = run_for(request(database, live_kafka, topic, rate=60, clicks=120), transactions=250)
    assert counts.rolled_back > 5
    assert standing(database) == written(counts)
    assert counts.rows["orders", "updated"] > 0
    sent = clicks_of(live_kafka, topic)
    assert len(sent) == counts.clicks.total() > 300
    whole = [click for _, text in sent if (click := parsed(text)) is not None]
    assert len(sent) - len(whole) == counts.mess["broken_json"]
    strings = sum(isinstance(click["price"], str) for click in whole)
    assert counts.clicks["quarantined"] >= counts.mess["broken_json"] + strings
    events = Counter(click["event_id"] for click in whole)
    assert sum(count - 1 for count in events.values()) == counts.mess["redeliveries"] > 0
    keys = [(key, json.loads(text)) for key, text in sent if parsed(text) is not None]
    assert all(key == (click["user_id"] or click["session_id"]) for key, click in keys)


def test_rollbacks_leave_nothing_and_every_order_stands_whole(database: str) -> None:
    counts = run_for(request(database, rate=150, mess=frozenset()), transactions=500)
    assert counts.rolled_back > 10
    with psycopg.connect(database) as session:
        told = session.execute(
            "select xact_rollback from pg_stat_database where datname = current_database()"
        ).fetchone()
        halves = session.execute(
            """
            select count(*) filter (where items.order_id is null),
                   count(*) filter (where orders.order_amount <> items.net + items.shipping
                                          - orders.discount_amount + orders.tax_amount)
            from public.orders
            left join (
                select order_id, sum(quantity * unit_price - discount_amount) as net, sum(shipping_amount) as shipping
                from public.order_items group by order_id
            ) as items using (order_id)
            """
        ).fetchone()
        strays = session.execute(
            """
            select (select count(*) from public.order_items where order_id not in (select order_id from public.orders)),
                   (select count(*) from public.orders where user_id not in (select user_id from public.users))
            """
        ).fetchone()
    assert told is not None
    assert told[0] >= counts.rolled_back
    assert halves == (0, 0)
    assert strays is not None
    assert strays[0] == 0
    assert standing(database) == written(counts)


def test_transactions_are_open_side_by_side(database: str) -> None:
    """Commits come in another order than their transactions began: ids of a later row are committed before."""
    run_for(request(database, rate=100, mess=frozenset()), transactions=100)
    with psycopg.connect(database) as session:
        rows = session.execute("select xmin::text::bigint, ctid::text from public.order_items order by ctid").fetchall()
    writers = [writer for writer, _ in rows]
    assert len(set(writers)) > 10
    assert writers != sorted(writers), "rows of a later transaction stand before those of an earlier one"


def test_a_shop_that_is_opened_again_goes_on_with_what_stands(database: str) -> None:
    first = run_for(request(database, rate=50), transactions=40)
    again = run_for(request(database, rate=50), transactions=40)
    assert first.rows["products", "inserted"] >= 60 > again.rows["products", "inserted"]
    both = {table: written(first)[table] + written(again)[table] for table in CDC_TABLES}
    assert standing(database) == both
    with psycopg.connect(database) as session:
        (twice,) = session.execute("select count(*) - count(distinct email) from public.users").fetchone() or (None,)
    assert twice == 0


def test_it_ends_when_its_seconds_are_over_and_tells_a_line_a_second(database: str) -> None:
    lines: list[float] = []
    begun = time.monotonic()
    counts = run_live_shop(
        request(database, rate=5, seconds=3), threading.Event(), lambda so_far: lines.append(so_far.seconds)
    )
    assert 3 <= counts.seconds <= time.monotonic() - begun
    assert 1 <= len(lines) <= 3, "not one a transaction"
    assert lines == sorted(set(lines))
    assert standing(database) == written(counts)


def test_no_seconds_only_open_the_shop(database: str, live_kafka: Kafka, topic: str) -> None:
    counts = run_live_shop(request(database, live_kafka, topic, seconds=0), threading.Event())
    assert (counts.committed, counts.clicks.total()) == (1, 0)
    assert clicks_of(live_kafka, topic) == []
    assert standing(database) == {"users": 200, "products": 60, "orders": 0, "order_items": 0, "payments": 0}


def test_sigterm_ends_it_with_its_totals_and_no_open_transaction(database: str, live_kafka: Kafka) -> None:
    topic = "aura.clickstream"
    command = [str(Path(sys.executable).with_name("aura")), "simulate", "--live", "--format", "json"]
    words = ["--postgres", database, "--kafka", live_kafka.bootstrap, "--rate", "30"]
    running = subprocess.Popen(
        [*command, *words], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        assert running.stderr is not None
        lines = [running.stderr.readline() for _ in range(4)]
        running.send_signal(signal.SIGTERM)
        out, rest = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0, rest
    assert any("transactions/s" in line and "clicks/s" in line for line in lines)
    told = json.loads(out)
    rows = {table: verbs["inserted"] - verbs["deleted"] for table, verbs in told["rows"].items()}
    assert {table: rows.get(table, 0) for table in CDC_TABLES} == standing(database)
    assert len(clicks_of(live_kafka, topic)) == sum(told["clicks"].values())


def test_tables_of_somebody_else_are_left_alone(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("create table public.orders (order_id int primary key, total numeric)")
        with pytest.raises(SourceError, match=r"public\.orders is not the demo shop's: it lacks approved_at"):
            run_live_shop(request(database, seconds=1), threading.Event())
        there = session.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert there == (1,)


def test_a_database_that_does_not_answer_is_named() -> None:
    (nobody,) = free_ports(1)
    with pytest.raises(SourceUnavailable, match=f":{nobody}"):
        run_live_shop(request(f"postgresql://postgres@127.0.0.1:{nobody}/x", seconds=1), threading.Event())


def test_brokers_that_do_not_answer_are_named_before_anything_is_made(database: str) -> None:
    (nobody,) = free_ports(1)
    asked = LiveRequest(read_address(database), brokers=f"127.0.0.1:{nobody}", seconds=1)
    with pytest.raises(FeedUnavailable, match=f"127.0.0.1:{nobody} took no click"):
        run_live_shop(asked, threading.Event())
    with psycopg.connect(database) as session:
        there = session.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert there == (0,)
