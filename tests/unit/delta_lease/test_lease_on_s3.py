"""The lease as an object: conditional puts decide, the server's clock tells its age."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from aura_lake.contracts.contract import Shop
from aura_lake.delta import lease_object
from aura_lake.delta.lease import ApplyLease
from aura_lake.errors import LakeError, LeaseHeld
from aura_lake.lake import Lake
from aura_lake.settings import Settings


class RefusedError(Exception):
    """What boto3 raises."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class Bucket:
    """One object of S3 with If-None-Match and If-Match, and a clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.body: bytes | None = None
        self.written_at = self.now
        self.denied = False
        self.exceptions = type("Exceptions", (), {"ClientError": RefusedError})

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body or b"", usedforsecurity=False).hexdigest()

    def get_object(self, **asked: str) -> dict[str, Any]:
        assert asked == {"Bucket": "bucket", "Key": "lake/apply.lease"}
        if self.denied:
            raise RefusedError("AccessDenied")
        if self.body is None:
            raise RefusedError("NoSuchKey")
        return {
            "Body": io.BytesIO(self.body),
            "ETag": self.etag,
            "LastModified": self.written_at,
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(self.now, usegmt=True)}},
        }

    def put_object(self, **asked: Any) -> dict[str, Any]:
        is_there, match = self.body is not None, asked.get("IfMatch")
        if (asked.get("IfNoneMatch") and is_there) or (match and (not is_there or match != self.etag)):
            raise RefusedError("PreconditionFailed")
        self.body, self.written_at = asked["Body"], self.now
        return {"ETag": self.etag}

    def client(self, *_: object, **__: object) -> Bucket:
        return self


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = Bucket()
    monkeypatch.setattr("aura_lake.outside.s3_session.session_for", lambda settings: bucket)
    monkeypatch.setattr("aura_lake.outside.s3_session.region_of", lambda session, settings: "us-east-1")
    return bucket


def a_lease(**more: Any) -> ApplyLease:
    here = Path()
    lake = Lake(Settings(here, "s3://bucket/lake", here, here), Shop("s", here, {}, {}))
    return ApplyLease(lake, **more)


def test_the_lease_is_an_object_and_free_afterwards(bucket: Bucket) -> None:
    with a_lease(command="aura run") as lease:
        assert json.loads(bucket.body or b"")["command"] == "aura run"
        assert json.loads(bucket.body or b"")["is_free"] is False
        lease.check()

    assert json.loads(bucket.body or b"")["is_free"] is True
    with a_lease(wait_seconds=0):
        pass


def test_a_second_one_names_the_holder(bucket: Bucket) -> None:
    with (
        a_lease(command="the first"),
        pytest.raises(LeaseHeld, match=r"\(the first\), since"),
        a_lease(wait_seconds=0),
    ):
        pytest.fail("both hold the lease")


def test_a_lease_that_was_not_written_for_its_lifetime_may_be_taken(bucket: Bucket) -> None:
    with a_lease(command="the dead") as dead:
        bucket.now += timedelta(seconds=lease_object.LIFETIME_SECONDS + 1)
        with a_lease(command="the next", wait_seconds=0) as living:
            living.check()
            assert json.loads(bucket.body or b"")["command"] == "the next"
            assert dead is not living


def test_a_holder_writes_it_anew_and_sees_when_another_took_it(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_object, "LIFETIME_SECONDS", 0.3)
    with a_lease() as lease:
        first = bucket.body
        _until(lambda: bucket.body != first)
        lease.check()
        bucket.body = b'{"pid": 7, "host": "elsewhere", "since": "now", "command": "the thief"}'
        with pytest.raises(LeaseHeld, match=r"process 7 on elsewhere \(the thief\), since now has taken the lease"):
            _until(lambda: lease.check() is not None)


def test_a_bucket_that_may_not_be_read_is_a_clear_error(bucket: Bucket) -> None:
    bucket.denied = True

    with pytest.raises(LakeError, match=r"the lease cannot be read or written \(AccessDenied\)"), a_lease():
        pytest.fail("a lease without a bucket")


def _until(is_so: Any, seconds: float = 5.0) -> None:
    import time

    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
