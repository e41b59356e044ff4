"""Cutting bytes fed in blocks of any size, for the splitters' tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from aura_lake.outside.chunk import RecordChunk
from aura_lake.outside.records import Splitter

#: (byte offset, bytes or None over the cap, size, hash or None) of one record.
Piece = tuple[int, bytes | None, int, str | None]
CutFunction = Callable[[Splitter, bytes, Sequence[int]], list[Piece]]


def _pieces(chunks: Sequence[RecordChunk]) -> list[Piece]:
    return [
        (int(offset), value, int(size), digest)
        for chunk in chunks
        for offset, value, size, digest in zip(
            chunk.byte_offsets,
            chunk.values.to_pylist(),
            chunk.value_sizes,
            chunk.value_hashes.to_pylist(),
            strict=True,
        )
    ]


def _cut(splitter: Splitter, data: bytes, sizes: Sequence[int]) -> list[Piece]:
    chunks: list[RecordChunk] = []
    position, turn = 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)] if sizes else len(data)
        chunks.extend(splitter.feed(data[position : position + size]))
        position, turn = position + size, turn + 1
    chunks.extend(splitter.finish())
    return _pieces(chunks)


@pytest.fixture(scope="session")
def cut() -> CutFunction:
    """Feeds data in blocks of the given sizes (turn by turn; none: at once) and gives the pieces."""
    return _cut
