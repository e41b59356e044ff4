"""The whole live chain on one machine: PostgreSQL, Debezium, Kafka, and `aura stream` as a process; any part can be
killed and begun again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg

from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.services.stack import Stack
from aura_lake.settings import Settings
from tests.conftest import PROJECT
from tests.services.live import running

#: What makes a connector quick to come back; the product leaves Debezium's own, which spare a database that is away.
QUICK = {"retriable.restart.connector.wait.ms": "500"}


class LiveChain:
    """The chain of one database; `stack` has its servers. `folder` holds lake, shop and logs."""

    def __init__(self, stack: Stack, folder: Path, database: str) -> None:
        self.stack, self.folder, self.prefix = stack, folder, database
        stack.postgres.create_database(database)
        self.url = stack.postgres.dsn(database)
        self.client = KafkaConnect(stack.connect.url)
        self.connector = f"aura-{database}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.streams = 0

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_", "PG"))}
        return {
            **clean,
            "AURA_PROJECT": str(PROJECT),
            "AURA_HOME": str(self.folder / "lake"),
            "AURA_SHOP": str(self.folder / "shop"),
            "AURA_POSTGRES_URL": self.url,
            "AURA_CONNECT_URL": self.stack.connect.url,
            "KAFKA_BROKERS": self.stack.kafka.bootstrap,
            "AURA_PII_KEY": "k" * 40,
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }

    def connect(self, tables: list[str]) -> None:
        """Publication, slot, connector and contracts, as a person makes them."""
        told = ["--tables", ",".join(tables), "--prefix", self.prefix, "--name", self.connector, "--yes"]
        ran = subprocess.run(
            [*_AURA, "source", "connect", "postgres", *told],
            cwd=PROJECT, env=self.environment, capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
        self.client.put(self.connector, {**(self.client.config(self.connector) or {}), **QUICK})

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement gives; committed."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def lake(self) -> Lake:
        """The lake as it stands now."""
        home, shop = self.folder / "lake", self.folder / "shop"
        settings = Settings(project=PROJECT, home=str(home), state=home / "state", shop=shop, environ=self.environment)
        return Lake(settings, load_shop(shop, "local", self.environment))

    def begin(self, part: str) -> None:
        """Begin a part and return at once; `wait` for it."""
        if part == "stream":
            self._log = (self.folder / f"stream-{self.streams:02}.log").open("wb")
            self._process = subprocess.Popen(
                [*_AURA, "stream", "--format", "json"], cwd=PROJECT, env=self.environment, stdout=self._log,
                stderr=self._log, start_new_session=True,
            )  # fmt: skip
            self.streams += 1
        else:
            self._service(part).begin()

    def wait(self, part: str) -> None:
        """Return when a part answers that was begun."""
        if part != "stream":
            self._service(part).wait()

    def kill(self, part: str) -> None:
        """SIGKILL."""
        if part != "stream":
            self._service(part).kill()
        elif self._process is not None:
            assert self._process.poll() is None, f"aura stream ended by itself:\n{self.last_words()}"
            self._process.kill()
            self._close()

    def end(self) -> int | None:
        """Ask `aura stream` to end; its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(60)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            self._close()

    def is_streaming(self) -> bool:
        """Whether `aura stream` runs."""
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        """The end of what `aura stream` said, and the connector's state."""
        log = self.folder / f"stream-{self.streams - 1:02}.log"
        said = log.read_text()[-1500:] if log.exists() else ""
        try:
            state = json.dumps(self.stack.connect.connector_status(self.connector))[:1500]
        except Exception as error:  # said beside the failure itself, whatever it is
            state = repr(error)
        return f"aura stream: {said}\nconnector: {state}"

    def await_true(self, is_so: Any, seconds: float, what: str) -> None:
        """Return as soon as `is_so`."""
        until = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}\n{self.last_words()}"
            time.sleep(0.1)

    def _service(self, part: str) -> Any:
        return {one.name: one for one in self.stack.services}[part]

    def _close(self) -> None:
        assert self._process is not None
        assert self._log is not None
        self._process.wait()
        self._log.close()
        self._process = self._log = None


@contextmanager
def live_chain(folder: Path, database: str) -> Iterator[LiveChain]:
    """The chain with its servers answering; all gone after the block. PostgreSQL waits for its disk: what it
    acknowledged stands after a kill."""
    with running("postgres", "kafka", "connect", is_durable=True) as stack:
        chain = LiveChain(stack, folder, database)
        try:
            yield chain
        finally:
            chain.end()


_AURA = (sys.executable, "-c", "from aura_lake.cli.app import main; main()")
