"""One process applies changes to a lake at a time (silver to gold); landing may run in many.

The watermarks alone keep every table right, whoever writes; the lease keeps two processes from doing the
same work, and the warehouse from being opened twice.

On a local lake the lease is a lock of the kernel on a file, which goes when its process dies, also by
SIGKILL. On S3 it is an object that its holder writes anew every few seconds, each time only if it is
still as it wrote it (`lease_object`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from aura_lake.delta.lease_holder import NAME, read_holder
from aura_lake.delta.lease_holder import Holder as Holder
from aura_lake.errors import LakeError, LeaseHeld

if TYPE_CHECKING:
    from aura_lake.lake import Lake

#: How often a waiting process looks again.
POLL_SECONDS = 0.25


class _Place(Protocol):
    def take(self, holder: Holder) -> bool:
        """Take the lease if nobody has it."""

    def holder(self) -> Holder | None:
        """Who has it, as far as can be read."""

    def give_back(self) -> None:
        """Let it go."""

    def is_ours(self) -> bool:
        """Whether it is still ours."""


class ApplyLease:
    """`with ApplyLease(lake):` runs when no other process applies to that lake.

    `wait_seconds`: how long to wait for another (None: for ever); then LeaseHeld names it. `on_wait` is
    called once with the holder before the waiting begins. `check` raises LeaseHeld where the lease was
    lost on the way (S3 only, after a pause longer than its lifetime). Work beside applying that one process at a
    time may do has a `name` of its own, and says what its `work` is.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        command: str | None = None,
        wait_seconds: float | None = None,
        on_wait: Callable[[Holder | None], None] | None = None,
        name: str = NAME,
        work: str = "applies changes to",
    ) -> None:
        self._where, self._work = lake.settings.uri(name), work
        self._command, self._wait_seconds, self._on_wait = command, wait_seconds, on_wait
        self._place = _place(lake, name)

    def __enter__(self) -> ApplyLease:
        begun, told = time.monotonic(), False
        while not self._place.take(Holder.here(self._command)):
            holder = self._place.holder()
            waited = time.monotonic() - begun
            if self._wait_seconds is not None and waited >= self._wait_seconds:
                raise LeaseHeld(
                    f"{self._where}: {_named(holder)} {self._work} this lake; waited {waited:.0f} s.",
                    fix="Run again when it has ended. A lease of a dead process goes by itself.",
                )
            if not told and self._on_wait is not None:
                self._on_wait(holder)
                told = True
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._place.give_back()

    def check(self) -> None:
        """Raises LeaseHeld where another process has taken the lease meanwhile."""
        if not self._place.is_ours():
            raise LeaseHeld(
                f"{self._where}: {_named(self._place.holder())} has taken the lease of this process.",
                fix="Nothing is lost: run again, every step goes on from its watermark.",
            )


def _place(lake: Lake, name: str) -> _Place:
    if lake.settings.is_local:
        return _FileLease(Path(lake.settings.home) / name)
    from aura_lake.delta.lease_object import ObjectLease

    return ObjectLease(lake, name)


def _named(holder: Holder | None) -> str:
    return "another process" if holder is None else str(holder)


class _FileLease:
    """A lock on a file such as `<home>/apply.lease`; the line in it is for people. The file stays, the lock goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self, holder: Holder) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LakeError(
                f"{self._path}: cannot be written: {os.strerror(error.errno or 0)}.",
                fix="Point AURA_HOME at a place you may write to.",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise LakeError(
                f"{self._path}: the file system gives no locks ({os.strerror(error.errno or 0)}).",
                fix="Keep a local lake on a local disk; several machines share one on s3://.",
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, (json.dumps(asdict(holder)) + "\n").encode(), 0)
        self._file = file
        return True

    def holder(self) -> Holder | None:
        return read_holder(self._path.read_bytes()) if self._path.is_file() else None

    def give_back(self) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)  # the lock goes with the last descriptor
            self._file = None

    def is_ours(self) -> bool:
        return self._file is not None
