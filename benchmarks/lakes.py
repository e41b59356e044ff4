"""Lakes for benchmarks: the shop in `benchmarks/shop`, its feeds where the case says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from benchmarks.places import PROJECT

SHOP = PROJECT / "benchmarks" / "shop"
KEY = "a key that only benchmarks hash with, 32 bytes or more"


def settings_for(home: Path, feeds: Mapping[str, Path]) -> Settings:
    """Settings of a lake in `home`; `feeds` gives places by variable (EVENTS_LINES, EVENTS_FIREHOSE, ORDERS)."""
    environ = {"AURA_PII_KEY": KEY, **{f"BENCH_{name}": str(place) for name, place in feeds.items()}}
    return Settings(project=PROJECT, home=str(home), state=home / "state", shop=SHOP, environ=environ)


def open_lake(home: Path, feeds: Mapping[str, Path]) -> Lake:
    """A lake in `home` with the benchmarks' contracts."""
    settings = settings_for(home, feeds)
    return Lake(settings, load_shop(SHOP, settings.environment, settings.environ))
