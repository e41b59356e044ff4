"""Must show: two `aura stream` processes, rebalances while records flow, and a zombie in mid-batch: one commit wins,
the other takes over, nothing is lost or doubled."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import polars as pl
import pytest
from kafka import KafkaProducer

from aura_lake.services.kafka import Kafka
from aura_lake.services.stack import Stack
from tests.services.lake_against_sources import Broker
from tests.services.live import running
from tests.services.streams import Stream, Streams, assert_ledger_balances, assert_same, tables
from tests.services.topics_of_a_shop import PARTITIONS, make_topics, messages

pytestmark = pytest.mark.services

Message = tuple[str, bytes, bytes]

#: Records sent together while records flow, and the pause behind them.
SLICE, PAUSE_SECONDS = 10, 0.15

#: A lease in S3 whose holder is silent is taken over after 30 s; a member of the group is missed after 10 s.
TAKEN_OVER_SECONDS = 240


def send(bootstrap: str, records: Sequence[Message], stop: threading.Event | None = None) -> None:
    """Send records; slowly until `stop` is set, where it is given."""
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    for number, (topic, key, value) in enumerate(records, 1):
        producer.send(topic, value, key=key, partition=crc32(key) % PARTITIONS)
        if stop is not None and number % SLICE == 0:
            producer.flush()
            stop.wait(PAUSE_SECONDS)
    producer.flush()
    producer.close()


@contextmanager
def flowing(bootstrap: str, records: Sequence[Message]) -> Iterator[None]:
    """Records flow while the block runs; those left come fast behind it."""
    stop = threading.Event()
    thread = threading.Thread(target=send, args=(bootstrap, records, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def stop_in_mid_batch(stream: Stream, layer: Path, seconds: float = 60) -> Path:
    """Stop a process with SIGSTOP between a file that it wrote below `layer` and the commit that would name it; that
    file. Where the commit was faster, it goes on and is stopped at another file."""
    known = _data_files(layer)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for file in _data_files(layer) - known:
            known.add(file)
            stream.send_signal(signal.SIGSTOP)
            table = next(folder for folder in file.parents if (folder / "_delta_log").is_dir() or folder == layer)
            log = table / "_delta_log"
            if table != layer and not any(file.name in commit.read_text() for commit in log.glob("*.json")):
                return file
            stream.send_signal(signal.SIGCONT)
    raise AssertionError(f"never seen between a file of {layer} and its commit in {seconds:.0f} s")


def _data_files(layer: Path) -> set[Path]:
    return {file for file in layer.rglob("*.parquet") if file.parent.name != "_delta_log"}


def is_committed(file: Path, layer: Path) -> bool:
    return any(file.name in commit.read_text() for commit in layer.rglob("_delta_log/*.json"))


@pytest.fixture
def topic_records(shop_records: Path) -> list[Message]:
    return list(messages(shop_records))


@pytest.fixture
def live(tmp_path: Path, topic_shop: Path, shop_records: Path) -> Iterator[tuple[Streams, Kafka]]:
    with running("kafka") as stack:
        make_topics(stack.kafka.bootstrap, shop_records)
        streams = Streams(tmp_path, stack.kafka.bootstrap, topic_shop)
        try:
            yield streams, stack.kafka
        finally:
            streams.end()


@pytest.fixture
def live_in_s3(
    tmp_path: Path, topic_shop: Path, shop_records: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Streams, Stack]]:
    with running("kafka", "s3") as stack:
        make_topics(stack.kafka.bootstrap, shop_records)
        stack.s3.make_bucket("lake")
        for name, value in stack.s3.client_environment.items():
            monkeypatch.setenv(name, value)  # boto3 reads the process's own
        streams = Streams(tmp_path, stack.kafka.bootstrap, topic_shop, "s3://lake/mart", stack.s3.client_environment)
        try:
            yield streams, stack
        finally:
            streams.end()


def assert_nothing_lost_or_doubled(
    streams: Streams, records: Sequence[Message], expected: Mapping[str, pl.DataFrame]
) -> None:
    """Bronze has each offset once, silver and gold are those of the files, and the ledger balances."""
    lake = streams.lake()
    assert Broker(streams.brokers, sorted({topic for topic, _, _ in records})).unlike_bronze(lake) == []
    assert_same(tables(lake), expected)
    assert_ledger_balances(lake)


def test_streams_that_come_and_go_while_records_flow_lose_and_double_nothing(
    live: tuple[Streams, Kafka], topic_records: list[Message], made_from_files: Mapping[str, pl.DataFrame]
) -> None:
    streams, kafka = live
    first = streams.start()
    first.await_line(role="applies", lanes=1)
    with flowing(kafka.bootstrap, topic_records):
        for ending in (signal.SIGTERM, signal.SIGKILL):
            other = streams.start()
            other.await_line(role="lands", lanes=1)
            assert other.end(ending) == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
        second = streams.start()
        second.await_line(role="lands", lanes=1)
        first.end(signal.SIGTERM)  # the applier itself
        second.await_line(role="applies")
    streams.await_published(len(topic_records))
    assert_nothing_lost_or_doubled(streams, topic_records, made_from_files)
    assert second.end() == 0


def test_a_zombie_that_landed_half_a_batch_finds_it_landed_by_the_other(
    live: tuple[Streams, Kafka], topic_records: list[Message], made_from_files: Mapping[str, pl.DataFrame]
) -> None:
    streams, kafka = live
    bronze = Path(streams.home) / "bronze"
    zombie = streams.start()
    zombie.await_line(role="applies", lanes=1)
    half = len(topic_records) // 2
    with flowing(kafka.bootstrap, topic_records[:half]):
        file = stop_in_mid_batch(zombie, bronze)
    other = streams.start()
    # On a local lake the lease is a lock of the kernel, and a process that stands still keeps it: the other lands.
    streams.await_landed(half, TAKEN_OVER_SECONDS)
    other.await_line(role="lands", lanes=1)
    assert not is_committed(file, bronze)
    zombie.send_signal(signal.SIGCONT)
    send(kafka.bootstrap, topic_records[half:])
    streams.await_published(len(topic_records))
    assert not is_committed(file, bronze), "what the zombie had begun was landed by the other, and by it alone"
    assert_nothing_lost_or_doubled(streams, topic_records, made_from_files)
    zombie.await_line(role="applies")
    assert [stream.end() for stream in streams.streams] == [0, 0]


def test_on_s3_the_other_takes_over_from_a_zombie_which_then_only_lands(
    live_in_s3: tuple[Streams, Stack], topic_records: list[Message], made_from_files: Mapping[str, pl.DataFrame]
) -> None:
    streams, stack = live_in_s3
    lake = stack.s3.folder / "buckets" / "lake" / "mart"
    zombie = streams.start()
    zombie.await_line(role="applies", lanes=1)
    half = len(topic_records) // 2
    with flowing(stack.kafka.bootstrap, topic_records[:half]):
        file = stop_in_mid_batch(zombie, lake / "silver")
    other = streams.start()
    other.await_line(TAKEN_OVER_SECONDS, role="applies")
    streams.await_published(half)
    assert not is_committed(file, lake / "silver")
    zombie.send_signal(signal.SIGCONT)
    send(stack.kafka.bootstrap, topic_records[half:])
    streams.await_published(len(topic_records))
    assert not is_committed(file, lake / "silver"), "the batch was judged once, by the other"
    assert_nothing_lost_or_doubled(streams, topic_records, made_from_files)
    zombie.await_line(role="lands")
    assert other.lines()[-1]["role"] == "applies"
    assert [stream.end() for stream in streams.streams] == [0, 0]
