"""Gzip in blocks: whole, or refused with the reason."""

from __future__ import annotations

import gzip
import hashlib
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.outside.decompress import CorruptObject, Limits, StoredBytes, open_decompressed

TEXT = b'{"a":1}\n' * 5000


def read(stored: bytes, limits: Limits | None = None, block_bytes: int = 1000) -> bytes:
    blocks = list(open_decompressed(StoredBytes(io.BytesIO(stored)), "o.gz", limits or Limits(), block_bytes))
    assert all(0 < len(block) <= block_bytes for block in blocks)
    return b"".join(blocks)


def test_gzip_is_told_by_its_bytes_and_plain_text_passes():
    assert read(gzip.compress(TEXT)) == TEXT
    assert read(TEXT) == TEXT
    assert read(b"") == b""
    assert read(b"x") == b"x"


def test_the_hash_and_the_size_are_those_of_the_stored_bytes():
    stored = StoredBytes(io.BytesIO(packed := gzip.compress(TEXT)))
    for _ in open_decompressed(stored, "o.gz", Limits()):
        pass
    assert (stored.sha256, stored.stored_bytes) == (hashlib.sha256(packed).hexdigest(), len(packed))


def test_a_stream_that_gives_single_bytes_is_read_as_well():
    class Dripping(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1))

    blocks = open_decompressed(StoredBytes(Dripping(gzip.compress(TEXT))), "o.gz", Limits())
    assert b"".join(blocks) == TEXT


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (b"\x28\xb5\x2f\xfd....", "it is zstd; feeds are read plain or as gzip"),
        (b"PAR1....", "it is Parquet; feeds are read plain or as gzip"),
        (b"PK\x03\x04....", "it is a zip archive; feeds are read plain or as gzip"),
    ],
)
def test_other_formats_are_refused_by_name(stored, reason):
    with pytest.raises(CorruptObject) as caught:
        read(stored)
    assert caught.value.reason == reason


def test_an_object_over_the_byte_limit_is_refused_with_the_numbers():
    with pytest.raises(CorruptObject, match=r"more than the 10,000 bytes an object may hold decompressed"):
        read(gzip.compress(TEXT), Limits(max_object_bytes=10_000))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_gzip_is_refused_or_reads_the_same(data):
    """A flipped bit may stand where nothing reads it (a time, a name); then the text is the same."""
    packed = bytearray(gzip.compress(random.Random(3).randbytes(200) + TEXT[:800]))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(2, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut_to = data.draw(st.integers(2, len(packed)))
    try:
        text = read(bytes(packed[:cut_to]))
    except CorruptObject:
        return
    assert text == random.Random(3).randbytes(200) + TEXT[:800]
