"""Where a service lives and how it is meant to run: folder, port, cache, environment."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aura_lake.services.artefacts import ArtefactCache

#: The only address that servers are given: nobody but this machine reaches them.
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """What every service is told.

    `root` holds a folder for each service, and pid files and logs in `run/`. `ports` are by service; the
    controller of Kafka has one of its own. `is_durable`: whether data must outlive a power cut (tests do without,
    a killed process loses nothing either way). `dies_with_us`: whether servers end when this program does,
    however it does; only Linux can promise that. `is_rehearsal`: the start is for practice (rehearsal.py).
    """

    root: Path
    ports: Mapping[str, int]
    artefacts: ArtefactCache
    environ: Mapping[str, str] = field(repr=False)
    is_durable: bool = True
    dies_with_us: bool = False
    is_rehearsal: bool = False

    def folder(self, service: str) -> Path:
        """Where a service keeps its data and its configuration; made where it is not there."""
        folder = self.root / service
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def program(self, name: str) -> str | None:
        """A program's path, from PATH or else from the cache, where `go install` puts it."""
        return shutil.which(name, path=self.environ.get("PATH")) or shutil.which(name, path=self.artefacts.programs)


def is_taken(port: int) -> bool:
    """Whether some program listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now. Held together while they are chosen, so they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
