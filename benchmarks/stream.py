"""Kafka to bronze: a backlog of messages from a real broker, beside the raw poll of the same client.

The floor is kafka-python itself: a consumer with the same settings that polls the same messages and keeps nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Case, Check, Report, measure, prepare
from benchmarks.places import fresh
from benchmarks.stopwatch import Stopwatch
from benchmarks.stream_peers import TRICKLE_RATE, TRICKLE_SECONDS

SIZES = {"full": 2_000_000, "small": 200_000}
TOPIC, PARTITIONS = "bench.events", 4

#: Bronze is filled at so much of the raw poll rate at least; both on one core, by CPU and by the clock.
RATE_BAR, MEMORY_BAR_MB = 1 / 0.8, 800


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether the bars hold. Needs Java and Maven, as `aura services up --only kafka` does."""
    count = SIZES[scale]
    with broker() as bootstrap:
        arguments = {"bootstrap": bootstrap, "count": count}
        prepare(Case("messages", "benchmarks.stream:produce", arguments))
        cases = [
            Case("floor: kafka-python polls", "benchmarks.stream:floor", arguments),
            Case("aura land, topics", "benchmarks.stream:aura", arguments),
        ]
        figures = measure(cases)
        figures += measure(_peers(arguments, spark), rounds=1)
        trickled = []
        for number, (label, target) in enumerate(_trickles(spark)):
            topic = f"bench.trickle.{number}"
            prepare(Case("a topic", "benchmarks.stream:make_topic", {"bootstrap": bootstrap, "topic": topic}))
            trickled += measure([Case(label, target, {"bootstrap": bootstrap, "topic": topic})], rounds=1)
    floor_figure, ours = figures[:2]
    checks = [
        Check("time to the raw poll", ours.wall_seconds / floor_figure.wall_seconds, RATE_BAR),
        Check("peak memory, MB", ours.peak_mb, MEMORY_BAR_MB),
    ]
    notes = [
        f"{floor_figure.facts['messages'] / floor_figure.wall_seconds:,.0f} messages/s polled, "
        f"{ours.facts['rows'] / ours.wall_seconds:,.0f} records/s in bronze"
    ]
    return Report(f"Landing a backlog of {count:,} Kafka messages into bronze", [*figures, *trickled], checks, notes)


def _peers(arguments: dict[str, Any], spark: bool) -> list[Case]:
    """The peers on the same backlog."""
    told = {**arguments, "topic": TOPIC}
    peers = [Case("dlt, backlog", "benchmarks.stream_peers:dlt_backlog", told)]
    if spark:
        peers.append(Case("Spark, backlog", "benchmarks.stream_peers:spark_backlog", told))
    return peers


def _trickles(spark: bool) -> list[tuple[str, str]]:
    """Who reads a trickle, and how old messages are when they stand in the table: label and case."""
    names = ["aura", "dlt", *(["spark"] if spark else [])]
    return [
        (f"{name}, {TRICKLE_RATE} messages/s for {TRICKLE_SECONDS} s", f"benchmarks.stream_peers:{name}_trickle")
        for name in names
    ]


@contextmanager
def broker() -> Iterator[str]:
    """A Kafka of its own; its bootstrap address."""
    from aura_lake.services.stack import Stack

    with tempfile.TemporaryDirectory(prefix="aura-bench-") as folder:
        stack = Stack.below(Path(folder), is_durable=False, dies_with_us=True).with_free_ports()
        stack.up(["kafka"])
        try:
            yield stack.kafka.bootstrap
        finally:
            stack.kafka.kill()


def make_topic(stopwatch: Stopwatch, bootstrap: str, topic: str) -> None:
    """A topic of four partitions."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)], wait_for_metadata=True)
    admin.close()


def produce(stopwatch: Stopwatch, bootstrap: str, count: int) -> dict[str, Any]:
    """Fill the topic, lz4, in four partitions."""
    from kafka import KafkaProducer

    make_topic(stopwatch, bootstrap, TOPIC)
    producer: Any = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=50, batch_size=256 << 10, acks=1
    )
    with stopwatch:
        for number in range(count):
            producer.send(TOPIC, event(number), key=b"%d" % (number % 5_000), partition=number % PARTITIONS)
        producer.flush()
    producer.close()
    return {"messages": count}


def floor(stopwatch: Stopwatch, bootstrap: str, count: int) -> dict[str, Any]:
    """Poll everything with the reader's own settings; keep nothing."""
    from kafka import KafkaConsumer, TopicPartition

    from aura_lake.outside.kafka import READS

    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap, **READS)
    parts = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    consumer.assign(parts)
    for part in parts:
        consumer.seek(part, 0)
    seen = 0
    with stopwatch:
        while seen < count:
            seen += sum(len(messages) for messages in consumer.poll(timeout_ms=1000).values())
    consumer.close()
    return {"messages": seen}


def aura(stopwatch: Stopwatch, bootstrap: str, count: int) -> dict[str, Any]:
    """Land the backlog."""
    from aura_lake.contracts.contract import KAFKA, Feed, Format, Shop
    from aura_lake.lake import Lake
    from aura_lake.settings import Settings
    from aura_lake.steps.land import land

    home = fresh("stream")
    feed = Feed("events", KAFKA + bootstrap, Format.JSON, topics=(TOPIC,))
    settings = Settings(project=home, home=str(home / "lake"), state=home / "state", shop=home)
    lake = Lake(settings, Shop("bench", home, {}, {"events": feed}))
    lake.claim(lake.hash_key)
    with stopwatch:
        report = land(lake, feed)
    assert report.records == count, report
    return {"rows": report.records, "commits": report.batches}


def event(number: int) -> bytes:
    event = {
        "event_time": f"2026-11-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00Z",
        "event_type": ("view", "cart", "purchase")[number % 3],
        "product_id": 1_000_000 + number % 9_973,
        "category_code": f"electronics.group_{number % 131}",
        "brand": f"brand_{number % 211}",
        "price": f"{number % 50_000 / 100:.2f}",
        "user_id": 500_000_000 + number % 100_003,
        "user_session": f"{number * 2_654_435_761 % 2**64:016x}",
    }
    return json.dumps(event).encode()
