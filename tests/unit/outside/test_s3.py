"""A bucket as a store of objects, against moto in this process and against a failing body."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError, NoCredentialsError
from moto import mock_aws

from aura_lake.errors import FeedError, SettingsError, StoreUnavailable
from aura_lake.outside.objects import ListingScope, ObjectChanged, ObjectInfo
from aura_lake.outside.s3 import S3Settings, S3Store, recent_prefixes, s3_storage_options
from aura_lake.outside.s3_session import bucket_and_prefix
from aura_lake.outside.s3_stream import ResumingStream

SETTINGS = S3Settings(region="us-east-1")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bucket() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="shop")
        yield client


def store(location: str = "s3://shop/raw", **more: Any) -> S3Store:
    return S3Store(location, settings=SETTINGS, feed="clicks", **more)


def put(client: Any, *keys: str, body: bytes = b"{}\n") -> None:
    for key in keys:
        client.put_object(Bucket="shop", Key=key, Body=body)


def test_keys_are_listed_below_the_prefix_and_decoded_once(bucket):
    odd = ["a b", "a+b", "a%3Db", "ä/ü", "a%2Bb"]
    put(bucket, *(f"raw/{name}" for name in odd), "rawer/no", "other/no")
    listing = store().list()
    assert [info.name for info in listing.objects] == sorted(odd)
    for info in listing.objects:
        with store().open(info) as stream:
            assert stream.read() == b"{}\n"


def test_markers_uploads_and_failures_are_told_apart(bucket):
    put(bucket, "raw/", "raw/x/", body=b"")
    put(bucket, "raw/a", "raw/b.tmp", "raw/_SUCCESS", "raw/processing-failed/2019/c")
    put(bucket, "raw/empty", body=b"")
    listing = store().list()
    assert [info.name for info in listing.objects] == ["a"]
    assert set(listing.waiting) == {"b.tmp", "empty"}
    assert set(listing.skipped) == {"x/", "_SUCCESS", "processing-failed/2019/c"}


def test_listing_goes_on_over_pages(bucket, monkeypatch):
    monkeypatch.setattr("aura_lake.outside.s3.PAGE_KEYS", 5)
    put(bucket, *(f"raw/{number:04}" for number in range(12)))
    assert len(store().list().objects) == 12


def test_a_recent_listing_asks_for_the_newest_days_only(bucket):
    today = datetime.now(UTC).strftime("%Y/%m/%d")
    put(bucket, f"raw/{today}/05/new", "raw/2019/10/01/00/old")
    recent = store(layout="%Y/%m/%d/%H")
    assert [info.name for info in recent.list(ListingScope.RECENT).objects] == [f"{today}/05/new"]
    assert len(recent.list(ListingScope.EVERYTHING).objects) == 2
    assert len(store().list(ListingScope.RECENT).objects) == 2


def test_recent_prefixes_are_whole_days():
    now = datetime(2024, 3, 1, 0, 30, tzinfo=UTC)
    assert recent_prefixes("%Y/%m/%d/%H", now, 1) == ["2024/02/29/", "2024/03/01/", "2024/03/02/"]
    assert recent_prefixes("dt=%Y-%m-%d", now, 0) == ["dt=2024-03-01", "dt=2024-03-02"]
    assert recent_prefixes("%Y/%m", now, 1) == ["2024/02", "2024/03"]


def test_a_location_may_be_one_object_or_a_glob(bucket):
    put(bucket, "raw/a.csv", "raw/b.csv", "raw/x/a.csv", "raw/c.json")
    single = store("s3://shop/raw/a.csv")
    (info,) = single.list().objects
    assert (info.name, info.size) == ("a.csv", 3)
    with single.open(info) as stream:
        assert stream.read() == b"{}\n"
    assert [info.name for info in store("s3://shop/raw/*.csv").list().objects] == ["a.csv", "b.csv"]
    assert [info.name for info in store(include=("*.json",)).list().objects] == ["c.json"]


def test_a_replaced_and_a_removed_object_wait(bucket):
    put(bucket, "raw/a")
    (info,) = store().list().objects
    put(bucket, "raw/a", body=b"other\n")
    with pytest.raises(ObjectChanged, match="it was replaced or removed since it was listed"):
        store().open(info)
    bucket.delete_object(Bucket="shop", Key="raw/a")
    with pytest.raises(ObjectChanged):
        store().open(info)


def test_a_missing_bucket_names_the_feed_the_place_and_the_fix(bucket):
    with pytest.raises(
        FeedError, match=r"Feed clicks: s3://nowhere/raw: the bucket nowhere does not exist\. Create it"
    ):
        store("s3://nowhere/raw").list()
    with pytest.raises(FeedError, match="names no bucket"):
        bucket_and_prefix("s3:///x")


@pytest.mark.parametrize(
    ("code", "status", "error", "message"),
    [
        ("AccessDenied", 403, FeedError, "access denied \\(AccessDenied\\). Allow s3:ListBucket"),
        ("SlowDown", 503, StoreUnavailable, "is busy \\(SlowDown\\)"),
        ("", 502, StoreUnavailable, "is busy \\(502\\)"),
        ("PermanentRedirect", 301, FeedError, "in another region"),
        ("Odd", 400, FeedError, "refused the request \\(Odd\\)"),
    ],
)
def test_answers_that_are_errors_say_what_to_do(code, status, error, message):
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    failing = failing_store(ClientError(response, "ListObjectsV2"))
    with pytest.raises(error, match=message):
        failing.list()


def test_no_answer_and_no_credentials_are_told_apart():
    with pytest.raises(StoreUnavailable, match=r"does not answer \(EndpointConnectionError\)"):
        failing_store(EndpointConnectionError(endpoint_url="http://x")).list()
    with pytest.raises(FeedError, match="no AWS credentials were found"):
        failing_store(NoCredentialsError()).list()


def failing_store(error: Exception) -> S3Store:
    class Client:
        def list_objects_v2(self, **_: Any) -> None:
            raise error

    failing = store()
    failing.__dict__["_client"] = Client()
    return failing


class Body(io.BytesIO):
    """A body that breaks off after some bytes."""

    def __init__(self, content: bytes, breaks_after: int | None) -> None:
        super().__init__(content)
        self.breaks_after = breaks_after

    def read(self, size: int | None = -1) -> bytes:
        if self.breaks_after is not None:
            if self.tell() >= self.breaks_after:
                raise IncompleteReadError(actual_bytes=self.tell(), expected_bytes=100)
            return super().read(min(size or 1, self.breaks_after - self.tell()))
        return super().read(size)


def test_a_broken_connection_is_taken_up_where_it_broke(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    content, opened = bytes(range(200)), []

    def open_at(position: int) -> Body:
        opened.append(position)
        return Body(content[position:], 30 if len(opened) < 4 else None)

    stream = ResumingStream(open_at, ObjectInfo("a", "e", 200, datetime.now(UTC)), "s3://shop/raw")
    assert b"".join(iter(lambda: stream.read(50), b"")) == content
    assert opened == [0, 30, 60, 90]


def test_a_connection_that_only_breaks_is_unavailable(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    info = ObjectInfo("a", "e", 200, datetime.now(UTC))
    stream = ResumingStream(lambda position: Body(b"x" * 10, 0), info, "s3://shop/raw")
    with pytest.raises(StoreUnavailable, match=r"s3://shop/raw: a broke off 5 times at byte 0 of 200"):
        stream.read(50)


def test_deltalake_gets_the_credentials_the_endpoint_and_conditional_puts():
    settings = S3Settings(endpoint_url="http://127.0.0.1:9000", region="eu-central-1")
    assert s3_storage_options(settings, "s3://lake/home") == {
        "AWS_ACCESS_KEY_ID": "test-key",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_ALLOW_HTTP": "true",
        "aws_conditional_put": "etag",
    }


def test_an_assumed_role_reaches_boto3_and_deltalake(bucket):
    put(bucket, "raw/a")
    settings = S3Settings(region="us-east-1", role_arn="arn:aws:iam::123456789012:role/lake", external_id="aura-lake")
    options = s3_storage_options(settings, "s3://shop/lake")
    assert options["AWS_ACCESS_KEY_ID"] != "test-key"
    assert options["AWS_SESSION_TOKEN"]
    assert [info.name for info in S3Store("s3://shop/raw", settings=settings).list().objects] == ["a"]


def test_without_credentials_the_message_names_the_places_to_set_them(monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"No AWS credentials for s3://lake/home\. Set AWS_ACCESS_KEY_ID"):
        s3_storage_options(SETTINGS, "s3://lake/home")
