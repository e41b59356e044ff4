"""Messages of one topic partition on their way to bronze."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aura_lake.outside.decompress import Limits

_MAX_RECORD_BYTES = Limits().max_record_bytes

Headers = Sequence[tuple[str, bytes | None]]


class Lane(NamedTuple):
    """One topic partition. The id tells a topic from another of the same name that came after it."""

    topic: str
    topic_id: str
    partition: int

    @property
    def watermark(self) -> str:
        """The name under which bronze remembers the last offset it holds."""
        return f"topic/{self.topic_id}/{self.partition}"

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class Message(Protocol):
    """What is read of a consumer's record."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True)
class TopicChunk:
    """Consecutive messages of a lane: one entry a message in every array, offsets ascending.

    `next_offset`: where reading goes on, beyond the last message and what follows it that is none (the markers
    of transactions, what compaction took). There may be no message at all.
    """

    lane: Lane
    first_offset: int
    next_offset: int
    offsets: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]  #: milliseconds since 1970, UTC; -1: the message has none
    keys: pa.LargeBinaryArray
    headers: pa.StringArray  #: `headers_text` of each; null where there are none
    values: pa.LargeBinaryArray  #: null: a tombstone, or over the cap and then with a hash
    value_sizes: npt.NDArray[np.int64]  #: bytes; 0 of a tombstone
    value_hashes: pa.StringArray  #: SHA-256 in hex of a value over the cap, else null

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def nbytes(self) -> int:
        """Bytes of keys, values and headers."""
        return int(self.values.nbytes + self.keys.nbytes + self.headers.nbytes)


def chunk_of(lane: Lane, first_offset: int, next_offset: int, messages: Sequence[Message]) -> TopicChunk:
    """A chunk out of a consumer's messages."""
    values = [message.value for message in messages]
    sizes = np.array([0 if value is None else len(value) for value in values], np.int64)
    hashes: pa.StringArray = pa.nulls(len(values), pa.string())
    over = np.flatnonzero(sizes > _MAX_RECORD_BYTES)
    if len(over):
        digests: list[str | None] = [None] * len(values)
        for index in over:
            digests[index] = hashlib.sha256(values[index] or b"").hexdigest()
            values[index] = None
        hashes = pa.array(digests, pa.string())
    return TopicChunk(
        lane,
        first_offset,
        next_offset,
        np.array([message.offset for message in messages], np.int64),
        np.array([message.timestamp for message in messages], np.int64),
        pa.array([message.key for message in messages], pa.large_binary()),
        _headers(messages),
        pa.array(values, pa.large_binary()),
        sizes,
        hashes,
    )


def headers_text(headers: Headers) -> str:
    """Headers as a JSON list of [name, text], in order; a value that is no UTF-8 is {"base64": …}."""
    return json.dumps([[name, _header_value(value)] for name, value in headers], ensure_ascii=False)


def _headers(messages: Sequence[Message]) -> pa.StringArray:
    known: dict[tuple[tuple[str, bytes | None], ...], str] = {}
    texts: list[str | None] = []
    for message in messages:
        if not message.headers:
            texts.append(None)
            continue
        same = tuple(message.headers)
        text = known.get(same)
        if text is None:
            text = known[same] = headers_text(same)
        texts.append(text)
    return pa.array(texts, pa.string())


def _header_value(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
