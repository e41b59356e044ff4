"""From a stored object to its records: decompress, cut, count, hash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from aura_lake.contracts.contract import Feed, Format
from aura_lake.errors import ContractError
from aura_lake.outside.chunk import RecordChunk, join
from aura_lake.outside.decompress import CorruptObject, Limits, StoredBytes, open_decompressed
from aura_lake.outside.folder import FolderStore
from aura_lake.outside.objects import ObjectStore
from aura_lake.outside.pattern import EXACT, split_location
from aura_lake.outside.s3 import S3Settings, S3Store
from aura_lake.outside.split_csv import CsvSplitter
from aura_lake.outside.split_json import JsonSplitter
from aura_lake.outside.split_jsonl import JsonLinesSplitter

DEFAULT_LIMITS = Limits()
DEFAULT_S3 = S3Settings()

#: Chunks are joined up to this many bytes: a chunk becomes one row group of a file.
_CHUNK_BYTES = 16 * 1024 * 1024


class Splitter(Protocol):
    """Cuts decompressed blocks, of any size, into records."""

    def feed(self, block: bytes) -> Iterator[RecordChunk]:
        """The records that are known to end in what was fed so far."""
        ...

    def finish(self) -> Iterator[RecordChunk]:
        """What is left at the end of the object."""
        ...


class ObjectRecords:
    """The records of one object, in order; iterate once.

    After the last chunk: `sha256` and `stored_bytes` of the stored bytes, `raw_bytes`
    decompressed, `record_count`, and `header` (CSV: the header line; None where the
    object has none). Raises CorruptObject, or ObjectChanged from the stream, at whatever
    point: then nothing that came before may be committed.
    """

    def __init__(self, stored: StoredBytes, name: str, splitter: Splitter, limits: Limits) -> None:
        self._stored = stored
        self._name = name
        self._splitter = splitter
        self._limits = limits
        self.raw_bytes = 0
        self.record_count = 0

    @property
    def sha256(self) -> str:
        """Hex digest of the stored bytes; of all of them after the last chunk."""
        return self._stored.sha256

    @property
    def stored_bytes(self) -> int:
        """Stored bytes read so far."""
        return self._stored.stored_bytes

    @property
    def header(self) -> bytes | None:
        """CSV: the bytes of the header line."""
        return self._splitter.header if isinstance(self._splitter, CsvSplitter) else None

    def __iter__(self) -> Iterator[RecordChunk]:
        gathered: list[RecordChunk] = []
        gathered_bytes = 0
        try:
            for chunk in self._cut():
                gathered.append(chunk)
                gathered_bytes += chunk.values.nbytes
                if gathered_bytes >= _CHUNK_BYTES:
                    yield self._counted(gathered)
                    gathered, gathered_bytes = [], 0
        except CorruptObject:
            self._stored.check_unchanged()
            raise
        if gathered:
            yield self._counted(gathered)

    def _cut(self) -> Iterator[RecordChunk]:
        for block in open_decompressed(self._stored, self._name, self._limits):
            self.raw_bytes += len(block)
            yield from self._splitter.feed(block)
        yield from self._splitter.finish()

    def _counted(self, gathered: list[RecordChunk]) -> RecordChunk:
        chunk = join(gathered)
        self.record_count += len(chunk)
        return chunk


def read_records(
    stream: BinaryIO, name: str, format: Format, delimiter: str = ",", limits: Limits = DEFAULT_LIMITS
) -> ObjectRecords:
    """The records of the object whose stored bytes `stream` gives; the caller closes the stream."""
    return ObjectRecords(StoredBytes(stream), name, _splitter(format, delimiter, limits), limits)


def store_for(feed: Feed, s3_settings: S3Settings = DEFAULT_S3) -> ObjectStore:
    """The store that a feed's location names: S3 for `s3://`, else a folder, one file, or a glob."""
    include = (feed.include,) if feed.include else ()
    if feed.location.startswith(("s3://", "s3a://")):
        return S3Store(
            feed.location, feed.endpoint_url, s3_settings, feed=feed.name, layout=feed.layout, include=include
        )
    path, pattern = split_location(feed.location.removeprefix("file://"))
    root = Path(path or "/")
    if pattern is not None:
        include = (pattern, *include)
    elif root.is_file():
        include = (EXACT + root.name, *include)
        root = root.parent
    return FolderStore(root, feed.name, include)


def _splitter(format: Format, delimiter: str, limits: Limits) -> Splitter:
    if format == Format.JSONL:
        return JsonLinesSplitter(limits.max_record_bytes)
    if format == Format.JSON:
        return JsonSplitter(limits.max_record_bytes)
    encoded = delimiter.encode()
    if len(encoded) != 1 or encoded in b'"\r\n':
        raise ContractError(
            f"The delimiter {delimiter!r} cannot separate CSV fields.",
            fix="Use one ASCII character other than a quote or a line end, such as ',', ';', '|' or '\\t'.",
        )
    return CsvSplitter(limits.max_record_bytes, encoded)
