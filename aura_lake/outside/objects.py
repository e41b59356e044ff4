"""What a feed of files looks like from here: objects with a name, a version and bytes.

A listing says of every name what becomes of it: it is read now, it waits (it may be
complete the next time), or it is skipped for good, with the reason. Nothing is dropped
in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Literal, Protocol

from aura_lake.errors import Transient

#: A name and a size decide one of these; None means: read it.
Verdict = tuple[Literal["waiting", "skipped"], str]

_UPLOAD_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "._copying_")
_FAILED_FOLDER = "processing-failed"  # where Firehose puts what its transformation refused


class ObjectChanged(Transient):
    """An object is not the one that was listed: still uploading, replaced, or gone.

    The caller treats it as waiting: nothing of it is committed, the next listing decides.
    """

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        super().__init__(f"{name}: {what}; nothing of it was taken.", fix="It is looked at again on the next run.")


class ListingScope(StrEnum):
    """How much of a feed a listing looks at."""

    EVERYTHING = "everything"
    RECENT = "recent"  #: the newest time prefixes, where the feed has a layout


@dataclass(frozen=True)
class ObjectInfo:
    """One version of one object."""

    name: str  #: relative to the feed's root, separated by `/`
    etag: str  #: changes with the bytes
    size: int  #: stored bytes
    modified_at: datetime  #: UTC


@dataclass(frozen=True)
class Listing:
    """What lies in a feed: every name seen is in exactly one of the three."""

    objects: list[ObjectInfo]  #: by name
    waiting: dict[str, str] = field(default_factory=dict)  #: name -> reason; looked at again
    skipped: dict[str, str] = field(default_factory=dict)  #: name -> reason; never read


@dataclass(frozen=True)
class Level:
    """What lies directly in one folder or prefix: its folders, by name, and its objects. `is_more`: not all is told."""

    folders: list[str]
    objects: list[ObjectInfo]
    is_more: bool = False


class ObjectStore(Protocol):
    """A folder or a bucket, as landing sees it."""

    def list(self, scope: ListingScope = ListingScope.EVERYTHING) -> Listing:
        """What lies there now. Raises FeedError where it is missing or may not be read."""
        ...

    def level(self, most: int) -> Level:
        """What lies directly at the place, up to about `most` names; empty where it is missing."""
        ...

    def some(self, most: int) -> tuple[Sequence[ObjectInfo], bool]:
        """About the first `most` objects below the place that could be read now, and whether there are more."""
        ...

    def open(self, info: ObjectInfo) -> BinaryIO:
        """The stored bytes of exactly that version. Reading may raise ObjectChanged."""
        ...


def classify(name: str, size: int) -> Verdict | None:
    """What becomes of an object by its name (below the feed's root) and size; None: read it."""
    if name.endswith("/"):
        return "skipped", "a folder marker, not an object"
    segments = name.split("/")
    if _FAILED_FOLDER in segments[:-1]:
        return "skipped", f"under {_FAILED_FOLDER}/: the delivery stream's own failures"
    last = segments[-1]
    lowered = last.lower()
    if lowered.endswith(_UPLOAD_SUFFIXES):
        return "waiting", "a temporary upload name; read when it is renamed"
    if last.endswith("~"):
        return "skipped", "an editor's backup file"
    for segment in segments:
        if segment.startswith((".", "_")):
            return "skipped", "hidden: a part of its name starts with . or _"
    if size == 0:
        return "waiting", "zero bytes; read when it has content"
    return None
