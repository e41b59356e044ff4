"""A folder of files as an object store."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from aura_lake.errors import FeedError
from aura_lake.outside.objects import Level, Listing, ListingScope, ObjectChanged, ObjectInfo, classify
from aura_lake.outside.pattern import matches

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


@dataclass(frozen=True)
class FolderStore:
    """The files below `root`. Links to files are followed, links to folders are not (loops)."""

    root: Path
    feed: str = ""  #: the feed's name, for messages
    include: tuple[str, ...] = ()  #: globs that a name must all match

    def list(self, scope: ListingScope = ListingScope.EVERYTHING) -> Listing:
        """What lies there now. A folder is walked whole in either scope: it costs no requests."""
        listing = Listing([])
        if not self.root.is_dir():
            raise self._missing()
        for entry, name in self._walk(self.root, ""):
            self._place(entry, name, listing)
        listing.objects.sort(key=lambda info: info.name)
        return listing

    def level(self, most: int) -> Level:
        """What lies directly in the folder; links to folders are not followed."""
        level, listing = Level([], []), Listing([])
        try:
            with os.scandir(self.root) as entries:
                for entry in islice(entries, most + 1):
                    if not entry.is_dir(follow_symlinks=False):
                        self._place(entry, entry.name, listing)
                    elif _is_utf8(entry.name):
                        level.folders.append(entry.name)
        except FileNotFoundError:
            return level
        except OSError as error:
            raise self._unlisted(self.root, error) from error
        is_more = len(level.folders) + sum(map(len, (listing.objects, listing.waiting, listing.skipped))) > most
        return Level(sorted(level.folders), sorted(listing.objects, key=lambda info: info.name), is_more)

    def some(self, most: int) -> tuple[Sequence[ObjectInfo], bool]:
        """The first objects that the walk meets, by name."""
        listing = Listing([])
        for entry, name in self._walk(self.root, ""):
            self._place(entry, name, listing)
            if len(listing.objects) > most:
                break
        return sorted(listing.objects[:most], key=lambda info: info.name), len(listing.objects) > most

    def open(self, info: ObjectInfo) -> BinaryIO:
        """The bytes of that version; reading to the end raises ObjectChanged if it changed."""
        path = self.root / info.name
        try:
            stream = WatchedFile(path, info)
        except FileNotFoundError as error:
            raise ObjectChanged(info.name, f"it is gone from {self.root} since it was listed") from error
        except OSError as error:
            raise FeedError(
                f"Feed {self.feed}: {path} cannot be read ({error.strerror}).",
                fix="Give the user that runs Aura Lake read permission on it.",
            ) from error
        try:
            stream.check_unchanged()
        except ObjectChanged:
            stream.close()
            raise
        return cast(BinaryIO, stream)

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        """Every entry that is not a folder to descend into, with its relative name."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False) and not entry.name.startswith((".", "_")):
                        yield from self._walk(folder / entry.name, name + "/")
                    else:
                        yield entry, name
        except FileNotFoundError:
            return  # the folder was removed while it was listed: nothing lies there now
        except OSError as error:
            raise self._unlisted(folder, error) from error

    def _unlisted(self, folder: Path, error: OSError) -> FeedError:
        return FeedError(
            f"Feed {self.feed}: the folder {folder} cannot be listed ({error.strerror}).",
            fix="Give the user that runs Aura Lake read permission on the folder and all in it.",
        )

    def _place(self, entry: os.DirEntry[str], name: str, listing: Listing) -> None:
        """Put one entry into the one part of the listing where it belongs."""
        if not _is_utf8(name):
            shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
            listing.skipped[shown] = "its name is not valid UTF-8; rename it"
            return
        try:
            if entry.is_dir():
                linked = entry.is_symlink()
                listing.skipped[name + "/"] = (
                    "a link to a folder is not followed" if linked else "hidden: starts with . or _"
                )
                return
            status = entry.stat()
        except OSError as error:
            listing.waiting[name] = f"it cannot be looked at now ({error.strerror})"
            return
        if not stat.S_ISREG(status.st_mode):
            listing.skipped[name] = "not a regular file"
            return
        verdict = classify(name, status.st_size)
        if verdict is None and not all(matches(glob, name) for glob in self.include):
            verdict = "skipped", f"does not match {' and '.join(self.include)}"
        if verdict is None:
            listing.objects.append(
                ObjectInfo(
                    name,
                    _etag(status),
                    status.st_size,
                    datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC),
                )
            )
        elif verdict[0] == "waiting":
            listing.waiting[name] = verdict[1]
        else:
            listing.skipped[name] = verdict[1]

    def _missing(self) -> FeedError:
        found = "is a file" if self.root.exists() else "does not exist"
        return FeedError(
            f"Feed {self.feed}: the folder {self.root} {found}.",
            fix="Create it, or correct `location` (and the variables in it) in the contract's server entry.",
        )


class WatchedFile(io.FileIO):
    """A file that tells, at its end, whether it changed while it was read."""

    def __init__(self, path: Path, info: ObjectInfo) -> None:
        super().__init__(path, "rb")
        self._info = info

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(-1 if size is None else size)
        if not block and size != 0:
            self.check_unchanged()
        return block or b""

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = super().readinto(buffer)
        if not count and memoryview(buffer).nbytes:
            self.check_unchanged()
        return count or 0

    def write(self, block: ReadableBuffer, /) -> int:
        raise io.UnsupportedOperation("objects of a feed are only read")

    def check_unchanged(self) -> None:
        """Raises ObjectChanged if size or modification time are not those that were listed."""
        if _etag(os.fstat(self.fileno())) != self._info.etag:
            raise ObjectChanged(self._info.name, "it changed while it was read")


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _is_utf8(name: str) -> bool:
    """False where the file system's bytes came through as surrogate escapes."""
    return not any("\udc80" <= character <= "\udcff" for character in name)
