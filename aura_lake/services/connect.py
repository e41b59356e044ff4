"""Kafka Connect with Debezium's connector for PostgreSQL."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, ClassVar

from aura_lake.errors import ServiceError
from aura_lake.services import kafka
from aura_lake.services.artefacts import Artefact
from aura_lake.services.java import JavaService, write_properties
from aura_lake.services.service import loopback
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

#: Of the 2.x line: it writes Confluent's framing (`apicurio.registry.as-confluent`), and runs in Java 17.
AVRO_VERSION = "2.6.13.Final"

AVRO = Artefact("apicurio-converter", (f"io.apicurio:apicurio-registry-utils-converter:{AVRO_VERSION}",))

#: Converters in the jars above. They do not name themselves as plugins, and looking into every class of every jar
#: for them would cost each start seconds.
_CONVERTERS = ("io.apicurio.registry.utils.converter.AvroConverter",)

#: Jars that come with the converter and that the worker has in its own, newer release.
_WORKERS_OWN = ("connect-", "kafka-clients-", "slf4j-api-", "lz4-java-", "snappy-java-", "zstd-jni-")


class Connect(JavaService):
    """One worker. It keeps connectors and their offsets in Kafka, so they outlive a restart and a kill."""

    name: ClassVar[str] = "connect"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    parts: ClassVar[tuple[Artefact, ...]] = (WORKER, DEBEZIUM, AVRO)
    heap_mb: ClassVar[int] = 384

    @property
    def url(self) -> str:
        """Connect's REST interface."""
        return f"http://{loopback(self.port)}"

    @property
    def address(self) -> str:
        """The same."""
        return self.url

    def prepare(self) -> None:
        """The worker's settings, and the folder of its plugins."""
        write_properties(self._file, self.settings())
        shutil.rmtree(self._plugins, ignore_errors=True)
        self._plugins.mkdir()
        connector = self.site.artefacts.place_of(DEBEZIUM) / "debezium-connector-postgres"
        (self._plugins / "debezium-postgres").symlink_to(connector)
        converters = self._plugins / "apicurio-converter"
        converters.mkdir()
        for jar in self.site.artefacts.place_of(AVRO).glob("*.jar"):
            if not jar.name.startswith(_WORKERS_OWN):
                (converters / jar.name).symlink_to(jar)
        with zipfile.ZipFile(converters / "manifest.jar", "w") as manifest:
            manifest.writestr("META-INF/services/org.apache.kafka.connect.storage.Converter", "\n".join(_CONVERTERS))

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
            "plugin.path": str(self._plugins),
            "plugin.discovery": "service_load",
            "topic.creation.enable": "true",
            "connector.client.config.override.policy": "All",
        }

    def classpath(self) -> str:
        """The worker's jars; plugins have class loaders of their own."""
        return str(self.site.artefacts.place_of(WORKER) / "*")

    def command(self) -> list[str]:
        """The worker, in the foreground."""
        return [*self.java(), "org.apache.kafka.connect.cli.ConnectDistributed", str(self._file)]

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

    @property
    def _plugins(self) -> Path:
        return self.folder / "plugins"

    @property
    def _file(self) -> Path:
        return self.folder / "worker.properties"
