"""A first start for nobody: Java notes which classes it needed, and every later start is done in half the time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from aura_lake.services.java import JavaService
from aura_lake.services.lock import alone
from aura_lake.services.service import Service
from aura_lake.services.site import Site, free_ports

#: Writing an archive takes long on a busy machine; nobody waits for an answer meanwhile.
_PATIENCE_SECONDS = 600


def rehearse(services: Sequence[Service], site: Site, tell: Callable[[str], None]) -> list[Path]:
    """The archives of classes that were written: one for each Java service that had none.

    The services are started on free ports in a folder that is thrown away, and asked to end. While another process
    is at it, nothing is done: a start without an archive is slower, not wrong.
    """
    java = [service for service in services if isinstance(service, JavaService)]
    if all(service.class_archive.is_file() for service in java):
        return []
    with alone(site.artefacts.folder / "rehearsal.lock", waits=False) as is_ours:
        if not is_ours:
            return []
        names = ", ".join(service.name for service in java)
        tell(f"starting {names} once for practice: later starts take half the time …")
        with tempfile.TemporaryDirectory(prefix="aura-rehearsal-", dir=site.artefacts.folder) as folder:
            ports = dict(zip(site.ports, free_ports(len(site.ports)), strict=True))
            stage = replace(
                site, root=Path(folder), ports=ports, is_rehearsal=True, is_durable=False, dies_with_us=True
            )
            return _perform([type(service)(stage) for service in java])


def _perform(cast: Sequence[JavaService]) -> list[Path]:
    """Start each when those it needs answer, and end all together. An archive is renamed into place when whole."""
    try:
        for service in cast:
            service.start()
        for service in reversed(cast):
            service.daemon.end(patience_seconds=_PATIENCE_SECONDS)
    finally:
        for service in cast:
            if service.daemon.running():
                service.kill()
    written = []
    for service in cast:
        draft = service.folder / "classes.jsa"
        if draft.is_file():  # none where this Java does not write archives
            written.append(draft.rename(service.class_archive))
    return written
