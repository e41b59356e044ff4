"""Sites in temporary folders, with programs that only pretend."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aura_lake.services.artefacts import ArtefactCache
from aura_lake.services.site import Site
from aura_lake.services.stack import DEFAULT_PORTS

#: Adds a program to the site's PATH: a shell script of this text.
Pretend = Callable[[str, str], Path]


@pytest.fixture
def pretend(tmp_path: Path) -> Pretend:
    """Programs of the test's own."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def environ(tmp_path: Path, pretend: Pretend) -> dict[str, str]:
    """An environment that has only what pretends, a shell's own words, and a cache of its own."""
    return {"PATH": f"{tmp_path / 'programs'}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def bare(tmp_path: Path, pretend: Pretend) -> dict[str, str]:
    """An environment in which no server is installed."""
    for name in ("cat", "sleep"):
        os.symlink(f"/bin/{name}", tmp_path / "programs" / name)
    return {"PATH": str(tmp_path / "programs"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def told() -> list[str]:
    """What was told while something went on."""
    return []


@pytest.fixture
def site(tmp_path: Path, environ: dict[str, str], told: list[str]) -> Site:
    """A site on the default ports. Nothing runs there."""
    return Site(tmp_path / "site", DEFAULT_PORTS, ArtefactCache(environ, told.append), environ)
