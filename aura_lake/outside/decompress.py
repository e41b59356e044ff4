"""Stored bytes to decompressed blocks: plain or gzip, told by the first bytes, never the name.

Memory is bounded: one block at a time, and a bomb is refused while it streams. The
SHA-256 is that of the stored bytes, taken on the way.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from isal import igzip, igzip_lib

from aura_lake.errors import Terminal

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Small enough that blocks and what is made of them stay in the cache and in memory that is used again:
#: blocks of 4 MiB are mapped anew each time, which costs as much as the decompression.
BLOCK_BYTES = 512 * 1024
_MIB = 1024 * 1024

#: First bytes of what is neither text nor gzip: refused by name instead of cut into garbage.
_FOREIGN = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "Parquet",
    b"Obj\x01": "an Avro container",
    b"ORC": "ORC",
}


class CorruptObject(Terminal):
    """An object that cannot be read whole. Nothing of it may be committed; it is recorded as corrupt.

    `position`: stored bytes read when it was noticed (reads ahead by at most one buffer).
    """

    def __init__(self, name: str, reason: str, position: int) -> None:
        self.name = name
        self.reason = reason
        self.position = position
        super().__init__(
            f"{name}: {reason} (noticed after {position:,} stored bytes).",
            fix="None of its records were taken. Deliver the object again; the new bytes are read by themselves.",
        )


@dataclass(frozen=True)
class Limits:
    """What one object, and one record in it, may grow to."""

    max_object_bytes: int = 64 * 1024 * _MIB  #: decompressed
    max_ratio: int = 1000  #: decompressed to stored bytes, checked after `ratio_free_bytes`
    ratio_free_bytes: int = 64 * _MIB
    max_record_bytes: int = 16 * _MIB  #: larger values are kept as length and hash


class StoredBytes(io.RawIOBase):
    """The raw stream of an object, hashed and counted as it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._pushed_back = b""
        self.stored_bytes = 0

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes read so far; of the whole object after its end."""
        return self._hash.hexdigest()

    def peek_first(self) -> bytes:
        """The first bytes of the object (at least 8 unless it is shorter), still to be read."""
        head = b""
        while len(head) < 8 and (block := self._take(64 * 1024)):
            head += block
        self._pushed_back = head
        return head

    def check_unchanged(self) -> None:
        """Raises ObjectChanged where the stream can tell that its object changed: then it is not corrupt."""
        check = getattr(self._stream, "check_unchanged", None)
        if check is not None:
            check()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = BLOCK_BYTES if size is None or size < 0 else size
        if self._pushed_back:
            block, self._pushed_back = self._pushed_back[:wanted], self._pushed_back[wanted:]
            return block
        return self._take(wanted)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        block = self.read(view.nbytes)
        view[: len(block)] = block
        return len(block)

    def _take(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._hash.update(block)
        self.stored_bytes += len(block)
        return block


def open_decompressed(
    stored: StoredBytes, name: str, limits: Limits, block_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """The decompressed blocks of an object, none of them empty, at most `block_bytes` each.

    Raises CorruptObject for damaged gzip (truncated, without a trailer, wrong checksum,
    trailing bytes that are no member), for a format that is neither text nor gzip, and
    where the limits are passed.
    """
    first = stored.peek_first()
    for magic, what in _FOREIGN.items():
        if first.startswith(magic):
            raise CorruptObject(name, f"it is {what}; feeds are read plain or as gzip", stored.stored_bytes)
    if first.startswith(b"\x1f\x8b"):
        blocks = _gunzip(stored, name, block_bytes)
    else:
        blocks = iter(lambda: stored.read(block_bytes), b"")
    raw_bytes = 0
    for block in blocks:
        raw_bytes += len(block)
        _check_limits(name, raw_bytes, stored.stored_bytes, limits)
        yield block


def _gunzip(stored: StoredBytes, name: str, block_bytes: int) -> Iterator[bytes]:
    """Blocks of all members, one after the other."""
    with igzip.IGzipFile(fileobj=stored, mode="rb") as reader:  # type: ignore[no-untyped-call]
        while True:
            try:
                block = reader.read(block_bytes)
            except EOFError as error:
                raise CorruptObject(
                    name,
                    "the gzip stream ends within a member: truncated, or followed by bytes that are none",
                    stored.stored_bytes,
                ) from error
            except (gzip.BadGzipFile, igzip_lib.IsalError, zlib.error) as error:  # type: ignore[misc]
                raise CorruptObject(
                    name, f"the gzip stream is damaged: {_cause(error)}", stored.stored_bytes
                ) from error
            if not block:
                return
            yield block


def _cause(error: Exception) -> str:
    """What the decompressor says, without the object's bytes that it quotes."""
    said = str(error)
    return "bytes follow that are no gzip member" if said.startswith("Not a gzipped file") else said


def _check_limits(name: str, raw_bytes: int, stored_bytes: int, limits: Limits) -> None:
    if raw_bytes > limits.max_object_bytes:
        raise CorruptObject(
            name,
            f"it holds more than the {limits.max_object_bytes:,} bytes an object may hold decompressed",
            stored_bytes,
        )
    if raw_bytes > limits.ratio_free_bytes and raw_bytes > limits.max_ratio * stored_bytes:
        raise CorruptObject(
            name,
            f"a decompression bomb: {raw_bytes:,} bytes out of {stored_bytes:,} stored ones, "
            f"more than {limits.max_ratio:,} to 1",
            stored_bytes,
        )
