"""One process applies changes to a lake at a time (silver to gold); landing may run in many.

The watermarks alone keep every table right, whoever writes; the lease keeps two processes from doing the
same work, and the warehouse from being opened twice.

On a local lake the lease is a lock of the kernel on a file, which goes when its process dies, also by
SIGKILL. On S3 it is an object that its holder writes anew every few seconds, each time only if it is
still as it wrote it; one that has not been written for `LIFETIME_SECONDS` may be taken.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from aura_lake.errors import LakeError, LeaseHeld

if TYPE_CHECKING:
    from aura_lake.lake import Lake

NAME = "apply.lease"

#: How often a waiting process looks again.
POLL_SECONDS = 0.25

#: On S3: a lease not written for so long may be taken; its holder writes it three times as often.
LIFETIME_SECONDS = 30.0


@dataclass(frozen=True)
class Holder:
    """Who applies, and since when."""

    pid: int
    host: str
    since: str
    command: str

    @staticmethod
    def here(command: str | None = None) -> Holder:
        """This process."""
        words = command or " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
        return Holder(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"), words)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.command}), since {self.since}"


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
    lost on the way (S3 only, after a pause longer than its lifetime).
    """

    def __init__(
        self,
        lake: Lake,
        *,
        command: str | None = None,
        wait_seconds: float | None = None,
        on_wait: Callable[[Holder | None], None] | None = None,
    ) -> None:
        self._where = lake.settings.uri(NAME)
        self._command, self._wait_seconds, self._on_wait = command, wait_seconds, on_wait
        self._place: _Place = _FileLease(Path(lake.settings.home)) if lake.settings.is_local else _ObjectLease(lake)

    def __enter__(self) -> ApplyLease:
        begun, told = time.monotonic(), False
        while not self._place.take(Holder.here(self._command)):
            holder = self._place.holder()
            waited = time.monotonic() - begun
            if self._wait_seconds is not None and waited >= self._wait_seconds:
                raise LeaseHeld(
                    f"{self._where}: {_named(holder)} applies changes to this lake; waited {waited:.0f} s.",
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


def _named(holder: Holder | None) -> str:
    return "another process" if holder is None else str(holder)


def _read_holder(text: bytes) -> Holder | None:
    """The holder in a lease's text; None while it is being written."""
    try:
        document = json.loads(text)
        return Holder(**{name: document[name] for name in ("pid", "host", "since", "command")})
    except (ValueError, KeyError, TypeError):
        return None


class _FileLease:
    """A lock on `<home>/apply.lease`; the line in it is for people. The file stays, the lock goes."""

    def __init__(self, home: Path) -> None:
        self._path = home / NAME
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
        return _read_holder(self._path.read_bytes()) if self._path.is_file() else None

    def give_back(self) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)  # the lock goes with the last descriptor
            self._file = None

    def is_ours(self) -> bool:
        return self._file is not None


class _ObjectLease:
    """An object that is only ever replaced in the version last seen (conditional puts)."""

    def __init__(self, lake: Lake) -> None:
        from aura_lake.outside.s3_environment import s3_settings
        from aura_lake.outside.s3_session import bucket_and_prefix, region_of, session_for

        settings = s3_settings(lake.settings.environ)
        self._bucket, prefix = bucket_and_prefix(lake.settings.home)
        self._key = f"{prefix}/{NAME}".lstrip("/")
        session = session_for(settings)
        self._client = session.client(
            "s3", endpoint_url=settings.endpoint_url, region_name=region_of(session, settings)
        )
        self._token = uuid.uuid4().hex
        self._etag: str | None = None
        self._mine: Holder | None = None
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self, holder: Holder) -> bool:
        standing = self._read()
        if standing is None:
            condition = {"IfNoneMatch": "*"}
        elif standing[2]:
            condition = {"IfMatch": standing[0]}
        else:
            return False
        self._etag = self._write(holder, condition, is_free=False)
        if self._etag is None:
            return False
        self._mine = holder
        self._stop.clear()
        self._heart = threading.Thread(target=self._beat, name="apply-lease", daemon=True)
        self._heart.start()
        return True

    def holder(self) -> Holder | None:
        standing = self._read()
        return None if standing is None else _read_holder(standing[1])

    def give_back(self) -> None:
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        if self._etag is not None and self._mine is not None:
            self._write(self._mine, {"IfMatch": self._etag}, is_free=True)
        self._etag = None

    def is_ours(self) -> bool:
        return self._etag is not None

    def _beat(self) -> None:
        while not self._stop.wait(LIFETIME_SECONDS / 3):
            if self._mine is None or self._etag is None:
                return
            self._etag = self._write(self._mine, {"IfMatch": self._etag}, is_free=False)

    def _read(self) -> tuple[str, bytes, bool] | None:
        """(etag, text, whether it may be taken); None where there is no lease. Its age is told by the
        server's clock alone."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key)
        except self._client.exceptions.ClientError as error:
            if _code(error) in ("NoSuchKey", "404"):
                return None
            raise self._refused(error) from error
        text = answer["Body"].read()
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        is_old = (now - answer["LastModified"]).total_seconds() > LIFETIME_SECONDS
        return answer["ETag"], text, is_old or b'"is_free": true' in text

    def _write(self, holder: Holder, condition: dict[str, str], *, is_free: bool) -> str | None:
        """The new etag; None where another was faster. The beat keeps each text different from the last."""
        document = {**asdict(holder), "token": self._token, "beat": time.time_ns(), "is_free": is_free}
        try:
            answer = self._client.put_object(
                Bucket=self._bucket, Key=self._key, Body=json.dumps(document).encode(), **condition
            )
        except self._client.exceptions.ClientError as error:
            if _code(error) in ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404"):
                return None
            raise self._refused(error) from error
        return str(answer["ETag"])

    def _refused(self, error: Any) -> LakeError:
        return LakeError(
            f"s3://{self._bucket}/{self._key}: the lease cannot be read or written ({_code(error)}).",
            fix="Allow s3:GetObject and s3:PutObject on the lake's prefix.",
        )


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
