"""Hard cases of Kafka that hang on how the client is set up (50, 53, 58, 61), with a broker within the test.

tests/services/test_kafka.py has them with a real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.contract import Contract
from aura_lake.ledger.count import count
from aura_lake.outside import kafka
from aura_lake.steps import land_topics as landing
from aura_lake.steps.land_report import LandReport
from tests.changes import change, things
from tests.small_broker import SmallBroker
from tests.small_topics import Sent, SmallTopicLake, lane, sent

TOPIC = "shop.things"


def log_of(*keys: str) -> list[Sent]:
    """A partition: one created row a key."""
    return [sent(offset, change("c", offset + 1, key)) for offset, key in enumerate(keys)]


class FollowingLake(SmallTopicLake):
    """A lake that reads the topic through the client."""

    def __init__(self, folder: Path, contract: Contract) -> None:
        super().__init__(folder, contract)

    def follow(self) -> LandReport:
        """Land what the topic holds now."""
        return landing.land_topics(self.lake, self.feed)


@pytest.fixture
def lake(tmp_path: Path) -> FollowingLake:
    return FollowingLake(tmp_path, things())


def test_case_050_reading_begins_at_the_first_message_and_commits_nothing_to_the_broker(
    lake: FollowingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = SmallBroker(TOPIC, [log_of("a", "b", "c")]).stand_in(monkeypatch)
    assert lake.follow().records == 3
    assert lake.follow().batches == 0, "the lake says how far it has read"
    assert broker.commits == []
    assert {consumer.options["auto_offset_reset"] for consumer in broker.consumers} == {"none"}
    assert {row[0] for row in lake.catch_up().rows()} == {"a", "b", "c"}


def test_case_050_messages_that_were_rolled_back_are_never_read(
    lake: FollowingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallBroker(TOPIC, [log_of("kept", "dropped", "kept too")], rolled_back={(0, 1)}).stand_in(monkeypatch)
    assert lake.follow().records == 2
    assert lake.records()["offset"].to_list() == [0, 2]
    assert {row[0] for row in lake.catch_up().rows()} == {"kept", "kept too"}
    assert count(lake.lake).problems() == []


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("delete", []),
        ("compact,delete", ["its history may lack versions"]),
        (None, ["no right to describe its configuration"]),
    ],
)
def test_case_053_history_read_from_a_compacted_topic_is_marked(
    lake: FollowingLake, monkeypatch: pytest.MonkeyPatch, policy: str | None, says: list[str]
) -> None:
    SmallBroker(TOPIC, [log_of("a")], cleanup_policy=policy).stand_in(monkeypatch)
    report = lake.follow()
    assert (report.records, len(report.notes)) == (1, len(says))
    assert all(words in note and TOPIC in note for words, note in zip(says, report.notes, strict=True))


def test_case_058_a_corrupt_batch_stops_its_lane_by_name_and_the_others_go_on(
    lake: FollowingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = [log_of("before", "struck", "behind"), log_of("other", "more")]
    broker = SmallBroker(TOPIC, partitions, damaged={(0, 1)}).stand_in(monkeypatch)
    report = lake.follow()
    assert list(report.stopped) == [f"{TOPIC}[0]"]
    assert "offset 1 is corrupt" in report.stopped[f"{TOPIC}[0]"]
    assert lake.records().select("partition", "offset").rows() == [(0, 0), (1, 0), (1, 1)]
    assert lake.follow().records == 0, "it stays stopped, and nothing is read twice"
    broker.damaged.clear()
    assert lake.follow().records == 2, "a partition that was mended is read on where it stopped"


def test_case_061_a_backlog_of_many_batches_is_never_held_beyond_two(
    lake: FollowingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, poll, messages = 1_000, 300, 12_000
    monkeypatch.setattr(landing, "BATCH_MESSAGES", batch)
    monkeypatch.setattr(kafka, "POLL_MESSAGES", poll)
    held: list[int] = []

    def look(positions: Mapping[int, int]) -> None:
        held.append(positions[0] - (lake.bronze.watermark(lane().watermark) + 1))

    broker = SmallBroker(TOPIC, [log_of(*(f"k{n}" for n in range(messages)))], on_poll=look)
    broker.stand_in(monkeypatch)
    report = lake.follow()
    assert (report.records, report.stopped) == (messages, {})
    assert report.batches >= messages // (batch + poll)
    assert poll < max(held) <= 2 * (batch + poll), "one batch is written while the next is polled"
    ranges = lake.bronze.scan().filter(pl.col("row_kind") == "range").collect().sort("batch")
    assert ranges["offset"].to_list()[1:] == ranges["next_offset"].to_list()[:-1]
