"""A lake of one table and some topic partitions, for tests that say what a broker would hand out.

No broker: the messages go through the same chunks, commits, judging and folding as those of a consumer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from aura_lake.contracts.contract import KAFKA, Contract, Feed, Format, Shop
from aura_lake.delta.table import LakeTable
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.outside.topic_chunk import Lane, TopicChunk, chunk_of
from aura_lake.settings import Settings
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.topic_batch import commit_chunks
from tests.small_lake import SmallLake

Value = Mapping[str, Any] | bytes | None


@dataclass(frozen=True)
class Sent:
    """A message as a consumer gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes | None], ...] = ()


def sent(offset: int, value: Value, **more: Any) -> Sent:
    """A message at an offset; a mapping becomes JSON."""
    is_raw = value is None or isinstance(value, bytes)
    return Sent(offset, value if is_raw else json.dumps(value).encode(), **more)  # type: ignore[arg-type]


def lane(partition: int = 0, topic: str = "shop.things", topic_id: str = "id-1") -> Lane:
    """A lane of the one topic."""
    return Lane(topic, topic_id, partition)


def chunk(where: Lane, messages: Iterable[Sent], first: int | None = None, following: int | None = None) -> TopicChunk:
    """A chunk that begins at its first message, or at `first`, and ends behind its last, or at `following`."""
    given = list(messages)
    begin = given[0].offset if first is None else first
    return chunk_of(where, begin, given[-1].offset + 1 if following is None else following, given)


class SmallTopicLake(SmallLake):
    """`arrive_at` lands one chunk and brings it into silver."""

    def __init__(self, folder: Path, contract: Contract, format: Format = Format.JSON, **shop: Any) -> None:
        super().__init__(folder, contract, Format.JSON, **shop)
        self.feed = Feed(contract.feed, f"{KAFKA}127.0.0.1:1", format, topics=("shop.things",))
        settings = Settings(
            project=folder, home=str(folder / "lake"), state=folder / "lake" / "state", shop=folder, environ={}
        )
        feeds = {self.feed.name: self.feed}
        self.lake = Lake(
            settings, Shop(id="test", path=folder, contracts={contract.table: contract}, feeds=feeds, **shop)
        )

    @property
    def bronze(self) -> LakeTable:
        """The feed's bronze table, opened anew."""
        return self.lake.bronze(self.feed.name)

    def land(self, *chunks: TopicChunk, expecting: Mapping[Lane, int] | None = None) -> list[TopicChunk]:
        """Commit chunks as one batch, as a lander that read on from `expecting` (default: from what stands)."""
        self.lake.claim(self.lake.hash_key)
        table = self.bronze
        read_to = dict(expecting or {c.lane: table.watermark(c.lane.watermark) for c in chunks})
        return commit_chunks(table, chunks, read_to)

    def catch_up(self) -> SmallTopicLake:
        """Judge and fold what landed."""
        self.judged = judge(self.lake, self.contract)
        if is_folded(self.contract):
            self.folded = fold(self.lake, self.contract)
        return self

    def arrive_at(self, where: Lane, *messages: Sent) -> SmallTopicLake:
        """Land one chunk and bring it into silver."""
        self.land(chunk(where, messages))
        return self.catch_up()

    def records(self) -> pl.DataFrame:
        """The records in bronze: topic, partition, offset, value."""
        rows = self.bronze.scan().filter(pl.col("row_kind") == "record")
        return rows.select("topic", "partition", "offset", "value").collect().sort("topic", "partition", "offset")
