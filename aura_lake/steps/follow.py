"""Follow: messages land while they come, in small batches; the lanes are shared with other processes.

Where a lane is read on is asked of bronze at every rebalance. A batch that was polled and not committed when the
lanes are dealt out anew is let go, and read again by whoever has its lanes then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from aura_lake.contracts.contract import Feed
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.lake import Lake
from aura_lake.outside.kafka import CorruptLane, TopicReader
from aura_lake.outside.topic_chunk import Lane, TopicChunk
from aura_lake.steps.land_report import LandReport
from aura_lake.steps.land_topics import corrupt_says, plan_lanes
from aura_lake.steps.topic_batch import commit_chunks

#: A batch is held open this long after its first message, so that a trickle is not a commit a message.
LINGER_SECONDS = 0.2

#: Of a trickle the client hands out a message or two at a time, each at the price of many: it is left to gather.
TRICKLE_MESSAGES, TRICKLE_SECONDS = 1_000, 0.05

#: A batch is closed at this size, however fast more comes.
BATCH_BYTES, BATCH_MESSAGES = 32 << 20, 100_000


@dataclass(frozen=True)
class Followed:
    """One micro-batch: what each feed landed, and when the newest of its messages was written to its topic
    (milliseconds since 1970; None where none has a time)."""

    reports: Mapping[str, LandReport] = field(default_factory=dict)
    newest_millis: int | None = None

    @property
    def records(self) -> int:
        """Messages that came."""
        return sum(report.records for report in self.reports.values())


class Follower:
    """Follows all feeds of topics of a shop; use it in a `with` block.

    Raises FeedUnavailable where brokers do not answer; `restart` and poll again after a while: nothing that was
    not committed is lost. `stopped` names the lanes that are not read, with what to do.
    """

    def __init__(self, lake: Lake, feeds: Iterable[Feed]) -> None:
        self._lake = lake
        lake.claim(lake.hash_key)
        self._groups = [_Group(lake, feeds) for feeds in _apart(feeds)]

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the groups, so that others get the lanes at once."""
        for group in self._groups:
            group.close()

    def restart(self) -> None:
        """Let go of the brokers; the next poll joins again and asks bronze where to read on."""
        self.close()

    def poll(self, seconds: float) -> Followed:
        """What came within so long, landed; returns soon after something came."""
        share = seconds / max(1, len(self._groups))
        reports: dict[str, LandReport] = {}
        newest: list[int] = []
        for group in self._groups:
            landed, at = group.poll(share)
            reports.update(landed)
            newest += [] if at is None else [at]
        return Followed(reports, max(newest, default=None))

    @property
    def stopped(self) -> Mapping[str, str]:
        """Lanes of ours that are not read, by name, with the reason."""
        return {name: reason for group in self._groups for name, reason in group.stopped.items()}

    @property
    def lanes(self) -> frozenset[Lane]:
        """The lanes that are ours now."""
        return frozenset(lane for group in self._groups for lane in group.lanes)

    def lag(self) -> int:
        """Messages that wait at the brokers in the lanes that are ours."""
        return sum(group.lag() for group in self._groups)


