"""Real servers for tests: PostgreSQL, Kafka, Connect with Debezium, a schema registry, S3, Redis, on free ports.

A test that only talks to servers takes the fixtures (`tests/services/conftest.py` registers them). They are started
once a session, when the first test asks, and shared: use topics, databases and slots of your own.

    @pytest.mark.services
    def test_a_record_comes_back(live_kafka: Kafka) -> None:
        KafkaProducer(bootstrap_servers=live_kafka.bootstrap)

    live_postgres   .dsn("database"), .create_database("name"), .port
    live_kafka      .bootstrap
    live_connect    .url, .put_connector(name, config), .connector_status(name), .delete_connector(name)
                    (starts live_kafka and live_postgres too)
    live_registry   .url (Confluent's interface), .own_url (Apicurio's, for its converters)
    live_s3         .url, .client_environment, .make_bucket("name")
    live_redis      .url
    live_stack      all of them, started by need: live_stack.up(["kafka"])

A test that kills servers takes a stack of its own, so that no other test notices:

    @pytest.fixture(scope="module")
    def stack() -> Iterator[Stack]:
        with running("postgres", "kafka", "connect") as stack:
            yield stack

    stack.kafka.kill()    SIGKILL, and return when it has gone
    stack.kafka.start()   again on the same data and port, and return when it answers
    stack.kafka.stop()    asked to end

`dies_with_us`: the kernel ends the servers when this program dies, even by SIGKILL (Linux; start them in the main
thread: the tie is to the thread). Where Java, Maven or PostgreSQL is missing, tests skip and say what to install.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aura_lake.services.connect import Connect
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres
from aura_lake.services.redis import Redis
from aura_lake.services.registry import Registry
from aura_lake.services.s3 import S3
from aura_lake.services.stack import Stack


@contextmanager
def running(*names: str, is_durable: bool = False) -> Iterator[Stack]:
    """A stack of the test's own with these services answering (and those that they need); gone after the block."""
    with stopped_stack(is_durable=is_durable) as stack:
        skip_where_missing(stack, *names)
        stack.up(names)
        yield stack


@contextmanager
def stopped_stack(*, is_durable: bool = False) -> Iterator[Stack]:
    """A stack of which nothing runs yet. Its folder is not pytest's: PostgreSQL's own user may not enter that.
    `is_durable`: PostgreSQL waits for the disk, as it does for users."""
    root = Path(tempfile.mkdtemp(prefix="aura-services-"))
    root.chmod(0o711)
    stack = Stack.below(root, is_durable=is_durable, dies_with_us=True).with_free_ports()
    try:
        yield stack
    finally:
        for service in reversed(stack.services):
            if service.daemon.running():
                service.kill()
        shutil.rmtree(root)


def skip_where_missing(stack: Stack, *names: str) -> None:
    """Skip the test, and say what is not installed."""
    missing = stack.missing(names)
    if missing:
        wanted = ", ".join(f"{one.program} (Debian: {one.apt or one.go})" for one in missing)
        pytest.skip(f"NO SERVERS: this machine lacks {wanted}; this test proves nothing here")


@pytest.fixture(scope="session")
def live_stack() -> Iterator[Stack]:
    """The session's stack; what a test needs of it is started by `up`, or by the fixtures below."""
    with stopped_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def live_postgres(live_stack: Stack) -> Postgres:
    """PostgreSQL, answering."""
    skip_where_missing(live_stack, "postgres")
    live_stack.up(["postgres"])
    return live_stack.postgres


@pytest.fixture(scope="session")
def live_kafka(live_stack: Stack) -> Kafka:
    """Kafka, answering."""
    skip_where_missing(live_stack, "kafka")
    live_stack.up(["kafka"])
    return live_stack.kafka


@pytest.fixture(scope="session")
def live_connect(live_stack: Stack, live_postgres: Postgres) -> Connect:
    """Kafka Connect, answering, with Kafka and PostgreSQL."""
    skip_where_missing(live_stack, "connect")
    live_stack.up(["connect"])
    return live_stack.connect


@pytest.fixture(scope="session")
def live_registry(live_stack: Stack) -> Registry:
    """The schema registry, answering."""
    skip_where_missing(live_stack, "registry")
    live_stack.up(["registry"])
    return live_stack.registry


@pytest.fixture(scope="session")
def live_s3(live_stack: Stack) -> S3:
    """The S3 server, answering."""
    skip_where_missing(live_stack, "s3")
    live_stack.up(["s3"])
    return live_stack.s3


@pytest.fixture(scope="session")
def live_redis(live_stack: Stack) -> Redis:
    """Redis, answering."""
    skip_where_missing(live_stack, "redis")
    live_stack.up(["redis"])
    return live_stack.redis
