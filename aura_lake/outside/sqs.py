"""A queue of Amazon SQS: messages are taken for a while, and given back or deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from aura_lake.errors import AuraError, FeedError, FeedUnavailable
from aura_lake.outside.s3_session import S3Settings, region_of, session_for

#: SQS's own limit of messages an answer, and of entries a request.
AT_ONCE = 10

#: How long what was taken stays hidden from others, in seconds: landing it is done by then, or it comes again.
HIDDEN_SECONDS = 120

_OF_AWS = re.compile(r"(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?")
_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_DENIED = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch")
_RIGHTS = "sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility"


@dataclass(frozen=True)
class Message:
    """A message that was taken. `handle` belongs to this taking of it."""

    id: str
    handle: str = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True)
class Queue:
    """The queue at `url`. Raises FeedError where it is missing or refuses, FeedUnavailable where it does not answer."""

    url: str
    settings: S3Settings = field(default_factory=S3Settings)

    def take(self, most: int) -> list[Message]:
        """Up to `most` messages that wait now, hidden from others for a while."""
        taken: dict[str, Message] = {}
        while len(taken) < most:
            answer = self._call(
                "receive_message",
                MaxNumberOfMessages=min(AT_ONCE, most - len(taken)),
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=0,
            )
            came = answer.get("Messages", [])
            if not came:
                break
            # SQS may hand out a message twice; the later handle is the one that counts.
            taken |= {m["MessageId"]: Message(m["MessageId"], m["ReceiptHandle"], m.get("Body", "")) for m in came}
        return list(taken.values())

    def delete(self, messages: Iterable[Message]) -> int:
        """Delete what was taken; how many are gone. One that is not comes again, which does no harm."""
        return self._each("delete_message_batch", messages, {})

    def give_back(self, messages: Iterable[Message], after_seconds: int = 0) -> int:
        """Let others have what was taken, at once or after a while; how many."""
        return self._each("change_message_visibility_batch", messages, {"VisibilityTimeout": after_seconds})

    def _each(self, operation: str, messages: Iterable[Message], more: dict[str, int]) -> int:
        entries = [{"Id": str(n), "ReceiptHandle": m.handle, **more} for n, m in enumerate(messages)]
        done = 0
        for start in range(0, len(entries), AT_ONCE):
            answer = self._call(operation, Entries=entries[start : start + AT_ONCE])
            done += len(answer.get("Successful", []))
        return done

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config

        host = urlsplit(self.url)
        of_aws = _OF_AWS.fullmatch(host.hostname or "")
        region = (of_aws.group(1) or of_aws.group(2)) if of_aws else None
        session = session_for(self.settings)
        return session.client(
            "sqs",
            region_name=region or region_of(session, self.settings),
            endpoint_url=None if of_aws else f"{host.scheme}://{host.netloc}",
            config=Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=20),
        )

    def _call(self, operation: str, **request: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(QueueUrl=self.url, **request)
        except ClientError as error:
            raise self._refusal(error.response.get("Error", {}).get("Code", "")) from error
        except BotoCoreError as error:
            if "Credentials" in type(error).__name__:
                raise FeedError(
                    f"The queue {self.url}: no AWS credentials were found.",
                    fix="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is.",
                ) from error
            raise FeedUnavailable(
                f"The queue {self.url} does not answer ({type(error).__name__}).",
                fix="Nothing is missed: listings go on, and find what it would have named.",
            ) from error

    def _refusal(self, code: str) -> AuraError:
        if code in _GONE or "NonExistent" in code:
            return FeedError(
                f"The queue {self.url} does not exist.",
                fix="Create it, or correct `notifications` in the contract's server entry.",
            )
        if code in _DENIED:
            return FeedError(f"The queue {self.url}: access denied ({code}).", fix=f"Allow {_RIGHTS} on it.")
        return FeedUnavailable(
            f"The queue {self.url} answered {code or 'an error'}.",
            fix="Nothing is missed: listings go on, and find what it would have named.",
        )