class _Group:
    """Feeds of one cluster whose topics differ: one consumer reads them all."""

    def __init__(self, lake: Lake, feeds: Sequence[Feed]) -> None:
        self._lake, self._feeds = lake, feeds
        topics = tuple(sorted({topic for feed in feeds for topic in feed.topics}))
        self._feed = Feed(", ".join(f.name for f in feeds), feeds[0].location, feeds[0].format, topics=topics)
        self._name = f"aura-{lake.shop.id}-{'-'.join(f.name for f in feeds)}"[:200]
        self._tables: dict[str, LakeTable] = {}
        self._read_to: dict[Lane, int] = {}
        self._reader: TopicReader | None = None
        self._corrupt: dict[Lane, str] = {}
        self._unreadable: dict[Lane, str] = {}

    @property
    def stopped(self) -> dict[str, str]:
        """Lanes that are not read, by name, with the reason."""
        return {str(lane): reason for lane, reason in {**self._corrupt, **self._unreadable}.items()}

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def lanes(self) -> Iterable[Lane]:
        return () if self._reader is None else self._reader.positions.keys()

    def lag(self) -> int:
        return 0 if self._reader is None else self._reader.lag()

    def poll(self, seconds: float) -> tuple[dict[str, LandReport], int | None]:
        reader = self._open()
        held: list[TopicChunk] = []
        size, count, generation = 0, 0, reader.generation
        begun = time.monotonic()
        until = begun + seconds
        while True:
            try:
                chunks = reader.poll(max(0.0, until - time.monotonic()))
            except CorruptLane as corrupt:
                self._corrupt[corrupt.lane] = corrupt_says(corrupt)
                self.close()
                break
            if reader.generation != generation:
                # The lanes were dealt out anew: what is held is read again by whoever has them now.
                held, size, count, generation = [], 0, 0, reader.generation
            if chunks and not held:
                until = time.monotonic() + LINGER_SECONDS
            held += chunks
            size += sum(chunk.nbytes for chunk in chunks)
            count += sum(len(chunk) for chunk in chunks)
            if size >= BATCH_BYTES or count >= BATCH_MESSAGES or time.monotonic() >= until:
                break
            if chunks and sum(len(chunk) for chunk in chunks) < TRICKLE_MESSAGES:
                time.sleep(min(TRICKLE_SECONDS, max(0.0, until - time.monotonic())))
        return self._land(held, begun)

    def _open(self) -> TopicReader:
        if self._reader is None:
            reader = TopicReader(self._feed, self._lake.settings.environ)
            reader.follow(self._name, self._places)
            self._reader = reader
        return self._reader

    def _places(self, lanes: Sequence[Lane]) -> dict[Lane, int]:
        """Where each of these lanes is read on; lanes that stop are left out and named."""
        places: dict[Lane, int] = {}
        self._tables.clear()
        self._unreadable = {}
        for feed in self._feeds:
            table = self._tables[feed.name] = self._lake.bronze(feed.name)
            mine = [lane for lane in lanes if _reads(feed, lane.topic)]
            if not mine:
                continue
            with TopicReader(feed, self._lake.settings.environ) as asking:
                plan = plan_lanes(self._lake, feed, table, asking, only=mine)
            self._unreadable |= {lane: stop.says for lane, stop in plan.stopped.items()}
            for lane, (start, _) in plan.ranges.items():
                if lane not in self._corrupt:
                    places[lane] = start
                    self._read_to[lane] = table.watermark(lane.watermark)
        return places

    def _land(self, held: list[TopicChunk], begun: float) -> tuple[dict[str, LandReport], int | None]:
        reports: dict[str, LandReport] = {}
        moved: dict[Lane, int] = {}
        for feed in self._feeds:
            chunks = [chunk for chunk in held if _reads(feed, chunk.lane.topic)]
            if not chunks:
                continue
            table = self._tables[feed.name]
            landed = commit_chunks(table, chunks, self._read_to)
            lost = {c.lane: self._read_to[c.lane] + 1 for c in chunks} if len(landed) < len(chunks) else {}
            if lost and self._reader is not None:
                self._reader.move(lost)
            moved |= {chunk.lane: chunk.next_offset for chunk in landed}
            reports[feed.name] = LandReport(
                feed.name,
                batches=int(bool(landed)),
                records=sum(len(chunk) for chunk in landed),
                raw_bytes=sum(int(chunk.value_sizes.sum()) for chunk in landed),
                stopped={n: r for n, r in self.stopped.items() if _reads(feed, n.rpartition("[")[0])},
                watermark=table.watermark(LANE),
                seconds=time.monotonic() - begun,
            )
        if moved and self._reader is not None:
            self._reader.tell_group(moved)
        newest = max((int(chunk.timestamps.max()) for chunk in held if len(chunk)), default=-1)
        return reports, newest if newest >= 0 else None


def _reads(feed: Feed, topic: str) -> bool:
    return any(re.fullmatch(t, topic) if t.startswith("^") else t == topic for t in feed.topics)


def _apart(feeds: Iterable[Feed]) -> list[list[Feed]]:
    """Feeds that one consumer can read together: the same brokers, and no topic in two of them."""
    groups: list[list[Feed]] = []
    for feed in feeds:
        has_pattern = any(topic.startswith("^") for topic in feed.topics)
        for group in groups:
            theirs = {topic for other in group for topic in other.topics}
            if (
                group[0].brokers == feed.brokers
                and not has_pattern
                and not any(topic.startswith("^") for topic in theirs)
                and not theirs & set(feed.topics)
            ):
                group.append(feed)
                break
        else:
            groups.append([feed])
    return groups
