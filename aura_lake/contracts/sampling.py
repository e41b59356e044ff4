"""What lies in a folder or prefix, sorted into feeds, with some records of each."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from aura_lake.contracts.contract import Feed, Format
from aura_lake.errors import FeedError
from aura_lake.outside.decompress import CorruptObject, Limits
from aura_lake.outside.objects import ObjectInfo, ObjectStore
from aura_lake.outside.records import read_records, store_for
from aura_lake.outside.s3_environment import s3_settings

#: How much is looked at: objects of a feed, records of an object, bytes to tell a format by.
OBJECTS, RECORDS, HEAD_BYTES = 4, 1_500, 1 << 18

#: More names than this in one folder are one feed's parts, not tables.
MOST_TABLES = 60

_TIME_SEGMENT = re.compile(
    r"\d{1,4}|\d{4}-\d{2}(?:-\d{2})?|(?:year|month|day|hour|date|dt|landed_date|y|m|d|h)=.*", re.IGNORECASE
)
_VARYING = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{21,}|[0-9a-f]{16,}|\d+", re.IGNORECASE)
_ENDINGS = re.compile(r"(?:\.(?:gz|json|jsonl|ndjson|csv|tsv|txt|log|dat))+$", re.IGNORECASE)
_NAMELESS = {"", "part", "data", "export", "file", "batch", "records", "dump", "page"}
#: Files about the records, and not of them.
_PAPERS = re.compile(
    r"(?:^|/)(?:license|licence|readme|notice|copying)[^/]*$|\.(?:md|pdf|html?|ya?ml|sql|py)$", re.IGNORECASE
)
_LAYOUTS = {1: "%Y", 2: "%Y/%m", 3: "%Y/%m/%d", 4: "%Y/%m/%d/%H"}


@dataclass
class Sample:
    """One feed to be: where it lies, how it is cut, and some of its records. Of a topic `location` names the
    brokers."""

    name: str
    location: str
    include: str | None
    layout: str | None
    objects: list[ObjectInfo]
    format: Format = Format.JSON
    delimiter: str = ","
    header: bytes | None = None
    records: list[bytes] = field(default_factory=list)
    positions: list[tuple[str, str, int]] = field(default_factory=list)  #: object, etag, ordinal
    topic: str | None = None
    endpoint_url: str | None = None
    source: str | None = None  #: what it was drawn from, where that is neither objects nor a topic

    @property
    def drawn_from(self) -> str:
        """What its records were drawn from, for people."""
        if self.source:
            return self.source
        return f"the topic {self.topic}" if self.topic else f"{len(self.objects):,} objects"


def sample_feeds(source: str, environ: Mapping[str, str]) -> list[Sample]:
    """The feeds that lie at `source`, a file, a folder or `s3://…`, with records of each.

    Folders by time (`2026/01/31`, `dt=…`) are parts of one feed; files that differ by numbers alone too.
    Raises FeedError where the place is missing or holds nothing that can be read.
    """
    location, single = _location(source)
    store = store_for(Feed("draft", location, Format.JSON), s3_settings(environ))
    listed = store.list().objects
    objects = [info for info in listed if (info.name == single if single else not _PAPERS.search(info.name))]
    if not objects:
        raise FeedError(
            f"{source} holds no objects that can be read.", fix="Name a file, folder or prefix with records."
        )
    samples = sort_samples(objects, location, source)
    for sample in samples:
        read_sample(sample, store)
    return _named_once([sample for sample in samples if sample.records])


def sort_samples(objects: list[ObjectInfo], location: str, source: str) -> list[Sample]:
    """Objects that lie at `location`, sorted into feeds; nothing is read. `source` names a feed that nothing else
    does."""
    samples = [_sample(group, infos, location, source) for group, infos in _groups(objects).items()]
    _tell_apart(samples)
    return samples


def is_paper(name: str) -> bool:
    """Whether an object is about the records (a licence, a readme), and not of them."""
    return _PAPERS.search(name) is not None


def _location(source: str) -> tuple[str, str | None]:
    """The folder to list, and the one file in it that is meant."""
    if "://" in source:
        return source.rstrip("/"), None
    path = Path(source).expanduser().resolve()
    if not path.exists():
        raise FeedError(
            f"{path}: there is no such file or folder.", fix="Give --from an existing one, or s3://bucket/prefix."
        )
    return (str(path), None) if path.is_dir() else (str(path.parent), path.name)


def _groups(objects: list[ObjectInfo]) -> dict[tuple[str, str], list[ObjectInfo]]:
    """Objects by (folder without its parts by time, stem of the name without numbers)."""
    groups: dict[tuple[str, str], list[ObjectInfo]] = {}
    for info in objects:
        groups.setdefault((_table_folder(info.name), _stem(info.name)), []).append(info)
    for folder in {folder for folder, _ in groups}:
        mine = [key for key in groups if key[0] == folder]
        if len(mine) > MOST_TABLES:
            merged = [info for key in mine for info in groups.pop(key)]
            groups[(folder, "")] = sorted(merged, key=lambda info: info.name)
    return groups


def _table_folder(name: str) -> str:
    kept = []
    for segment in PurePosixPath(name).parent.parts:
        if _TIME_SEGMENT.fullmatch(segment):
            break
        kept.append(segment)
    return "/".join(kept)


def _stem(name: str) -> str:
    bare = _ENDINGS.sub("", PurePosixPath(name).name)
    words = re.sub(r"[^A-Za-z]+", "_", _VARYING.sub("", bare)).strip("_").lower()
    return "" if words in _NAMELESS else words


def _sample(group: tuple[str, str], infos: list[ObjectInfo], location: str, source: str) -> Sample:
    folder, stem = group
    place = f"{location}/{folder}" if folder else location
    named = stem or folder.rsplit("/", 1)[-1] or _ENDINGS.sub("", source.rstrip("/").rsplit("/", 1)[-1])
    if folder and "." in folder.rsplit("/", 1)[-1]:  # a topic: server.schema.table
        named = folder.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
    times = [s for s in PurePosixPath(infos[0].name).parent.parts if s.isdigit()]
    return Sample(plain_name(named), place, None, _LAYOUTS.get(len(times)), infos)


def _tell_apart(samples: list[Sample]) -> None:
    """Feeds in one folder each get a glob that takes their objects and nobody else's."""
    for sample in samples:
        others = [s for s in samples if s is not sample and (s.location + "/").startswith(sample.location + "/")]
        if not others:
            continue
        names = [PurePosixPath(info.name).name for info in sample.objects]
        strangers = [PurePosixPath(info.name).name for other in others for info in other.objects]
        prefix = re.sub(r"\d+$", "", _common_beginning(names))
        if len(names) == 1:
            sample.include = names[0]
        elif prefix and not any(name.startswith(prefix) for name in strangers):
            sample.include = f"{prefix}*"
        if sample.include and re.search(r"[*?\[]", sample.include.removesuffix("*")):
            sample.include = None


