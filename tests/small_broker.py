"""A broker within the test: what kafka-python's client shows of one, as far as `TopicReader` looks.

It does what a real client does with the options it is given, the bad ones too: begins at the newest message, commits
by itself, hands out what was rolled back and what is damaged. tests/services/test_kafka.py asks a real broker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka.errors import CorruptRecordError, NoOffsetForPartitionError, TopicAuthorizationFailedError

from aura_lake.outside import kafka
from tests.small_topics import Sent


@dataclass
class SmallBroker:
    """Partitions of one topic, a message an offset; (partition, offset) of what was rolled back, and of what is
    damaged."""

    topic: str
    partitions: Sequence[Sequence[Sent]]
    rolled_back: set[tuple[int, int]] = field(default_factory=set)
    damaged: set[tuple[int, int]] = field(default_factory=set)
    cleanup_policy: str | None = "delete"  #: None: nobody may ask
    commits: list[Any] = field(default_factory=list)
    consumers: list[_Consumer] = field(default_factory=list)
    on_poll: Callable[[Mapping[int, int]], None] = lambda positions: None

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> SmallBroker:
        """Take the place of kafka-python's consumer and admin."""
        monkeypatch.setattr(kafka, "KafkaConsumer", lambda **options: _Consumer(self, options))
        monkeypatch.setattr(kafka, "KafkaAdminClient", lambda **_: _Admin(self))
        return self


class _Admin:
    """What `describe_topics` tells."""

    def __init__(self, broker: SmallBroker) -> None:
        self._broker = broker

    def describe_topics(self, names: Sequence[str] | None) -> list[dict[str, Any]]:
        parts = [{"partition_index": number} for number in range(len(self._broker.partitions))]
        topic = {"name": self._broker.topic, "topic_id": "id-1", "error_code": 0, "partitions": parts}
        return [{**topic, "is_internal": False}] if names is None or self._broker.topic in names else []

    def describe_configs(self, resources: Sequence[Any], config_filter: str) -> dict[str, Any]:
        policy = {"cleanup.policy": {"value": self._broker.cleanup_policy}}
        if policy["cleanup.policy"]["value"] is None:
            raise TopicAuthorizationFailedError(self._broker.topic)
        return {"topic": {resource.name: policy for resource in resources}}

    def close(self) -> None:
        """Nothing is open."""


class _Consumer:
    """A consumer with the options it was made with; what is missing has kafka-python's default."""

    def __init__(self, broker: SmallBroker, options: Mapping[str, Any]) -> None:
        self._broker, self.options = broker, dict(options)
        self._commits_itself = options.get("enable_auto_commit", True)
        self._sees_all = options.get("isolation_level", "read_uncommitted") == "read_uncommitted"
        self._looks = options.get("check_crcs", True)
        self._at: dict[Any, int | None] = {}
        self._paused: set[Any] = set()
        broker.consumers.append(self)

    def assign(self, parts: Sequence[Any]) -> None:
        self._at, self._paused = dict.fromkeys(parts), set()

    def seek(self, part: Any, offset: int) -> None:
        self._at[part] = offset

    def pause(self, part: Any) -> None:
        self._paused.add(part)

    def beginning_offsets(self, parts: Sequence[Any], timeout_ms: int) -> dict[Any, int]:
        return dict.fromkeys(parts, 0)

    def end_offsets(self, parts: Sequence[Any], timeout_ms: int) -> dict[Any, int]:
        return {part: len(self._broker.partitions[part.partition]) for part in parts}

    def position(self, part: Any, timeout_ms: int) -> int | None:
        return self._at[part]

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Sent]]:
        """Up to `max_records` messages of the partitions that are not paused."""
        self._broker.on_poll({part.partition: at or 0 for part, at in self._at.items()})
        polled: dict[Any, list[Sent]] = {}
        room = max_records
        for part in [part for part in self._at if part not in self._paused]:
            messages = self._read(part, room)
            room -= len(messages)
            if messages:
                polled[part] = messages
        if self._commits_itself:
            self._broker.commits.append(dict(self._at))
        return polled

    def _read(self, part: Any, room: int) -> list[Sent]:
        """What comes next of a partition, up to a damaged batch; that itself is an error once it comes first."""
        log, at = self._broker.partitions[part.partition], self._at[part]
        if at is None:
            if self.options.get("auto_offset_reset", "latest") == "none":
                raise NoOffsetForPartitionError(part)
            at = len(log)
        found: list[Sent] = []
        for message in log[at:]:
            place = part.partition, message.offset
            if self._looks and place in self._broker.damaged:
                if not found and message.offset == self._at[part]:
                    raise CorruptRecordError(f"Record batch for partition {part} at offset {message.offset} failed crc")
                break
            if len(found) == room:
                break
            at = message.offset + 1
            if self._sees_all or place not in self._broker.rolled_back:
                found.append(message)
        self._at[part] = at
        return found

    def commit_async(self, offsets: Mapping[Any, Any]) -> None:
        self._broker.commits.append(offsets)

    def close(self) -> None:
        """Nothing is open."""
