"""What a message of a bucket's notifications says: which objects came, and which went.

Read are S3's own messages (versions 2.1 to 2.3), alone or wrapped by SNS, and EventBridge's. A message is a hint:
what is new, and what its version is, a listing says. So nothing of it is kept but names.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

_CAME, _WENT = ("ObjectCreated:",), ("ObjectRemoved:", "LifecycleExpiration:")
_BRIDGE_CAME, _BRIDGE_WENT = "Object Created", "Object Deleted"


class UnreadableNotification(ValueError):
    """A message that says nothing we know. Its text is not repeated: it may be anybody's."""


@dataclass(frozen=True)
class ObjectEvent:
    """One object that came, went, or had something else done to it (tags, restores): then it is neither."""

    bucket: str
    key: str  #: decoded
    came: bool = False
    went: bool = False


@dataclass(frozen=True)
class Notification:
    """One message. S3 sends a test when notifications are set up; it names no object."""

    events: tuple[ObjectEvent, ...] = ()
    is_test: bool = False


def read_notification(body: str) -> Notification:
    """What a message says. Raises UnreadableNotification where it is none of a bucket."""
    document = _loaded(body)
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        document = _loaded(document["Message"])
    if document.get("Event") == "s3:TestEvent":
        return Notification(is_test=True)
    if document.get("source") == "aws.s3" and "detail" in document:
        return Notification((_of_bridge(document),))
    records = document.get("Records")
    if not isinstance(records, list) or not records:
        raise UnreadableNotification("it has no Records")
    return Notification(tuple(_of_s3(record) for record in records))


def _loaded(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableNotification("it is not JSON") from None
    if not isinstance(document, dict):
        raise UnreadableNotification("it is not a JSON object")
    return document


def _of_s3(record: Any) -> ObjectEvent:
    name = record.get("eventName") if isinstance(record, dict) else None
    if not isinstance(name, str):
        raise UnreadableNotification("a record of it names no event")
    bucket, key = _place(record.get("s3"))
    name = name.removeprefix("s3:")
    # Form-encoded as a query is: a space is a plus, a plus is %2B. Decoded once, since a name may hold %2B itself.
    return ObjectEvent(bucket, unquote_plus(key), name.startswith(_CAME), name.startswith(_WENT))


def _of_bridge(document: dict[str, Any]) -> ObjectEvent:
    bucket, key = _place(document["detail"])  # EventBridge does not encode keys
    kind = document.get("detail-type")
    return ObjectEvent(bucket, key, kind == _BRIDGE_CAME, kind == _BRIDGE_WENT)


def _place(holder: Any) -> tuple[str, str]:
    try:
        bucket, key = holder["bucket"]["name"], holder["object"]["key"]
    except (KeyError, TypeError):
        raise UnreadableNotification("a record of it names no object") from None
    if not (isinstance(bucket, str) and isinstance(key, str) and bucket and key):
        raise UnreadableNotification("a record of it names no object")
    return bucket, key
