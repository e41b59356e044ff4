"""Topics of a real broker into bronze: what only a broker can show of hard cases 50 to 61."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError

from aura_lake.contracts.contract import KAFKA, Feed, Format, Shop
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import FeedUnavailable
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.outside import kafka
from aura_lake.outside.kafka import TopicReader
from aura_lake.services.kafka import Kafka
from aura_lake.settings import Settings
from aura_lake.steps import land_topics as landing
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.land_report import LandReport
from tests.changes import change, things
from tests.services.live import running

pytestmark = pytest.mark.services


class Topic:
    """A topic of its own on a broker, and a lake that reads it."""

    def __init__(self, broker: Kafka, folder: Path, partitions: int = 1, **config: str) -> None:
        self.broker, self.name = broker, f"things-{uuid.uuid4().hex[:8]}"
        self.contract = things()
        self.feed = Feed("things", KAFKA + broker.bootstrap, Format.JSON, topics=(self.name,))
        settings = Settings(
            project=folder, home=str(folder / "lake"), state=folder / "state", shop=folder, environ=dict(os.environ)
        )
        shop = Shop("test", folder, {"things": self.contract}, {"things": self.feed})
        self.lake = Lake(settings, shop)
        self.make(partitions, **config)

    def admin(self) -> Any:
        return KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)

    def make(self, partitions: int = 1, **config: str) -> None:
        admin = self.admin()
        topic = NewTopic(self.name, partitions, 1, topic_configs={k.replace("_", "."): v for k, v in config.items()})
        admin.create_topics([topic], wait_for_metadata=True)
        admin.close()

    def make_again(self) -> None:
        """Make the topic once the broker has let go of the name."""
        for _ in range(50):
            with suppress(TopicAlreadyExistsError):
                self.make()
                return
            time.sleep(0.2)
        raise AssertionError(f"{self.name} still stands")

    def send(self, *values: Any, partition: int = 0, **options: Any) -> None:
        producer = KafkaProducer(bootstrap_servers=self.broker.bootstrap, **options)
        for value in values:
            raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
            producer.send(self.name, raw, key=b"k", partition=partition)
        producer.flush()
        producer.close()

    def land(self) -> LandReport:
        return land(self.lake, self.feed)

    def catch_up(self) -> None:
        judge(self.lake, self.contract)
        fold(self.lake, self.contract)

    def offsets(self) -> list[tuple[int, int]]:
        rows = self.lake.bronze("things").scan().filter(pl.col("row_kind") == "record")
        return sorted(rows.select("partition", "offset").collect().iter_rows())


@pytest.fixture
def topic(live_kafka: Kafka, tmp_path: Path) -> Topic:
    return Topic(live_kafka, tmp_path)


def test_case_050_what_stood_before_the_first_read_is_read_and_nothing_is_committed_to_the_broker(topic: Topic) -> None:
    topic.send(*(change("c", n, f"k{n}") for n in range(1, 6)))
    report = topic.land()
    assert (report.records, report.batches, report.stopped) == (5, 1, {})
    consumer = KafkaConsumer(bootstrap_servers=topic.broker.bootstrap, group_id="aura-lake")
    assert consumer.committed(TopicPartition(topic.name, 0)) is None
    consumer.close()
    assert topic.land().batches == 0, "nothing new makes no commit"
    topic.catch_up()
    assert count(topic.lake).problems() == []


def test_case_050_messages_of_a_transaction_that_was_rolled_back_are_never_read(topic: Topic) -> None:
    producer = KafkaProducer(bootstrap_servers=topic.broker.bootstrap, transactional_id=f"t-{topic.name}")
    producer.init_transactions()
    for word, is_kept in (("kept", True), ("dropped", False), ("kept too", True)):
        producer.begin_transaction()
        producer.send(topic.name, json.dumps(change("c", 1, word)).encode(), partition=0)
        producer.flush()  # an abort would drop what was not sent yet
        producer.commit_transaction() if is_kept else producer.abort_transaction()
    producer.close()
    report = topic.land()
    assert report.records == 2
    # Three messages and three markers; the last marker may come a moment after the commit was answered.
    assert topic.lake.bronze("things").watermark(_lane_name(topic)) in (4, 5)
    topic.catch_up()
    assert [row[0] for row in topic.lake.table("things").sort("id").collect().iter_rows()] == ["kept", "kept too"]
    assert count(topic.lake).problems() == []


def test_case_051_retention_that_ran_over_us_stops_the_lane_and_is_named(topic: Topic) -> None:
    topic.send(*(change("c", n, f"k{n}") for n in range(1, 4)))
    topic.land()
    topic.send(*(change("c", n, f"k{n}") for n in range(4, 9)))
    admin = topic.admin()
    admin.delete_records({TopicPartition(topic.name, 0): 6})
    admin.close()
    report = topic.land()
    assert (report.records, topic.offsets()[-1]) == (0, (0, 2))
    assert "3 offsets are gone" in report.stopped[f"{topic.name}[0]"]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(topic: Topic, codec: str) -> None:
    topic.send(*(change("c", n, f"k{n}", "word " * 50) for n in range(1, 200)), compression_type=codec)
    assert topic.land().records == 199


def test_case_053_a_compacted_topic_is_noticed(live_kafka: Kafka, tmp_path: Path) -> None:
    topic = Topic(live_kafka, tmp_path, cleanup_policy="compact")
    topic.send(change("c", 10, "a"))
    (note,) = topic.land().notes
    assert f"{topic.name} is compacted" in note
    with TopicReader(topic.feed, {}) as reader:
        assert reader.compacted([topic.name]) == {topic.name: True}
    plain = Topic(live_kafka, tmp_path / "plain")
    assert plain.land().notes == ()


def test_case_054_partitions_that_are_added_are_read_from_their_beginning(live_kafka: Kafka, tmp_path: Path) -> None:
    topic = Topic(live_kafka, tmp_path, partitions=1)
    topic.send(change("c", 10, "a", "old"))
    topic.land()
    admin = topic.admin()
    admin.create_partitions({topic.name: NewPartitions(3)})
    admin.close()
    topic.send(change("u", 20, "a", "new"), partition=2)
    report = topic.land()
    assert report.records == 1
    assert any("[2] is new" in note for note in report.notes)
    topic.catch_up()
    assert topic.lake.table("things").collect().rows() == [("a", "new", None)]


def test_case_055_a_topic_made_anew_is_another_topic(topic: Topic) -> None:
    topic.send(change("c", 1, "a"), change("c", 2, "b"))
    topic.land()
    admin = topic.admin()
    admin.delete_topics([topic.name])
    admin.close()
    assert "is gone" in topic.land().stopped[f"{topic.name}[0]"]
    topic.make_again()
    topic.send(change("c", 3, "c"))
    assert "made anew" in topic.land().stopped[f"{topic.name}[0]"]
    assert topic.offsets() == [(0, 0), (0, 1)]


def test_case_056_landers_at_the_same_time_land_every_offset_once(live_kafka: Kafka, tmp_path: Path) -> None:
    topic = Topic(live_kafka, tmp_path, partitions=4)
    for partition in range(4):
        topic.send(*(change("c", n, f"k{partition}-{n}") for n in range(300)), partition=partition)
    reports: list[LandReport] = []
    threads = [threading.Thread(target=lambda: reports.append(topic.land())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 3
    assert sum(report.records for report in reports) == 1200
    assert topic.offsets() == [(p, o) for p in range(4) for o in range(300)]


def test_case_058_a_corrupt_batch_stops_its_partition_and_the_others_go_on(tmp_path: Path) -> None:
    with running("kafka") as stack:
        topic = Topic(stack.kafka, tmp_path, partitions=2)
        topic.send(change("c", 1, "before"))
        topic.send(change("c", 2, "struck"))
        topic.send(change("c", 3, "other"), change("c", 4, "more"), partition=1)
        stack.kafka.stop()
        segment = next(stack.kafka.data.rglob(f"{topic.name}-0/00000000000000000000.log"))
        content = bytearray(segment.read_bytes())
        at = content.index(b"struck")
        content[at] ^= 0xFF
        segment.write_bytes(bytes(content))
        stack.kafka.start()
        report = topic.land()
        assert topic.offsets() == [(0, 0), (1, 0), (1, 1)]
        assert "offset 1 is corrupt" in report.stopped[f"{topic.name}[0]"]
        assert topic.land().records == 0, "it stays stopped, and nothing is read twice"


def test_case_061_a_backlog_is_cut_into_batches_of_bounded_size(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "BATCH_MESSAGES", 1_000)
    monkeypatch.setattr(kafka, "POLL_MESSAGES", 700)
    topic.send(*(change("c", n, f"k{n}") for n in range(5_000)), linger_ms=20)
    report = topic.land()
    assert report.records == 5_000
    assert report.batches >= 3
    ranges = topic.lake.bronze("things").scan().filter(pl.col("row_kind") == "range").collect().sort("batch")
    assert ranges["offset"].to_list()[1:] == ranges["next_offset"].to_list()[:-1]


def test_a_broker_that_is_away_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    with running("kafka") as stack:
        topic = Topic(stack.kafka, tmp_path)
        topic.send(change("c", 1, "a"))
        assert topic.land().records == 1
        topic.send(change("c", 2, "b"))
        stack.kafka.kill()
        with pytest.raises(FeedUnavailable, match="do not answer"):
            topic.land()
        stack.kafka.start()
        assert topic.land().records == 1
        assert topic.offsets() == [(0, 0), (0, 1)]


def test_a_topic_that_does_not_stand_yet_is_waited_for(live_kafka: Kafka, tmp_path: Path) -> None:
    topic = Topic(live_kafka, tmp_path)
    feed = Feed("things", KAFKA + live_kafka.bootstrap, Format.JSON, topics=(f"{topic.name}-later",))
    report = land(topic.lake, feed)
    assert report.waiting == {f"{topic.name}-later": "the topic does not stand yet"}


def test_a_pattern_reads_several_topics_into_one_feed(live_kafka: Kafka, tmp_path: Path) -> None:
    one, two = Topic(live_kafka, tmp_path / "a"), Topic(live_kafka, tmp_path / "b")
    one.send(change("c", 1, "a"))
    two.send(change("c", 2, "b"))
    pattern = f"^{one.name}$|^{two.name}$"
    feed = Feed("things", KAFKA + live_kafka.bootstrap, Format.JSON, topics=(pattern,))
    report = land(one.lake, feed)
    assert report.records == 2
    with TopicReader(feed, {}) as reader:
        assert [lane.topic for lane in reader.lanes()] == sorted([one.name, two.name])


def _lane_name(topic: Topic) -> str:
    with TopicReader(topic.feed, {}) as reader:
        return reader.lanes()[0].watermark


@pytest.fixture(autouse=True)
def _batches_are_numbered_without_gaps(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    topic = request.node.funcargs.get("topic")
    if topic is not None and (bronze := topic.lake.bronze("things")).exists:
        batches = bronze.scan().select(pl.col("batch").unique()).collect()["batch"].sort().to_list()
        assert batches == list(range(bronze.watermark(LANE) + 1))
