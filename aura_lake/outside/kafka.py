"""Kafka topics, read from where the caller says: offsets are remembered in the lake, never in the broker.

What the client would do by itself is switched off: it would begin at the newest message, commit offsets on its
own, and hand out messages of transactions that were rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource

from aura_lake.contracts.contract import Feed
from aura_lake.errors import FeedError, FeedUnavailable
from aura_lake.outside.kafka_refusal import find_refusal
from aura_lake.outside.kafka_settings import ANSWER_SECONDS, kafka_options
from aura_lake.outside.topic_chunk import Lane, TopicChunk, chunk_of

#: One poll gives at most so many messages; one request so many bytes of all partitions, and of one.
POLL_MESSAGES, FETCH_BYTES, PARTITION_FETCH_BYTES = 20_000, 16 << 20, 4 << 20

#: How long one lane alone is asked for the batch that may be corrupt.
PROBE_SECONDS = 5

#: How a reader of ours is set up, whatever it reads.
READS: Mapping[str, Any] = {
    "auto_offset_reset": "none",
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "check_crcs": True,
    "allow_auto_create_topics": False,
    "max_poll_records": POLL_MESSAGES,
    "fetch_max_bytes": FETCH_BYTES,
    "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
    "metrics_enabled": False,
}
#: Members of a group: sticky, so that a rebalance moves few lanes; gone after this long without a sign of life.
_MEMBER: Mapping[str, Any] = {
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 2_000,
    "max_poll_interval_ms": 600_000,
    "metadata_max_age_ms": 5_000,
}
_REFUSED = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.UnsupportedCodecError,
)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Extent:
    """What the broker holds of a lane for a reader of committed messages: offsets `[earliest, end)`."""

    earliest: int
    end: int


class CorruptLane(Exception):
    """A batch of the lane does not have the checksum it came with; nothing beyond `offset` can be read."""

    def __init__(self, lane: Lane, offset: int) -> None:
        self.lane, self.offset = lane, offset
        super().__init__(f"{lane}: the batch at offset {offset} is corrupt (its checksum differs)")


class TopicReader:
    """A reader of one feed's topics; `close` it, or use it in a `with` block.

    Raises FeedUnavailable where no broker answers (run again), FeedError where it refuses.
    """

    def __init__(self, feed: Feed, environ: Mapping[str, str]) -> None:
        self._feed = feed
        self._options = kafka_options(feed.brokers, environ)
        self._consumer: Any = None
        self._admin: Any = None
        self._positions: dict[Lane, int] = {}
        self._place: Callable[[list[Lane]], Mapping[Lane, int]] | None = None
        self._given: set[Any] | None = None
        #: Moves on with every rebalance: what was polled before one and not committed is read again.
        self.generation = 0

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the brokers."""
        for client in (self._consumer, self._admin):
            if client is not None:
                client.close()
        self._consumer = self._admin = None

    def topics(self) -> dict[str, str]:
        """Every topic that the brokers have, by name, with its id."""
        return {topic["name"]: _id_of(topic) for topic in self._describe(None)}

    def every_topic(self) -> dict[str, bool]:
        """Every topic that the brokers have, by name, with whether it is the brokers' own."""
        return {topic["name"]: bool(topic.get("is_internal")) for topic in self._describe(None, with_internal=True)}

    def lanes(self) -> list[Lane]:
        """Every partition of the feed's topics that stands now."""
        named = {topic for topic in self._feed.topics if not topic.startswith("^")}
        patterns = [re.compile(topic) for topic in self._feed.topics if topic.startswith("^")]
        described = self._describe(None if patterns else sorted(named))
        return sorted(
            Lane(topic["name"], _id_of(topic), partition["partition_index"])
            for topic in described
            if topic["name"] in named or any(p.fullmatch(topic["name"]) for p in patterns)
            for partition in topic["partitions"]
        )

    def compacted(self, topics: Iterable[str]) -> dict[str, bool | None]:
        """Whether the brokers take away what a later message of its key replaces, by topic; None: we may not ask."""
        found: dict[str, bool | None] = {}
        admin = self._admin or self._ask(lambda: KafkaAdminClient(**self._options))
        self._admin = admin
        for topic in topics:
            wanted = ConfigResource("topic", topic, {"cleanup.policy": None})
            try:
                with self._answers():
                    told = admin.describe_configs([wanted], config_filter="all")
            except FeedError as error:
                if not isinstance(error.__cause__, kafka_errors.AuthorizationError):
                    raise
                found[topic] = None
            else:
                found[topic] = "compact" in str(told["topic"][topic]["cleanup.policy"]["value"])
        return found

    def extents(self, lanes: Sequence[Lane]) -> dict[Lane, Extent]:
        """What the broker holds of each lane now."""
        if not lanes:
            return {}
        parts = [_part(lane) for lane in lanes]
        consumer = self._open()
        first = self._ask(lambda: consumer.beginning_offsets(parts, timeout_ms=ANSWER_SECONDS * 1000))
        end = self._ask(lambda: consumer.end_offsets(parts, timeout_ms=ANSWER_SECONDS * 1000))
        return {lane: Extent(first[part], end[part]) for lane, part in zip(lanes, parts, strict=True)}

    def seek(self, positions: Mapping[Lane, int]) -> None:
        """Read exactly these lanes from now on, from these offsets."""
        consumer = self._open()
        consumer.assign([_part(lane) for lane in positions])
        for lane, offset in positions.items():
            consumer.seek(_part(lane), offset)
        self._positions = dict(positions)

    def follow(self, group: str, place: Callable[[list[Lane]], Mapping[Lane, int]]) -> None:
        """Read the lanes that the consumer group shares out to this reader, from now on.

        `place` says where each of the lanes given to us is to be read on; one it leaves out is not read. It is
        asked at every rebalance: the offsets that the group may have committed are telemetry, and never used.
        """
        self.close()
        self._place = place
        self._consumer = self._ask(lambda: KafkaConsumer(**self._options, **READS, **_MEMBER, group_id=group))
        with self._answers():
            named = [topic for topic in self._feed.topics if not topic.startswith("^")]
            patterns = [topic for topic in self._feed.topics if topic.startswith("^")]
            if patterns:
                whole = "|".join(["^" + re.escape(topic) + "$" for topic in named] + [f"(?:{p})$" for p in patterns])
                self._consumer.subscribe(pattern=whole, listener=_Assigned(self._hold_lanes))
            else:
                # Asked for first: kafka-python may share out the partitions it knew when it joined, and not notice
                # that it learnt of more meanwhile.
                for topic in named:
                    self._consumer.partitions_for_topic(topic)
                self._consumer.subscribe(named, listener=_Assigned(self._hold_lanes))

    @property
    def positions(self) -> Mapping[Lane, int]:
        """The lanes read now, with the offset that comes next."""
        return dict(self._positions)

    def lag(self) -> int:
        """Messages of the lanes read now that the broker is known to have and that were not read."""
        return sum(
            max(0, (self._open().highwater(_part(lane)) or 0) - offset) for lane, offset in self._positions.items()
        )

    def move(self, positions: Mapping[Lane, int]) -> None:
        """Read these lanes, which are read already, on from another offset."""
        for lane, offset in positions.items():
            if lane in self._positions:
                self._open().seek(_part(lane), offset)
                self._positions[lane] = offset

    def tell_group(self, next_offsets: Mapping[Lane, int]) -> None:
        """Commit offsets to the group, so that Kafka's own tools show the lag. Nothing reads them back."""
        offsets = {_part(lane): OffsetAndMetadata(offset, "", -1) for lane, offset in next_offsets.items()}
        with suppress(kafka_errors.KafkaError):
            self._open().commit_async(offsets)

    def _hold_lanes(self, parts: Iterable[Any]) -> None:
        """The group gave us these partitions. This runs on the client's own loop, where nothing may wait: nothing
        is fetched until the next poll has asked where to read on."""
        self._given = set(parts)
        self._positions = {}
        for part in self._given:
            self._consumer.seek(part, 0)  # or the client looks for an offset that nobody committed
            self._consumer.pause(part)

    def _take_lanes(self) -> None:
        """Seek the partitions that the group gave us."""
        assert self._place is not None
        given, self._given = self._given, None
        wanted = {(part.topic, part.partition) for part in given or ()}
        lanes = [lane for lane in self.lanes() if (lane.topic, lane.partition) in wanted]
        places = dict(self._place(lanes))
        for lane, offset in places.items():
            self._consumer.seek(_part(lane), offset)
            self._consumer.resume(_part(lane))
        self._positions = places
        self.generation += 1

    def poll(self, timeout_seconds: float) -> list[TopicChunk]:
        """What came of the lanes that were sought: a chunk for each lane that moved on. None of it is remembered
        anywhere but in this reader. Raises CorruptLane: seek the others and go on with them."""
        consumer = self._open()
        try:
            with self._answers():
                polled = consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=POLL_MESSAGES)
                if self._given is not None:
                    self._take_lanes()
                    return []
                reached = {lane: consumer.position(_part(lane), timeout_ms=1000) for lane in self._positions}
        except kafka_errors.CorruptRecordError as error:
            raise self._find_corrupt() from error
        chunks = []
        for lane, offset in reached.items():
            first = self._positions[lane]
            if offset is None or offset <= first:
                continue
            chunks.append(chunk_of(lane, first, offset, polled.get(_part(lane), ())))
            self._positions[lane] = offset
        return chunks

    def read_ranges(self, ranges: Mapping[Lane, tuple[int, int]], patience_seconds: float) -> Iterator[TopicChunk]:
        """The messages of each lane's `[from, to)`, a lane's chunks in order. Raises FeedUnavailable where
        nothing comes for so long."""
        waiting = {lane: end for lane, (start, end) in ranges.items() if end > start}
        self.seek({lane: ranges[lane][0] for lane in waiting})
        idle = 0.0
        while waiting:
            chunks = self.poll(1.0)
            idle = 0.0 if chunks else idle + 1.0
            if idle > patience_seconds:
                raise FeedUnavailable(
                    f"{self._feed.name}: no message of {', '.join(map(str, sorted(waiting)))} came in "
                    f"{patience_seconds:.0f} s.",
                    fix=f"Look at the brokers {self._feed.brokers}; what was read so far is kept.",
                )
            for chunk in chunks:
                end = waiting[chunk.lane]
                yield chunk if chunk.next_offset <= end else _cut(chunk, end)
            done = [lane for lane, end in waiting.items() if self._positions[lane] >= end]
            for lane in done:
                del waiting[lane]
                self._positions.pop(lane)
                self._open().pause(_part(lane))

    def _find_corrupt(self) -> CorruptLane:
        """Which lane it is: each is tried alone, since the client names it only in its message, and does not go
        on behind a corrupt batch. It hands out what stands before one first, so a lane's position is the batch's."""
        self.close()
        for lane, offset in self._positions.items():
            probe = KafkaConsumer(**self._options, **READS)
            try:
                probe.assign([_part(lane)])
                probe.seek(_part(lane), offset)
                probe.poll(timeout_ms=PROBE_SECONDS * 1000, max_records=1)
            except kafka_errors.CorruptRecordError:
                return CorruptLane(lane, offset)
            finally:
                probe.close()
        raise FeedUnavailable(
            f"{self._feed.name}: a batch was corrupt on its way, and reads well again.", fix="It is read again."
        )

    def _describe(self, names: list[str] | None, *, with_internal: bool = False) -> list[dict[str, Any]]:
        if names == []:
            return []
        if self._admin is None:
            self._admin = self._ask(lambda: KafkaAdminClient(**self._options))
        described = self._ask(lambda: self._admin.describe_topics(names))
        missing = kafka_errors.UnknownTopicOrPartitionError.errno
        for topic in described:
            if topic["error_code"] not in (0, missing):
                error = kafka_errors.for_code(topic["error_code"])
                raise FeedError(
                    f"{self._feed.name}: the brokers {self._feed.brokers} do not describe the topic "
                    f"{topic['name']!r}: {error.__name__}.",
                    fix="Give the user of AURA_KAFKA_USERNAME the right to describe and read it.",
                )
        there = [topic for topic in described if topic["error_code"] == 0]
        return [topic for topic in there if with_internal or not topic.get("is_internal")]

    def _open(self) -> Any:
        if self._consumer is None:
            self._consumer = self._ask(lambda: KafkaConsumer(**self._options, **READS))
        return self._consumer

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        with self._answers():
            return question()

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """The client's errors as ours."""
        try:
            yield
        except kafka_errors.CorruptRecordError:
            raise
        except _REFUSED as error:
            raise FeedError(
                f"{self._feed.name}: the brokers {self._feed.brokers} refuse: {type(error).__name__}.",
                fix="Check AURA_KAFKA_SECURITY_PROTOCOL, AURA_KAFKA_USERNAME and AURA_KAFKA_PASSWORD, and the "
                "user's right to read the topics.",
            ) from error
        except (kafka_errors.KafkaError, OSError) as error:
            refusal = find_refusal(self._options)
            if refusal is not None:
                raise FeedError(f"{self._feed.name}: {refusal.says}.", fix=refusal.fix) from error
            raise FeedUnavailable(
                f"{self._feed.name}: the brokers {self._feed.brokers} do not answer: {type(error).__name__}.",
                fix="Nothing is lost: reading goes on where the lake says, once they answer.",
            ) from error


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Hears what the group gives us."""

    def __init__(self, take: Callable[[Iterable[Any]], None]) -> None:
        self._take = take
        self._held: set[Any] = set()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Nothing is to be saved: a batch that was not committed is read again by whoever has the lane then."""
        self._held -= set(revoked)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Lanes came; with those kept they are all of ours."""
        self._held |= set(assigned)
        self._take(self._held)


def _part(lane: Lane) -> Any:
    return TopicPartition(lane.topic, lane.partition)


def _id_of(topic: Mapping[str, Any]) -> str:
    """The topic's id; brokers before 2.8 have none, and a topic of the same name cannot be told apart there."""
    written = topic.get("topic_id")
    return str(written) if written and int(getattr(written, "int", 1)) else topic["name"]


def _cut(chunk: TopicChunk, end: int) -> TopicChunk:
    """The chunk up to `end`."""
    count = int((chunk.offsets < end).sum())
    return TopicChunk(
        chunk.lane,
        chunk.first_offset,
        end,
        chunk.offsets[:count],
        chunk.timestamps[:count],
        chunk.keys.slice(0, count),
        chunk.headers.slice(0, count),
        chunk.values.slice(0, count),
        chunk.value_sizes[:count],
        chunk.value_hashes.slice(0, count),
    )
