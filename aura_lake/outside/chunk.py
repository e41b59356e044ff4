"""Records on their way from an object to bronze."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Positions = npt.NDArray[np.int64]
WHITE_SPACE = b" \t\r\n"
_TAIL_BYTES = 64 * 1024
_NEWLINE = 0x0A

#: Chunks smaller than this on average are copied together when joined; larger ones stay where they are.
_WORTH_COPYING_BYTES = 64 * 1024


@dataclass(frozen=True)
class RecordChunk:
    """Consecutive records of one object, one entry a record in every field."""

    values: pa.LargeBinaryArray | pa.ChunkedArray  #: the record's bytes; null where it is over the cap
    byte_offsets: Positions  #: of the first byte, in the decompressed object
    value_sizes: Positions  #: bytes, also where the value is null
    value_hashes: pa.StringArray | pa.ChunkedArray  #: SHA-256 in hex where the value is null, else null

    def __len__(self) -> int:
        return len(self.values)


def cut_out(data: bytes, starts: Positions, ends: Positions, base: int, max_record_bytes: int) -> RecordChunk:
    """The records `data[start:end]`, ascending and not overlapping; `base` is the offset of `data`.

    Records that touch each other share the memory of `data`; others are copied once.
    """
    count = len(starts)
    if count == 0:
        return RecordChunk(_array(data, np.zeros(1, np.int64)), starts + base, ends - starts, pa.nulls(0, pa.string()))
    sizes = ends - starts
    over = sizes > max_record_bytes
    hashes = pa.nulls(count, pa.string())
    lines = None if over.any() else _lines_without_ends(data, starts, ends)
    if lines is not None:
        values = _array(lines, np.append(np.zeros(1, np.int64), np.cumsum(sizes)))
    elif not over.any() and np.array_equal(starts[1:], ends[:-1]):
        values = _array(data, np.append(starts, ends[-1:]))
    else:
        bounds = np.empty(2 * count, np.int64)
        bounds[0::2] = starts
        bounds[1::2] = ends
        wanted = pa.array(np.arange(0, 2 * count, 2), mask=over)
        values = _array(data, bounds).take(wanted)
        if over.any():
            large = {int(i): hashlib.sha256(data[starts[i] : ends[i]]).hexdigest() for i in np.flatnonzero(over)}
            hashes = pa.array([large.get(i) for i in range(count)], pa.string())
    return RecordChunk(values, starts + base, sizes, hashes)


def join(chunks: list[RecordChunk]) -> RecordChunk:
    """One chunk out of consecutive ones."""
    if len(chunks) == 1:
        return chunks[0]
    values = pa.chunked_array([chunk.values for chunk in chunks])
    if values.nbytes < _WORTH_COPYING_BYTES * len(chunks):
        values = values.combine_chunks()
    return RecordChunk(
        values,
        np.concatenate([chunk.byte_offsets for chunk in chunks]),
        np.concatenate([chunk.value_sizes for chunk in chunks]),
        pa.chunked_array([chunk.value_hashes for chunk in chunks]).combine_chunks(),
    )


class OversizeRecord:
    """A record over the cap: hashed as it streams by, not held.

    Until more than the cap belongs to it for certain it is held, since what looked like
    too much may turn out to be a line end.
    """

    def __init__(self, byte_offset: int, max_record_bytes: int, *, is_line: bool = False) -> None:
        self._byte_offset = byte_offset
        self._max_record_bytes = max_record_bytes
        self._is_line = is_line  # one \r at its end is no part of it; otherwise no white space is
        self._hash = hashlib.sha256()
        self._size = 0
        self._held: list[bytes] = []
        self._tail = b""  # may turn out to lie behind the record

    def add(self, block: bytes) -> None:
        """The record goes on with these bytes."""
        block = self._tail + block
        kept = block.removesuffix(b"\r") if self._is_line else block.rstrip(WHITE_SPACE)
        if len(block) - len(kept) > _TAIL_BYTES:
            kept = block
        self._put(kept)
        self._tail = block[len(kept) :]

    def finish(self) -> RecordChunk:
        """The record: without its bytes, if it is over the cap indeed."""
        is_over = self._size > self._max_record_bytes
        return RecordChunk(
            pa.array([None if is_over else b"".join(self._held)], pa.large_binary()),
            np.array([self._byte_offset], np.int64),
            np.array([self._size], np.int64),
            pa.array([self._hash.hexdigest() if is_over else None], pa.string()),
        )

    def _put(self, block: bytes) -> None:
        self._hash.update(block)
        self._size += len(block)
        if self._size <= self._max_record_bytes:
            self._held.append(block)
        else:
            self._held.clear()


def _lines_without_ends(data: bytes, starts: Positions, ends: Positions) -> bytes | None:
    """The records back to back, where they are lines with exactly one newline between them and none inside.

    To delete a byte that stands everywhere between records moves them all at once, at the speed of memory.
    """
    if not np.array_equal(starts[1:], ends[:-1] + 1):
        return None
    view = np.frombuffer(data, np.uint8)
    if not (view[ends[:-1]] == _NEWLINE).all():
        return None
    first, last = int(starts[0]), int(ends[-1])
    packed = data[first:last].replace(b"\n", b"")
    return packed if len(packed) == last - first - (len(ends) - 1) else None


def _array(data: bytes, offsets: Positions) -> pa.LargeBinaryArray:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
