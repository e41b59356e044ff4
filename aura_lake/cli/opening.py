"""The lake that a command works on, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aura_lake.settings import Settings, find_project

if TYPE_CHECKING:
    from aura_lake.lake import Lake
    from aura_lake.query.reader import Reader


def read_settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environment()


def find_environment() -> tuple[Mapping[str, str], Path]:
    """The environment and the project's folder, for commands that need no shop yet."""
    environ = dict(os.environ)
    return environ, find_project(environ, Path.cwd())


def open_reader(settings: Settings | None = None) -> Reader:
    """The lake for looking, in a few milliseconds."""
    from aura_lake.query.reader import Reader

    return Reader(settings or read_settings())


def open_lake(settings: Settings | None = None) -> Lake:
    """The lake for working: contracts loaded and checked."""
    from aura_lake.contracts.digest import keep_digest
    from aura_lake.lake import Lake

    lake = Lake(settings or read_settings())
    keep_digest(lake.settings, lake.shop)
    return lake
