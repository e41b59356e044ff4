"""A real connector's records, as topics of a real broker, end in the rows that PostgreSQL held.

Each record stands in its topic at the partition and offset it had, with its key, headers and timestamp; the topics'
names have the recording's before them, since one broker holds all four. What has to differ from PostgreSQL is what
tests/cases/test_cdc_recorded.py expects of the same records as files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.serializer import Serializer

from aura_lake.lake import Lake
from aura_lake.services.kafka import Kafka
from aura_lake.settings import Settings
from aura_lake.steps.land import land
from tests.recorded_truth import assert_as_postgresql_held, bring_to_silver
from tests.recordings import CONFIGURATIONS, KEYLESS, KEYS, Recording, kafka_server, recording, shop_of, table_of

pytestmark = pytest.mark.services

#: The recordings are of a day: a broker may neither drop them as old nor refuse them as yet to come.
KEEP = {"retention.ms": "-1", "message.timestamp.after.max.ms": str((1 << 63) - 1)}

#: What stands for a null value until the message is serialized.
NULL = b"null, not yet"


class Nulls(Serializer):  # type: ignore[misc]
    """Values as they are, and null where the stand-in is: the client refuses a message without key and value, which is
    what follows a delete of a table without a key. It looks before this runs."""

    def serialize(self, topic: str, headers: object, data: bytes) -> bytes | None:
        return None if data == NULL else data


#: A message as it was recorded, and as bronze has it: topic, partition, offset, timestamp, key, value, headers.
Message = tuple[str, int, int, int, str | None, str | None, list[list[Any]]]


def recorded(told: Recording, prefix: str) -> Iterator[Message]:
    """The messages of the tables' topics. The client sends no header without a value: an empty one stands for it."""
    for record in told.records:
        if table_of(record["topic"]) is not None:
            place = f"{prefix}{record['topic']}", record["partition"], record["offset"], record["timestamp"]
            yield *place, record["key"], record["value"], [[name, text or ""] for name, text in record["headers"] or []]


def send(broker: Kafka, messages: list[Message]) -> None:
    """Make the topics and send every message to its partition, in the order of its offsets."""
    partitions: dict[str, int] = {}
    for topic, partition, *_ in messages:
        partitions[topic] = max(partitions.get(topic, 0), partition + 1)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics(
        [NewTopic(topic, number, 1, topic_configs=KEEP) for topic, number in partitions.items()],
        wait_for_metadata=True,
    )
    admin.close()
    options = {"acks": "all", "linger_ms": 20, "value_serializer": Nulls()}
    producer: Any = KafkaProducer(bootstrap_servers=broker.bootstrap, **options)
    sent = []
    for topic, partition, offset, timestamp, key, value, headers in messages:
        raw = [(name, text.encode()) for name, text in headers]
        where = {"partition": partition, "timestamp_ms": timestamp, "headers": raw}
        sent.append((offset, producer.send(topic, encoded(value) or NULL, key=encoded(key), **where)))
    producer.flush()
    producer.close()
    assert [answer.get(timeout=10).offset for _, answer in sent] == [offset for offset, _ in sent]


def encoded(text: str | None) -> bytes | None:
    """A key or a value as bytes; None of a tombstone."""
    return None if text is None else text.encode()


def landed(lake: Lake) -> list[Message]:
    """Every message that bronze holds."""
    found: list[Message] = []
    for feed in lake.shop.feeds:
        rows = lake.bronze(feed).scan().filter(pl.col("row_kind") == "record")
        for row in rows.collect().iter_rows(named=True):
            place = row["topic"], row["partition"], row["offset"], round(row["timestamp"].timestamp() * 1000)
            texts = (None if row[name] is None else row[name].decode() for name in ("key", "value"))
            found.append((*place, *texts, json.loads(row["headers"] or "[]")))
    return found


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_real_connectors_topics_end_in_the_rows_of_postgresql(
    shared_data: Path, live_kafka: Kafka, tmp_path: Path, configuration: str
) -> None:
    told, prefix = recording(shared_data, configuration), f"{configuration}."
    messages = list(recorded(told, prefix))
    send(live_kafka, messages)

    shop = shop_of(told, tmp_path / "shop", kafka_server(live_kafka.bootstrap, prefix))
    home = tmp_path / "lake"
    environ = dict(os.environ)
    settings = Settings(project=tmp_path, home=str(home), state=home / "state", shop=shop.path, environ=environ)
    lake = Lake(settings, shop)
    for feed in shop.feeds.values():
        report = land(lake, feed)
        assert (report.stopped, report.waiting) == ({}, {})
    assert sorted(landed(lake), key=repr) == sorted(messages, key=repr)
    leaves = {topic for topic, *_ in messages if table_of(topic.removeprefix(prefix)) == "events"}
    of_events = lake.bronze("events").scan().filter(pl.col("row_kind") == "record").select("topic").unique().collect()
    assert set(of_events["topic"]) == leaves
    assert len(leaves) >= 3, "one feed of several topics"

    bring_to_silver(lake)
    assert_as_postgresql_held(lake, told, (*KEYS, *KEYLESS))
    assert all(land(lake, feed).records == 0 for feed in shop.feeds.values()), "nothing is read twice"
