"""The services together: which there are, which need which, in what order they start and stop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from aura_lake.errors import SettingsError
from aura_lake.services.artefacts import ArtefactCache
from aura_lake.services.connect import Connect
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres
from aura_lake.services.redis import Redis
from aura_lake.services.registry import Registry
from aura_lake.services.rehearsal import rehearse
from aura_lake.services.s3 import S3
from aura_lake.services.service import Missing, Service, Standing
from aura_lake.services.site import Site, free_ports

#: Where each listens unless told otherwise: beside the usual ports, so that they hinder no server of the system.
DEFAULT_PORTS = {
    "postgres": 15432,
    "kafka": 19092,
    "kafka_controller": 19093,
    "registry": 18081,
    "connect": 18083,
    "s3": 17070,
    "redis": 16379,
}

Tell = Callable[[str], None]


class Stack:
    """The services below one folder. Making it starts nothing, and finds again what was started there.

    Ports that are not given are those the folder's services last had, else the default ones.
    """

    def __init__(
        self,
        root: Path,
        ports: Mapping[str, int] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        is_durable: bool = True,
        dies_with_us: bool = False,
        tell: Tell = lambda line: None,
    ) -> None:
        unknown = set(ports or {}) - set(DEFAULT_PORTS)
        if unknown:
            raise SettingsError(
                f"There is no service {', '.join(sorted(unknown))} to give a port to.",
                fix=f"Services with a port: {', '.join(DEFAULT_PORTS)}.",
            )
        given = dict(os.environ if environ is None else environ)
        kept = {**DEFAULT_PORTS, **_read_ports(root), **(ports or {})}
        self.site = Site(root.resolve(), kept, ArtefactCache(given, tell), given, is_durable, dies_with_us)
        self.postgres = Postgres(self.site)
        self.kafka = Kafka(self.site)
        self.registry = Registry(self.site)
        self.s3 = S3(self.site)
        self.redis = Redis(self.site)
        self.connect = Connect(self.site)
        self._tell = tell

    @staticmethod
    def on_free_ports(
        root: Path, *, is_durable: bool = True, dies_with_us: bool = False, tell: Tell = lambda line: None
    ) -> Stack:
        """A stack whose ports nobody has now."""
        ports = dict(zip(DEFAULT_PORTS, free_ports(len(DEFAULT_PORTS)), strict=True))
        return Stack(root, ports, is_durable=is_durable, dies_with_us=dies_with_us, tell=tell)

    @property
    def services(self) -> tuple[Service, ...]:
        """All of them, those first that others need."""
        return (self.postgres, self.kafka, self.registry, self.s3, self.redis, self.connect)

    def chosen(self, names: Collection[str] = ()) -> tuple[Service, ...]:
        """The services named, with those they need, in the order of their start; all where none is named.

        Raises SettingsError for a name that is no service.
        """
        by_name = {service.name: service for service in self.services}
        unknown = set(names) - set(by_name)
        if unknown:
            raise SettingsError(
                f"There is no service {', '.join(sorted(unknown))}.", fix=f"There are: {', '.join(by_name)}."
            )
        wanted: set[str] = set()
        waiting = list(names or by_name)
        while waiting:
            name = waiting.pop()
            wanted.add(name)
            waiting += by_name[name].needs
        return tuple(service for service in self.services if service.name in wanted)

    def missing(self, names: Collection[str] = ()) -> list[Missing]:
        """Programs to install before the services named can run; each once."""
        found = {one.program: one for service in self.chosen(names) for one in service.missing()}
        return list(found.values())

    def up(self, names: Collection[str] = ()) -> list[str]:
        """Start the services named and what they need, and wait until all answer; the names of those that had to
        be started. Those that need nothing start together. Raises ServiceError; what runs then goes on running."""
        services = self.chosen(names)
        self._keep_ports()
        started: list[str] = []
        waiting = list(services)
        answering: set[str] = set()
        while waiting:
            ready = [service for service in waiting if answering.issuperset(service.needs)]
            for service in ready:
                if service.begin():
                    self._tell(f"starting {service.name} …")
                    started.append(service.name)
            for service in ready:
                service.wait()
                self._tell(f"{service.name} answers at {service.address}")
                answering.add(service.name)
            waiting = [service for service in waiting if service not in ready]
        return started

    def rehearse(self, names: Collection[str] = ()) -> list[Path]:
        """The files written that halve later starts; none where they are there. Takes about a minute, once."""
        return rehearse(self.chosen(names), self.site, self._tell)

    def down(self) -> list[str]:
        """Stop all that was started here, and nothing else; the names of those that ran. Those that need others
        stop first."""
        stopped = []
        for service in reversed(self.services):
            if service.stop():
                self._tell(f"{service.name} has ended")
                stopped.append(service.name)
        return stopped

    def look(self) -> list[Standing]:
        """How each service is."""
        return [service.look() for service in self.services]

    def _keep_ports(self) -> None:
        self.site.root.mkdir(parents=True, exist_ok=True)
        (self.site.root / "ports.json").write_text(json.dumps(dict(self.site.ports), indent=2) + "\n")


def _read_ports(root: Path) -> dict[str, int]:
    try:
        told = json.loads((root / "ports.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: int(port) for name, port in told.items() if name in DEFAULT_PORTS}
