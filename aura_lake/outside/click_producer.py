"""The tracker of a live shop: clicks into a Kafka topic, each once, and counted when the broker has it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka import errors as kafka_errors
from kafka.admin import NewTopic

from aura_lake.errors import FeedError, FeedUnavailable
from aura_lake.outside.kafka_settings import kafka_options

#: A topic that is absent is made with so many partitions, and as many replicas as the broker's default says.
PARTITIONS = 3

#: A click that no broker has taken by then is lost, and ends the shop.
_DELIVERY_SECONDS = 120

_KNOCK_SECONDS = 5

#: Clicks are sent together that come within this time.
_LINGER_MS = 20


class ClickProducer:
    """Sends clicks to `topic` of `brokers`; use it in a `with` block.

    Raises FeedUnavailable where no broker answers, FeedError where one refuses.
    """

    def __init__(self, brokers: str, topic: str, environ: Mapping[str, str]) -> None:
        self.topic = topic
        self.delivered = 0  #: clicks that the brokers have acknowledged
        self._brokers, self._options = brokers, kafka_options(brokers, environ)
        self._failed: BaseException | None = None
        self._producer: Any = None

    def __enter__(self) -> ClickProducer:
        with self._told():
            self._knock()
            self._make_topic()
            self._producer = KafkaProducer(
                acks="all",
                enable_idempotence=True,  # what is sent again after an answer was lost does not stand twice
                linger_ms=_LINGER_MS,
                compression_type="lz4",
                delivery_timeout_ms=_DELIVERY_SECONDS * 1000,
                **self._options,
            )
            # The first click would wait for the brokers to say who leads the topic, and the shop with it.
            self._producer.partitions_for(self.topic)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error nobody waits for the brokers, who may be that error.
        self._producer.close(timeout=0 if error is not None else _DELIVERY_SECONDS)

    def send(self, key: str, value: str) -> None:
        """Send a click; clicks of one key stay in their order."""
        with self._told():
            self._look()
            sending = self._producer.send(self.topic, key=key.encode(), value=value.encode())
            sending.add_callback(self._has_come).add_errback(self._has_failed)

    def flush(self) -> None:
        """Wait until the brokers have every click that was sent."""
        with self._told():
            self._producer.flush(timeout=_DELIVERY_SECONDS)
            self._look()

    def _has_come(self, _metadata: object) -> None:
        self.delivered += 1

    def _has_failed(self, error: BaseException) -> None:
        self._failed = self._failed or error

    def _look(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _knock(self) -> None:
        """Connect to one of the brokers and hang up. The client itself would try for long, and leave its sockets
        open where nobody answers."""
        failed: OSError | None = None
        for broker in self._options["bootstrap_servers"]:
            host, _, port = broker.rpartition(":") if re.search(r":\d+$", broker) else (broker, "", "9092")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
                return
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def _make_topic(self) -> None:
        admin = KafkaAdminClient(**self._options)
        try:
            if self.topic not in admin.list_topics():
                admin.create_topics([NewTopic(self.topic, PARTITIONS, -1)])
        except kafka_errors.TopicAlreadyExistsError:
            pass  # somebody else made it in the meantime
        finally:
            admin.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Kafka's errors as ours."""
        try:
            yield
        except (kafka_errors.AuthorizationError, kafka_errors.SaslAuthenticationFailedError) as error:
            raise FeedError(
                f"{self.topic}: the brokers {self._brokers} refuse: {type(error).__name__}.",
                fix="Check AURA_KAFKA_USERNAME and AURA_KAFKA_PASSWORD, and the user's right to write the topic.",
            ) from error
        except (kafka_errors.KafkaError, OSError) as error:
            raise FeedUnavailable(
                f"{self.topic}: the brokers {self._brokers} took no click: {type(error).__name__}.",
                fix="Check host and port, and that the broker runs; then run again.",
            ) from error
