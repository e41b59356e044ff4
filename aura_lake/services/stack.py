"""The services together: which there are, which need which, in what order they start and stop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from aura_lake.errors import SettingsError
from aura_lake.services.artefacts import ArtefactCache
from aura_lake.services.connect import Connect
from aura_lake.services.kafka import Kafka
from aura_lake.services.lock import alone
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
    """The services at one site. Making it starts nothing, and finds again what was started there."""

    def __init__(self, site: Site, tell: Tell) -> None:
        self.site = site
        self.postgres = Postgres(site)
        self.kafka = Kafka(site)
        self.registry = Registry(site)
        self.s3 = S3(site)
        self.redis = Redis(site)
        self.connect = Connect(site)
        self._tell = tell

    @staticmethod
    def below(
        root: Path,
        ports: Mapping[str, int] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        is_durable: bool = True,
        dies_with_us: bool = False,
        tell: Tell = lambda line: None,
    ) -> Stack:
        """The services whose data, logs and pid files lie below `root`.

        Ports that are not given are those that they last had there, else the default ones. Raises SettingsError
        for a port of no service.
        """
        unknown = set(ports or {}) - set(DEFAULT_PORTS)
        if unknown:
            raise SettingsError(
                f"There is no service {', '.join(sorted(unknown))} to give a port to.",
                fix=f"Services with a port: {', '.join(DEFAULT_PORTS)}.",
            )
        given = dict(os.environ if environ is None else environ)
        kept = {**DEFAULT_PORTS, **_read_ports(root), **(ports or {})}
        return Stack(Site(root.resolve(), kept, ArtefactCache(given, tell), given, is_durable, dies_with_us), tell)

    def with_free_ports(self) -> Stack:
        """The same on ports that nobody has now; services that run stay where they are."""
        staying = {name for service in self.services if service.daemon.running() for name in service.port_names}
        moving = [name for name in self.site.ports if name not in staying]
        ports = {**self.site.ports, **dict(zip(moving, free_ports(len(moving)), strict=True))}
        return Stack(replace(self.site, ports=ports), self._tell)

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
        waiting = list(self.chosen(names))
        started: list[str] = []
        answering: set[str] = set()
        with alone(self.site.root / "up.lock"):
            while waiting:
                ready = [service for service in waiting if answering.issuperset(service.needs)]
                for service in ready:
                    if service.begin():
                        self._keep_ports(service)
                        self._tell(f"starting {service.name} …")
                        started.append(service.name)
                for service in ready:
                    service.wait()
                    self._tell(f"{service.name} answers at {service.address}")
                    answering.add(service.name)
                waiting = [service for service in waiting if service not in ready]
        return started

    def fetch(self, names: Collection[str] = ()) -> None:
        """Bring all that the services named need into the cache, and what halves the starts of those in Java."""
        services = self.chosen(names)
        for service in services:
            service.fetch()
        rehearse(services, self.site, self._tell)

    def down(self, names: Collection[str] = ()) -> list[str]:
        """Stop the services named and those that need them, or all, and nothing that was not started here; the
        names of those that ran. Those that need others stop first."""
        self.chosen(names)  # raises where a name is no service's
        stopped = []
        for service in reversed(self.services):
            is_meant = not names or any(name in names for name in (service.name, *service.needs))
            if is_meant and service.stop():
                self._tell(f"{service.name} has ended")
                stopped.append(service.name)
        return stopped

    def look(self) -> list[Standing]:
        """How each service is."""
        return [service.look() for service in self.services]

    def _keep_ports(self, service: Service) -> None:
        """Where it listens, for the next time."""
        its = {name: self.site.ports[name] for name in service.port_names}
        draft = self.site.root / "ports.json.part"
        draft.write_text(json.dumps({**_read_ports(self.site.root), **its}, indent=2) + "\n")
        draft.replace(self.site.root / "ports.json")


def _read_ports(root: Path) -> dict[str, int]:
    try:
        told = json.loads((root / "ports.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: int(port) for name, port in told.items() if name in DEFAULT_PORTS}
