"""Kafka Connect with Debezium's connector for PostgreSQL."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from aura_lake.errors import ServiceError
from aura_lake.services import kafka
from aura_lake.services.artefacts import Artefact
from aura_lake.services.java import java_command, missing_java, write_properties
from aura_lake.services.service import Missing, Service, loopback
from aura_lake.services.site import HOST

DEBEZIUM_VERSION = "3.7.0.Final"

WORKER = Artefact(
    "connect",
    (
        f"org.apache.kafka:connect-runtime:{kafka.VERSION}",
        f"org.apache.kafka:connect-json:{kafka.VERSION}",
        f"org.apache.kafka:connect-file:{kafka.VERSION}",
        kafka.LOGGING,
    ),
)

DEBEZIUM = Artefact("debezium-postgres", (f"io.debezium:debezium-connector-postgres:{DEBEZIUM_VERSION}:tar.gz:plugin",))

_HEAP_MB = 384


class Connect(Service):
    """One worker. It keeps connectors and their offsets in Kafka, so they outlive a restart and a kill."""

    name: ClassVar[str] = "connect"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    patience_seconds: ClassVar[float] = 240

    @property
    def url(self) -> str:
        """Connect's REST interface."""
        return f"http://{loopback(self.port)}"

    @property
    def address(self) -> str:
        """The same."""
        return self.url

    def missing(self) -> list[Missing]:
        """Java, and Maven as long as a part is not in the cache."""
        is_fetched = all(self.site.artefacts.has(part) for part in self._parts())
        return missing_java(self.site, is_fetched=is_fetched)

    def fetch(self) -> None:
        """The worker's jars and the plugins."""
        for part in self._parts():
            self.site.artefacts.fetch(part)

    def prepare(self) -> None:
        """The worker's settings."""
        write_properties(self._file, self.settings())

    def settings(self) -> dict[str, str | int]:
        """The worker's settings: plain JSON unless a connector says otherwise."""
        return {
            "bootstrap.servers": loopback(self.site.ports["kafka"]),
            "listeners": self.url,
            "rest.advertised.host.name": HOST,
            "group.id": "aura-connect",
            "config.storage.topic": "_connect_configs",
            "config.storage.replication.factor": 1,
            "offset.storage.topic": "_connect_offsets",
            "offset.storage.replication.factor": 1,
            "offset.storage.partitions": 1,
            "status.storage.topic": "_connect_status",
            "status.storage.replication.factor": 1,
            "status.storage.partitions": 1,
            "offset.flush.interval.ms": 1000,
            # There is one worker: nobody else is worth waiting for, and after a kill it is missed soon.
            "scheduled.rebalance.max.delay.ms": 0,
            "session.timeout.ms": 4000,
            "heartbeat.interval.ms": 1000,
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "plugin.path": ",".join(str(self.site.artefacts.place_of(part)) for part in self._parts()[1:]),
            "plugin.discovery": "service_load",
            "topic.creation.enable": "true",
            "connector.client.config.override.policy": "All",
        }

    def command(self) -> list[str]:
        """The worker, in the foreground."""
        jars = self.site.artefacts.place_of(WORKER) / "*"
        java = java_command(self.site, self.folder, str(jars), _HEAP_MB)
        return [*java, "org.apache.kafka.connect.cli.ConnectDistributed", str(self._file)]

    def answers(self) -> bool:
        """Whether the worker has joined and read its connectors (`GET /health`, KIP-1017)."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=3) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def put_connector(self, name: str, config: dict[str, str]) -> None:
        """Make a connector, or give one another configuration. Raises ServiceError with what Connect says to it."""
        self._call("PUT", f"/connectors/{name}/config", config)

    def connector_status(self, name: str) -> dict[str, Any]:
        """State of a connector and of its tasks, as Connect's REST tells it."""
        told: dict[str, Any] = self._call("GET", f"/connectors/{name}/status")
        return told

    def delete_connector(self, name: str) -> None:
        """Take a connector away; its offsets and its slot stay."""
        self._call("DELETE", f"/connectors/{name}")

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:1000]
            raise ServiceError(f"connect answered {error.code} to {method} {path}: {said}") from error
        except OSError as error:
            raise ServiceError(f"connect at {self.url} did not answer {method} {path}: {error}") from error
        return json.loads(text) if text else None

    def _parts(self) -> tuple[Artefact, ...]:
        return (WORKER, DEBEZIUM)

    @property
    def _file(self) -> Path:
        return self.folder / "worker.properties"
