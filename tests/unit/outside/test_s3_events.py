"""What messages of a bucket's notifications say, in the shapes that AWS's documentation gives them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aura_lake.outside.s3_events import Notification, ObjectEvent, UnreadableNotification, read_notification


def record(key: Any, event: str = "ObjectCreated:Put", bucket: str = "shop", version: str = "2.1") -> dict[str, Any]:
    """One record of S3's own message; `key` stands as S3 encodes it."""
    return {
        "eventVersion": version,
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-20T09:30:00.123Z",
        "eventName": event,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE5", "x-amz-id-2": "FMyUVURI"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "landing",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A3NL"}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8cd9", "sequencer": "0055AED6DCD90281E5"},
        },
    }


def body(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": records})


def wrapped(message: str) -> str:
    """As SNS hands it to a queue without raw delivery."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:landing",
            "Subject": "Amazon S3 Notification",
            "Message": message,
            "Timestamp": "2026-11-20T09:30:00.500Z",
            "SignatureVersion": "1",
        }
    )


TEST_EVENT = json.dumps(
    {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-20T09:00:00.000Z",
        "Bucket": "shop",
        "RequestId": "5582815E",
        "HostId": "8cLeGAmw",
    }
)


def bridge(key: str, kind: str = "Object Created") -> str:
    return json.dumps(
        {
            "version": "0",
            "id": "17793124",
            "detail-type": kind,
            "source": "aws.s3",
            "account": "123456789012",
            "region": "eu-central-1",
            "resources": ["arn:aws:s3:::shop"],
            "detail": {"version": "0", "bucket": {"name": "shop"}, "object": {"key": key, "size": 5, "etag": "b1"}},
        }
    )


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("cdc/orders/dt%3D2026-11-20/part+1.jsonl", "cdc/orders/dt=2026-11-20/part 1.jsonl"),
        ("a%2Bb", "a+b"),
        ("a%252Bb", "a%2Bb"),
        ("%C3%A4/%E2%82%AC", "ä/€"),
        ("plain/name.gz", "plain/name.gz"),
    ],
)
def test_case_069_a_key_is_decoded_exactly_once(encoded: str, key: str) -> None:
    assert read_notification(body(record(encoded))).events == (ObjectEvent("shop", key, came=True),)


def test_a_message_may_hold_several_records_of_every_version() -> None:
    events = read_notification(
        body(
            record("a", "ObjectCreated:CompleteMultipartUpload"),
            record("b", "ObjectRemoved:DeleteMarkerCreated", version="2.2"),
            record("c", "LifecycleExpiration:Delete", version="2.3"),
            record("d", "ObjectTagging:Put", version="2.3"),
            record("e", "s3:ObjectCreated:Copy"),
        )
    ).events
    assert [(event.key, event.came, event.went) for event in events] == [
        ("a", True, False),
        ("b", False, True),
        ("c", False, True),
        ("d", False, False),
        ("e", True, False),
    ]


def test_what_sns_wraps_is_unwrapped() -> None:
    assert read_notification(wrapped(body(record("a+b")))).events == (ObjectEvent("shop", "a b", came=True),)
    assert read_notification(wrapped(TEST_EVENT)).is_test


def test_the_test_that_s3_sends_names_no_object() -> None:
    assert read_notification(TEST_EVENT) == Notification(is_test=True)


def test_eventbridge_does_not_encode_its_keys() -> None:
    assert read_notification(bridge("a+b%3D")).events == (ObjectEvent("shop", "a+b%3D", came=True),)
    assert read_notification(bridge("a", "Object Deleted")).events[0].went


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "7",
        "{}",
        '{"Records": []}',
        '{"Records": {}}',
        '{"Records": [7]}',
        '{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        '{"Records": [{"eventName": 5, "s3": {}}]}',
        body(record(None)),
        body(record("")),
        body(record("a"), {"eventName": "ObjectCreated:Put", "s3": {"bucket": {}, "object": {}}}),
        wrapped("not json"),
        wrapped(wrapped(body(record("a")))),
        '{"source": "aws.s3", "detail": []}',
        "[" * 100_000,
    ],
)
def test_what_says_nothing_of_a_bucket_is_unreadable_and_not_repeated(text: str) -> None:
    with pytest.raises(UnreadableNotification) as caught:
        read_notification(text)
    assert len(str(caught.value)) < 40
