"""The apply lease of a lake on S3: an object that is only ever replaced in the version last seen.

Its holder writes it anew three times in its lifetime, each time on the condition that it is still as it
wrote it (If-Match). One that was not written for a lifetime, by the server's own clock, may be taken.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from aura_lake.delta.lease_holder import NAME, Holder, read_holder
from aura_lake.errors import LakeError, StoreUnavailable

if TYPE_CHECKING:
    from aura_lake.lake import Lake

#: A lease that was not written for so long may be taken.
LIFETIME_SECONDS = 30.0


class ObjectLease:
    """The lease of one lake, for one process."""

    def __init__(self, lake: Lake, name: str = NAME) -> None:
        from aura_lake.outside.s3_environment import s3_settings
        from aura_lake.outside.s3_session import bucket_and_prefix, region_of, session_for

        settings = s3_settings(lake.settings.environ)
        self._bucket, prefix = bucket_and_prefix(lake.settings.home)
        self._key = f"{prefix}/{name}".lstrip("/")
        session = session_for(settings)
        self._client = session.client(
            "s3", endpoint_url=settings.endpoint_url, region_name=region_of(session, settings)
        )
        self._token = uuid.uuid4().hex
        self._etag: str | None = None
        self._mine: Holder | None = None
        self._beaten_at = 0.0
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self, holder: Holder) -> bool:
        """Take the lease if nobody has it, and keep it."""
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
        self._mine, self._beaten_at = holder, time.monotonic()
        self._stop.clear()
        self._heart = threading.Thread(target=self._beat, name="apply-lease", daemon=True)
        self._heart.start()
        return True

    def holder(self) -> Holder | None:
        """Who has it, as far as can be read."""
        standing = self._read()
        return None if standing is None else read_holder(standing[1])

    def give_back(self) -> None:
        """Let it go, at once for others."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        if self._etag is not None and self._mine is not None:
            with suppress(StoreUnavailable):  # then it runs out by itself
                self._write(self._mine, {"IfMatch": self._etag}, is_free=True)
        self._etag = None

    def is_ours(self) -> bool:
        """Whether it is ours: not taken by another, and written in time."""
        return self._etag is not None and time.monotonic() - self._beaten_at < LIFETIME_SECONDS

    def _beat(self) -> None:
        while not self._stop.wait(LIFETIME_SECONDS / 3):
            if self._mine is None or self._etag is None:
                return
            # A beat that the store does not hear is missed; the next may be heard before the lease runs out.
            with suppress(StoreUnavailable):
                self._etag = self._write(self._mine, {"IfMatch": self._etag}, is_free=False)
                self._beaten_at = time.monotonic()

    def _read(self) -> tuple[str, bytes, bool] | None:
        """(etag, text, whether it may be taken); None where there is no lease. Its age is told by the
        server's clock alone."""
        try:
            with self._answered():
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
            with self._answered():
                answer = self._client.put_object(
                    Bucket=self._bucket, Key=self._key, Body=json.dumps(document).encode(), **condition
                )
        except self._client.exceptions.ClientError as error:
            if _code(error) in ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404"):
                return None
            raise self._refused(error) from error
        return str(answer["ETag"])

    def _answered(self) -> AbstractContextManager[None]:
        from aura_lake.outside.s3_errors import answered

        return answered(f"s3://{self._bucket}/{self._key}", self._bucket)

    def _refused(self, error: Any) -> LakeError:
        return LakeError(
            f"s3://{self._bucket}/{self._key}: the lease cannot be read or written ({_code(error)}).",
            fix="Allow s3:GetObject and s3:PutObject on the lake's prefix.",
        )


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