def _common_beginning(names: list[str]) -> str:
    first, last = min(names), max(names)
    same = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, min(len(first), len(last)))]


def read_sample(sample: Sample, store: ObjectStore) -> None:
    """Tell the format by the first object, then take records of some objects, first to last."""
    filled = [info for info in sample.objects if info.size > 0]
    if not filled:
        return
    with store.open(filled[0]) as stream:
        sample.format, sample.delimiter = tell_format(stream.read(HEAD_BYTES))
    step = max(1, (len(filled) - 1) // (OBJECTS - 1)) if len(filled) > 1 else 1
    for info in [*filled[::step][: OBJECTS - 1], filled[-1]]:
        if (info.name, info.etag) in {(name, etag) for name, etag, _ in sample.positions}:
            continue
        with store.open(info) as stream:
            records = read_records(stream, info.name, sample.format, sample.delimiter, Limits())
            taken: list[bytes] = []
            try:
                for chunk in records:
                    taken += [v for v in islice(chunk.values.to_pylist(), RECORDS - len(taken)) if v is not None]
                    if len(taken) >= RECORDS:
                        break
            except CorruptObject:
                continue  # landing will say so of the whole object
        sample.header = sample.header or records.header
        sample.positions += [(info.name, info.etag, ordinal) for ordinal in range(len(taken))]
        sample.records += taken


def tell_format(head: bytes) -> tuple[Format, str]:
    """How the bytes of an object are cut, by its beginning, gzip or plain; and CSV's delimiter."""
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(head, HEAD_BYTES)
        except zlib.error:
            head = b""  # corrupt: whoever reads it whole says so
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").lstrip()
    if text[:1] in ("{", "["):
        lines = [line for line in text.splitlines()[:-1] if line.strip()][:20] or [text]
        return (Format.JSONL if all(_is_json(line) for line in lines) else Format.JSON), ","
    first = text.splitlines()[0] if text else ""
    return Format.CSV, max(",;\t|", key=lambda character: first.count(character))


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _named_once(samples: list[Sample]) -> list[Sample]:
    seen: dict[str, int] = {}
    for sample in samples:
        seen[sample.name] = seen.get(sample.name, 0) + 1
        if seen[sample.name] > 1:
            sample.name = f"{sample.name}_{seen[sample.name]}"
    return samples


def plain_name(text: str) -> str:
    """A name that may name a table, column or feed: small letters, digits and underscores."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    words = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return (words if words[:1].isalpha() else f"f_{words}")[:60].rstrip("_") or "field"
