"""A bucket's notifications make a listing of their names happen sooner, and nothing else (moto in this process)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import polars as pl
import pytest
from moto import mock_aws

from aura_lake.contracts.contract import Feed, Format
from aura_lake.lake import Lake
from aura_lake.outside.sqs import Queue
from aura_lake.steps import hints as hints_module
from aura_lake.steps.hints import Hints
from aura_lake.steps.land import land
from tests.conftest import MakeLake
from tests.unit.outside.test_s3_events import TEST_EVENT, body, record, wrapped


class Cloud:
    """A bucket that notifies a queue, and a lake with a feed or two of it."""

    def __init__(self, make_lake: MakeLake, *feeds: str) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        self.s3.create_bucket(Bucket="shop")
        self.url: str = self.sqs.create_queue(QueueName="landing")["QueueUrl"]
        self.feeds = [
            Feed(name, f"s3://shop/raw/{name}", Format.JSONL, notifications=self.url) for name in feeds or ("orders",)
        ]
        self.lake: Lake = make_lake([], self.feeds)

    def put(self, key: str, text: str = '{"a": 1}\n') -> None:
        self.s3.put_object(Bucket="shop", Key=key, Body=text.encode())

    def tell(self, *bodies: str) -> None:
        for text in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    @property
    def hints(self) -> Hints:
        return Hints(self.lake, self.feeds)

    def again(self) -> None:
        """Make what is hidden visible, as time does."""
        for queue in self.sqs.list_queues()["QueueUrls"]:
            backend = self._backend(queue)
            for message in backend._messages:
                message.change_visibility(0)

    def left(self) -> int:
        """Messages that the queue still has, hidden ones too."""
        return len(self._backend(self.url)._messages)

    def _backend(self, url: str) -> Any:
        from moto.backends import get_backend

        return get_backend("sqs")["123456789012"]["us-east-1"].queues[url.rsplit("/", 1)[-1]]

    def objects(self, feed: str = "orders") -> list[str]:
        """The objects in bronze, each as often as it has a row."""
        table = self.lake.bronze(feed)
        if not table.exists:
            return []
        rows = table.scan().filter(pl.col("row_kind") == "object").select("object").collect()
        return sorted(rows["object"].to_list())

    def records(self, feed: str = "orders") -> int:
        rows = self.lake.bronze(feed).scan().filter(pl.col("row_kind") == "record")
        return rows.collect().height


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloud(make_lake: MakeLake) -> Iterator[Cloud]:
    with mock_aws():
        yield Cloud(make_lake)


def test_what_a_bucket_itself_notifies_is_landed_and_the_messages_are_gone(cloud: Cloud) -> None:
    arn = cloud.sqs.get_queue_attributes(QueueUrl=cloud.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    cloud.s3.put_bucket_notification_configuration(
        Bucket="shop",
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    cloud.put("raw/orders/2026/part-1.jsonl")
    cloud.put("raw/orders/2026/part-2.jsonl", '{"a": 2}\n{"a": 3}\n')
    hinted = cloud.hints.land()
    assert hinted.fates["landed"] == 2
    assert [report.records for report in hinted.reports] == [3]
    assert cloud.objects() == ["2026/part-1.jsonl", "2026/part-2.jsonl"]
    assert cloud.left() == 0
    assert land(cloud.lake, cloud.feeds[0]).batches == 0


def test_case_069_an_encoded_key_finds_its_object(cloud: Cloud) -> None:
    cloud.put("raw/orders/dt=2026-11-20/a b+c.jsonl")
    cloud.tell(body(record("raw/orders/dt%3D2026-11-20/a+b%2Bc.jsonl")))
    assert cloud.hints.land().fates == {"landed": 1}
    assert cloud.objects() == ["dt=2026-11-20/a b+c.jsonl"]


def test_case_070_notifications_twice_swapped_and_of_objects_that_are_gone_change_nothing(cloud: Cloud) -> None:
    cloud.put("raw/orders/a", '{"a": "new"}\n')
    cloud.tell(
        body(record("raw/orders/a", "ObjectRemoved:Delete")),  # of the version before
        body(record("raw/orders/gone")),
        body(record("raw/orders/a")),
        body(record("raw/orders/a")),
    )
    first = cloud.hints.land()
    assert first.fates == {"removed": 1, "gone": 1, "landed": 2}
    assert first.missing == ["gone"]
    cloud.tell(body(record("raw/orders/a")))
    assert cloud.hints.land().fates == {"known": 1}
    assert (cloud.objects(), cloud.records(), cloud.left()) == (["a"], 1, 0)


def test_tests_strangers_and_wrapped_messages_are_harmless_and_counted(cloud: Cloud) -> None:
    cloud.put("raw/orders/a")
    cloud.tell(
        TEST_EVENT,
        body(record("raw/orders/a", bucket="another")),
        body(record("raw/ordersish/a")),
        body(record("raw/orders/_SUCCESS"), record("raw/orders/a", "ObjectTagging:Put")),
        wrapped(body(record("raw/orders/a"))),
    )
    cloud.put("raw/orders/_SUCCESS")
    hinted = cloud.hints.land()
    assert hinted.fates == {"test": 1, "foreign": 2, "skipped": 1, "other": 1, "landed": 1}
    assert (hinted.messages, hinted.deleted, cloud.left()) == (5, 5, 0)


def test_what_cannot_be_understood_is_kept_and_counted_and_stops_nothing(cloud: Cloud) -> None:
    cloud.put("raw/orders/a")
    cloud.tell("hello", '{"Records": [{}]}', body(record("raw/orders/a")))
    hinted = cloud.hints.land()
    assert hinted.fates == {"unreadable": 2, "landed": 1}
    assert (hinted.deleted, cloud.left()) == (1, 2)
    assert cloud.hints.land().messages == 0, "they are hidden for a while"
    cloud.again()
    assert cloud.hints.land().fates == {"unreadable": 2}


def test_an_object_that_is_still_uploading_keeps_its_message(cloud: Cloud) -> None:
    cloud.put("raw/orders/a", "")
    cloud.tell(body(record("raw/orders/a")))
    assert cloud.hints.land().fates == {"waiting": 1}
    assert cloud.left() == 1
    cloud.put("raw/orders/a")
    cloud.again()
    assert cloud.hints.land().fates == {"landed": 1}
    assert cloud.left() == 0


def test_a_message_stays_until_its_objects_stand_in_bronze(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.put("raw/orders/a")
    cloud.tell(body(record("raw/orders/a")))

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(hints_module, "land_listing", dies)
        with pytest.raises(KeyboardInterrupt):
            cloud.hints.land()
    assert (cloud.objects(), cloud.left()) == ([], 1)
    cloud.again()
    assert cloud.hints.land().fates == {"landed": 1}


def test_a_process_that_died_before_it_deleted_lands_nothing_twice(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put("raw/orders/a")
    cloud.tell(body(record("raw/orders/a")))

    def dies(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Queue, "delete", dies)
        with pytest.raises(KeyboardInterrupt):
            cloud.hints.land()
    cloud.again()
    assert cloud.hints.land().fates == {"known": 1}
    assert (cloud.objects(), cloud.left()) == (["a"], 0)


def test_a_look_lands_nothing_and_leaves_what_is_new_for_the_run(cloud: Cloud) -> None:
    cloud.put("raw/orders/a")
    cloud.tell(body(record("raw/orders/a")), TEST_EVENT)
    looked = cloud.hints.look()
    assert (looked.fresh, looked.fates) == ({"orders": 1}, {"fresh": 1, "test": 1})
    assert (cloud.objects(), cloud.left()) == ([], 1)
    assert cloud.hints.land().fates == {"landed": 1}, "the message was given back at once"
    assert cloud.left() == 0


def test_feeds_of_one_queue_do_not_take_each_others_messages(make_lake: MakeLake) -> None:
    with mock_aws():
        cloud = Cloud(make_lake, "orders", "users")
        cloud.put("raw/orders/a")
        cloud.put("raw/users/b")
        cloud.tell(body(record("raw/orders/a"), record("raw/users/b")))
        assert cloud.hints.land(only="users").fates == {"landed": 1, "fresh": 1}
        assert (cloud.objects("orders"), cloud.objects("users"), cloud.left()) == ([], ["b"], 1)
        assert cloud.hints.land(only="orders").fates == {"landed": 1, "known": 1}
        assert (cloud.objects("orders"), cloud.left()) == (["a"], 0)


def test_a_queue_that_is_away_is_named_and_stops_nothing(cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.url)
    hinted = cloud.hints.land()
    assert "does not exist" in hinted.trouble[cloud.url]
    assert hinted.messages == 0


def test_a_lake_without_queues_asks_nobody(make_lake: MakeLake, tmp_path: Path) -> None:
    hints = Hints(make_lake([], [Feed("a", str(tmp_path), Format.JSON)]), [Feed("a", str(tmp_path), Format.JSON)])
    assert not hints.has_queues
    assert hints.land().messages == 0


def test_more_messages_than_one_look_takes_wait_in_the_queue(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints_module, "MOST_MESSAGES", 12)
    for number in range(15):
        cloud.put(f"raw/orders/{number:02}", json.dumps({"a": number}) + "\n")
        cloud.tell(body(record(f"raw/orders/{number:02}")))
    assert cloud.hints.land().messages == 12
    assert cloud.hints.land().messages == 3
    assert (len(cloud.objects()), cloud.left()) == (15, 0)
