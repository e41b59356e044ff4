"""Kafka: one node that is broker and controller, without ZooKeeper."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from aura_lake.errors import ServiceError
from aura_lake.services.artefacts import Artefact
from aura_lake.services.java import JavaService, write_properties
from aura_lake.services.service import loopback
from aura_lake.services.site import HOST

VERSION = "4.3.1"

#: What log4j 2 needs to be heard through SLF4J 1.7, which Kafka's jars bring.
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"

BROKER = Artefact("kafka", (f"org.apache.kafka:kafka_2.13:{VERSION}", LOGGING))

#: Any id will do, as nobody joins; it must not begin with a hyphen, which would be read as a flag.
_CLUSTER_ID = "YXVyYS1sYWtlLWthZmthMQ"


class Kafka(JavaService):
    """A broker whose topics outlive a restart. Topics are made at first use, with one partition."""

    name: ClassVar[str] = "kafka"
    parts: ClassVar[tuple[Artefact, ...]] = (BROKER,)

    @property
    def bootstrap(self) -> str:
        """What clients are given as `bootstrap.servers`."""
        return loopback(self.port)

    @property
    def address(self) -> str:
        """The same: `127.0.0.1:PORT`."""
        return self.bootstrap

    @property
    def port_names(self) -> tuple[str, ...]:
        """The broker's port and the controller's."""
        return (self.name, "kafka_controller")

    def prepare(self) -> None:
        """The broker's settings, and a formatted data folder where there is none."""
        write_properties(self._file, self.settings())
        if not (self.data / "meta.properties").exists():
            self._format()

    @property
    def data(self) -> Path:
        """Where topics are kept."""
        return self.folder / "data"

    def settings(self) -> dict[str, str | int]:
        """The broker's settings: one node, replicas of one, little memory."""
        broker, controller = (loopback(self.site.ports[name]) for name in self.port_names)
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data),
            "num.partitions": 1,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "auto.create.topics.enable": "true",
            # Topics are what the lake reads late: nothing leaves by age.
            "log.retention.hours": -1,
            "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            # A group begins at once, and a member that was killed is missed soon.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # After a kill the broker's own earlier session has to run out before it is let in again.
            "broker.session.timeout.ms": 6000,
            "broker.heartbeat.interval.ms": 1000,
        }

    def classpath(self) -> str:
        """Kafka's jars."""
        return str(self.site.artefacts.place_of(BROKER) / "*")

    def command(self) -> list[str]:
        """The broker, in the foreground."""
        return [*self.java(), "kafka.Kafka", str(self._file)]

    def answers(self) -> bool:
        """Whether it names itself as a broker that takes part: a Metadata request of Kafka's protocol, version 1.

        The port is open before the controller has let the broker in; producers would fail until then.
        """
        request = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)  # no client id, no topics
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as wire:
                wire.sendall(struct.pack(">i", len(request)) + request)
                size_and_id_and_brokers = _read(wire, 12)
        except OSError:
            return False
        brokers: int = struct.unpack(">iii", size_and_id_and_brokers)[2] if size_and_id_and_brokers else 0
        return brokers > 0

    def _format(self) -> None:
        """A copy of a formatted folder, made beside its place and renamed when whole.

        One node, one cluster id: every formatted folder is the same, so Java formats one and the cache keeps it.
        """
        template = self.site.artefacts.place_of(BROKER) / "formatted"
        if not template.is_dir():
            self._make_template(template)
        draft = self.folder / "data.part"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(template, draft)
        draft.rename(self.data)

    def _make_template(self, template: Path) -> None:
        with tempfile.TemporaryDirectory(dir=template.parent, prefix="formatting-") as folder:
            draft, file = Path(folder) / "data", Path(folder) / "format.properties"
            write_properties(file, {**self.settings(), "log.dirs": str(draft)})
            command = [*self.java(), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(file)]
            ran = subprocess.run(command, capture_output=True, text=True, env=self.environment(), check=False)
            if ran.returncode != 0:
                said = (ran.stderr or ran.stdout).strip()[-1000:]
                raise ServiceError(f"kafka: {draft} could not be formatted: {said}")
            if not template.is_dir():  # another process may have been first, and its folder is the same
                draft.rename(template)

    @property
    def _file(self) -> Path:
        return self.folder / "server.properties"


def _read(wire: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes, or none where the other side closes."""
    parts = b""
    while len(parts) < size:
        part = wire.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return parts
