"""Land what lies in a feed's topics now: each lane from its watermark to the end it has at the start.

What was gone before it was read is never passed over in silence: such a lane stops, the others go on, and the
report says what a person can decide.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Feed, Kind
from aura_lake.decisions import ACCEPT_GAP, ACCEPT_TOPIC, Decision, decisions
from aura_lake.delta.table import NEVER, LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.lake import Lake
from aura_lake.outside.kafka import CorruptLane, Extent, TopicReader
from aura_lake.outside.topic_chunk import Lane, TopicChunk
from aura_lake.steps.land_report import LandReport, Progress
from aura_lake.steps.topic_batch import commit_chunks

#: A batch closes once it holds this much; both bound the memory of a backlog of any length.
BATCH_BYTES, BATCH_MESSAGES = 64 << 20, 200_000

#: How long brokers may give nothing of what they said they have.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Stop:
    """Why a lane is not read on. `kind` and `facts`: the decision that would let it; None where none does."""

    says: str
    kind: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """From where each lane is read, to the end it has now; why others stop; what a person may want to know."""

    ranges: dict[Lane, tuple[int, int]] = field(default_factory=dict)
    stopped: dict[Lane, Stop] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def lag(self) -> int:
        """Offsets that were not read yet, markers of transactions among them."""
        return sum(end - start for start, end in self.ranges.values())


def land_topics(
    lake: Lake,
    feed: Feed,
    *,
    only: Sequence[Lane] | None = None,
    most_bytes: int | None = None,
    progress: Progress | None = None,
) -> LandReport:
    """Load every message that the feed's topics hold now (of all lanes, or `only` these); a report of what came.

    With `most_bytes` reading ends once so much came; lanes that hold more are `waiting`, with how much.
    Raises FeedUnavailable where the brokers do not answer; what was committed before stands.
    """
    started = time.monotonic()
    lake.claim(lake.hash_key)
    table = lake.bronze(feed.name)
    with TopicReader(feed, lake.settings.environ) as reader:
        plan = plan_lanes(lake, feed, table, reader, only=only)
        if any(contract.kind is Kind.CDC for contract in lake.shop.readers(feed.name)):
            topics = sorted({lane.topic for lane in plan.ranges})
            plan = replace(plan, notes=(*plan.notes, *compaction_notes(feed, reader.compacted(topics))))
        read_to = {lane: table.watermark(lane.watermark) for lane in plan.ranges}
        landing = _Landing(table, plan, read_to, progress, most_bytes)
        stopped = {lane: stop.says for lane, stop in plan.stopped.items()}
        while True:
            try:
                landing.read(reader)
                break
            except CorruptLane as corrupt:
                stopped[corrupt.lane] = corrupt_says(corrupt)
                landing.leave_out(corrupt.lane)
    return LandReport(
        feed=feed.name,
        batches=landing.batches,
        records=landing.records,
        raw_bytes=landing.raw_bytes,
        waiting={**plan.waiting, **landing.waiting},
        stopped={str(lane): reason for lane, reason in sorted(stopped.items())},
        notes=plan.notes,
        watermark=table.watermark(LANE),
        seconds=time.monotonic() - started,
    )


def plan_lanes(
    lake: Lake, feed: Feed, table: LakeTable, reader: TopicReader, *, only: Sequence[Lane] | None = None
) -> Plan:
    """What is to be read of each lane that stands now, or of `only` these."""
    lanes = reader.lanes() if only is None else list(only)
    known = known_topics(table)
    plan = judge_lanes(
        feed,
        {lane: table.watermark(lane.watermark) for lane in lanes},
        reader.extents(lanes),
        known,
        decisions(lake, ACCEPT_GAP, ACCEPT_TOPIC) if known else [],
    )
    if only is not None:
        return plan
    named = {topic for topic in feed.topics if not topic.startswith("^")}
    there = {lane.topic for lane in lanes}
    waiting = dict.fromkeys(sorted(named - there - known.keys()), "the topic does not stand yet")
    gone = {
        Lane(topic, topic_id, 0): Stop(
            f"the topic {topic} is gone; {feed.name} has read from it before. "
            "Make it again, or take it out of the contract."
        )
        for topic, topic_id in known.items()
        if topic not in there and topic in named
    }
    return replace(plan, waiting=waiting, stopped={**plan.stopped, **gone})


def compaction_notes(feed: Feed, compacted: Mapping[str, bool | None]) -> list[str]:
    """What to know of changes that came through topics which brokers compact."""
    return [
        f"{topic} is compacted: changes that a later one of their key replaced may be gone before they are read. "
        f"Current rows of {feed.name} are right, its history may lack versions (cleanup.policy=delete keeps them)."
        if is_so
        else f"whether {topic} is compacted is not known: no right to describe its configuration"
        for topic, is_so in compacted.items()
        if is_so is not False
    ]


def known_topics(table: LakeTable) -> dict[str, str]:
    """The topics that were read, by name, each with the id of the newest of that name."""
    if not table.exists:
        return {}
    ranges = table.scan().filter(pl.col("row_kind") == "range").group_by("topic", "etag")
    newest = ranges.agg(pl.col("batch").max()).collect().sort("batch")
    return dict(newest.select("topic", "etag").iter_rows())


def judge_lanes(
    feed: Feed,
    watermarks: Mapping[Lane, int],
    extents: Mapping[Lane, Extent],
    known: Mapping[str, str],
    decided: Sequence[Decision],
) -> Plan:
    """Which lanes may be read on, and from where. Pure.

    `watermarks`: the last offset that bronze holds of each lane; `known`: topic -> id, of those read before.
    """
    ranges: dict[Lane, tuple[int, int]] = {}
    stopped: dict[Lane, Stop] = {}
    notes: list[str] = []
    for lane, last in watermarks.items():
        extent = extents[lane]
        was = known.get(lane.topic)
        if was is not None and was != lane.topic_id and not _is_accepted_topic(decided, feed, lane):
            stopped[lane] = Stop(
                f"the topic {lane.topic} was made anew: its id is {lane.topic_id}, and {feed.name} has read {was}. "
                f"What the old one held unread is lost. Take a new snapshot (`aura source resnapshot`), and let the "
                f"new one be read: `aura source accept {feed.name} --reason …`.",
                ACCEPT_TOPIC,
                {"feed": feed.name, "topic": lane.topic, "topic_id": lane.topic_id},
            )
            continue
        is_new_partition = last == NEVER and was == lane.topic_id
        start = last + 1
        if last == NEVER and not is_new_partition:
            if extent.earliest > 0:
                notes.append(f"{lane} begins at {extent.earliest}: what stood before was gone before the first read")
            start = extent.earliest
        elif is_new_partition:
            notes.append(f"{lane} is new: the topic has more partitions than before")
        if start < extent.earliest and not _is_accepted_gap(decided, feed, lane, start, extent.earliest):
            stopped[lane] = Stop(
                f"{lane}: {feed.name} has read to offset {last}, and the broker begins at {extent.earliest}: "
                f"{extent.earliest - start} offsets are gone (retention). Take a new snapshot "
                f"(`aura source resnapshot`), and go on behind the gap: `aura source accept {feed.name} --reason …`.",
                ACCEPT_GAP,
                {"feed": feed.name, "lane": lane.watermark, "from": start, "to": extent.earliest},
            )
        elif start > extent.end:
            stopped[lane] = Stop(
                f"{lane}: {feed.name} has read to offset {last}, and the broker ends at {extent.end}: "
                f"{start - extent.end} offsets that were read are gone there (an unclean election, or a restore). "
                f"New messages would take their numbers. Make the topic anew, then `aura source accept {feed.name}`."
            )
        else:
            ranges[lane] = (max(start, extent.earliest), extent.end)
    return Plan(ranges, stopped, {}, tuple(notes))


def _is_accepted_topic(decided: Sequence[Decision], feed: Feed, lane: Lane) -> bool:
    return any(
        d.kind == ACCEPT_TOPIC and d.facts.get("feed") == feed.name and d.facts.get("topic_id") == lane.topic_id
        for d in decided
    )


def _is_accepted_gap(decided: Sequence[Decision], feed: Feed, lane: Lane, start: int, earliest: int) -> bool:
    return any(
        d.kind == ACCEPT_GAP
        and (d.facts.get("feed"), d.facts.get("lane")) == (feed.name, lane.watermark)
        and d.facts["from"] <= start
        and d.facts["to"] >= earliest
        for d in decided
    )


def corrupt_says(corrupt: CorruptLane) -> str:
    """Why a lane with a corrupt batch stops, and what to do."""
    return (
        f"{corrupt}. What stands before it was read, the other partitions go on. Mend the partition from another "
        "replica, or delete its records up to that batch; then the gap is named and can be accepted."
    )


class _Landing:
    """Chunks on their way into batches. One batch is written while the next is polled: most of writing needs no
    Python. So memory holds two batches at most."""

    def __init__(
        self,
        table: LakeTable,
        plan: Plan,
        read_to: dict[Lane, int],
        progress: Progress | None,
        most_bytes: int | None = None,
    ) -> None:
        self._table, self._read_to, self._progress, self._most_bytes = table, read_to, progress, most_bytes
        self._read_bytes = 0
        self._ranges = dict(plan.ranges)
        self._lag = plan.lag
        self._done = 0
        self._held: list[TopicChunk] = []
        self._held_bytes = self._held_messages = 0
        self._writing: tuple[list[TopicChunk], Future[list[TopicChunk]]] | None = None
        self.batches = self.records = self.raw_bytes = 0

    @property
    def waiting(self) -> dict[str, str]:
        """Lanes that were not read to the end they had, by name."""
        if self._most_bytes is None or self._read_bytes < self._most_bytes:
            return {}
        left = {lane: end - at for lane, (at, end) in self._ranges.items() if end > at}
        return {str(lane): f"{count:,} offsets wait for the next look" for lane, count in left.items()}

    def leave_out(self, lane: Lane) -> None:
        """Do not read this lane any further."""
        self._ranges.pop(lane, None)

    def read(self, reader: TopicReader) -> None:
        """Read what is left of the ranges, and commit it, also where a corrupt lane ends the reading."""
        with ThreadPoolExecutor(1, thread_name_prefix="topic-batch") as writer:
            try:
                for chunk in reader.read_ranges(self._ranges, PATIENCE_SECONDS):
                    if chunk.lane not in self._ranges:
                        continue
                    self._ranges[chunk.lane] = (chunk.next_offset, self._ranges[chunk.lane][1])
                    self._take(chunk, writer)
                    self._read_bytes += chunk.nbytes
                    if self._most_bytes is not None and self._read_bytes >= self._most_bytes:
                        break
            finally:
                self._commit(writer)
                self._settle()

    def _take(self, chunk: TopicChunk, writer: ThreadPoolExecutor) -> None:
        self._held.append(chunk)
        self._held_bytes += chunk.nbytes
        self._held_messages += len(chunk)
        self._done += chunk.next_offset - chunk.first_offset
        if self._progress:
            self._progress(self._done, self._lag)
        if self._held_bytes >= BATCH_BYTES or self._held_messages >= BATCH_MESSAGES:
            self._commit(writer)

    def _commit(self, writer: ThreadPoolExecutor) -> None:
        self._settle()
        # A lane that another process has read on is its own: nothing more is written of it in this landing.
        chunks = [chunk for chunk in self._held if chunk.lane in self._ranges]
        self._held, self._held_bytes, self._held_messages = [], 0, 0
        if chunks:
            self._writing = chunks, writer.submit(commit_chunks, self._table, chunks, self._read_to)

    def _settle(self) -> None:
        """Wait for the batch that is being written, and count it."""
        if self._writing is None:
            return
        chunks, future = self._writing
        self._writing = None
        landed = future.result()
        self.batches += bool(landed)
        self.records += sum(len(chunk) for chunk in landed)
        self.raw_bytes += sum(int(chunk.value_sizes.sum()) for chunk in landed)
        for lane in {chunk.lane for chunk in chunks} - {chunk.lane for chunk in landed}:
            self._ranges.pop(lane, None)
