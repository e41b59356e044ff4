"""`aura stream` on a real broker: what it makes of topics equals what `aura run` makes of the same records in files,
whoever is killed, and however many processes land."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
import pytest

from aura_lake.services.kafka import Kafka
from tests.services.live import running
from tests.services.streams import Streams, assert_ledger_balances, assert_same, tables
from tests.services.topics_of_a_shop import make_topics, send_shop

pytestmark = pytest.mark.services


@pytest.fixture
def live(tmp_path: Path, topic_shop: Path) -> Iterator[tuple[Streams, Kafka]]:
    with running("kafka") as stack:
        streams = Streams(tmp_path, stack.kafka.bootstrap, topic_shop)
        try:
            yield streams, stack.kafka
        finally:
            streams.end()


def test_what_is_streamed_equals_what_is_run_from_files(
    live: tuple[Streams, Kafka], shop_records: Path, made_from_files: Mapping[str, pl.DataFrame]
) -> None:
    streams, kafka = live
    make_topics(kafka.bootstrap, shop_records)
    stream = streams.start()
    sent = send_shop(kafka.bootstrap, shop_records)
    streams.await_published(sent)
    assert stream.end() == 0, "SIGTERM ends it cleanly"
    lines = stream.lines()
    assert lines[-1]["records"] == sent
    assert any(line["role"] == "applies" for line in lines)
    assert_same(tables(streams.lake()), made_from_files)
    assert_ledger_balances(streams.lake())
    assert _shown_in_dagster(streams) >= {"silver/orders", "gold/fct_sales_revenue", "bronze/aura_orders"}


def test_two_streams_share_the_lanes_and_the_other_takes_over_when_the_applier_dies(
    live: tuple[Streams, Kafka], shop_records: Path, made_from_files: Mapping[str, pl.DataFrame]
) -> None:
    streams, kafka = live
    make_topics(kafka.bootstrap, shop_records)
    first = streams.start()
    first.await_line(role="applies")
    second = streams.start()
    second.await_line(lanes=1)
    sent = send_shop(kafka.bootstrap, shop_records)
    time.sleep(2)
    first.end(signal.SIGKILL)
    streams.await_published(sent)
    assert second.lines()[-1]["role"] == "applies"
    assert_same(tables(streams.lake()), made_from_files)
    assert_ledger_balances(streams.lake())


def test_a_stream_waits_for_brokers_that_are_away_and_goes_on(
    live: tuple[Streams, Kafka], shop_records: Path, made_from_files: Mapping[str, pl.DataFrame]
) -> None:
    streams, kafka = live
    make_topics(kafka.bootstrap, shop_records)
    stream = streams.start()
    sent = send_shop(kafka.bootstrap, shop_records)
    time.sleep(5)
    kafka.kill()
    time.sleep(5)
    kafka.start()
    streams.await_published(sent)
    assert stream.process.poll() is None, "it went on by itself"
    assert_same(tables(streams.lake()), made_from_files)


def _shown_in_dagster(streams: Streams) -> set[str]:
    from aura_lake.orchestration.instance import open_instance

    with open_instance(streams.lake().settings) as instance:
        return {"/".join(key.path) for key in instance.get_asset_keys()}
