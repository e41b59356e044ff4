"""What `aura doctor` looks at, each with what it found and the fix."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from aura_lake.errors import AuraError
from aura_lake.settings import Settings

if TYPE_CHECKING:
    from aura_lake.lake import Lake

#: Less room than this and a run may end in the middle (nothing is lost, and nothing goes on).
MINIMUM_FREE_GB = 2.0

_PIN = re.compile(r"([a-z][a-z0-9-]+)(?:\[[a-z,]+\])?==([0-9.]+)")

PYTHONS = ((3, 11), (3, 13))


@dataclass(frozen=True)
class Finding:
    """One probe. `state`: good, odd (it works, and somebody should look) or bad."""

    probe: str
    state: str
    found: str
    fix: str = ""


def probe_settings(settings: Settings) -> Iterator[Finding]:
    """Python, packages, and the places that the settings name."""
    yield _python()
    yield from _packages(settings.project / "pyproject.toml")
    yield Finding("project", "good", str(settings.project))
    if settings.is_local:
        yield _writable("AURA_HOME", Path(settings.home))
        yield _room(Path(settings.home))
    else:
        yield Finding("AURA_HOME", "good", settings.home)
    yield _writable("AURA_STATE", settings.state)


def probe_lake(settings: Settings) -> Iterator[Finding]:
    """Contracts, feeds, the lake's tables, lease, warehouse. A probe that fails hides those that need it."""
    from aura_lake.cli.opening import open_lake

    found: list[Lake] = []

    def contracts() -> str:
        found.append(open_lake(settings))
        shop = found[0].shop
        return f"shop {shop.id}: {len(shop.contracts)} tables, {len(shop.feeds)} feeds, from {shop.path}"

    yield _probe("contracts", contracts)
    if not found:
        return
    lake = found[0]
    yield _probe("hash key", lambda: _key(lake))
    for feed in lake.shop.feeds.values():
        yield _probe(f"feed {feed.name}", partial(_list_feed, lake, feed.name))
    yield from _tables(lake)
    yield _probe("lease", lambda: _lease(settings))
    yield _probe("warehouse", lambda: _warehouse(settings))


def _probe(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "good", look())
    except AuraError as error:
        return Finding(name, "bad", error.what, error.fix)


def _python() -> Finding:
    mine, (least, most) = sys.version_info[:2], PYTHONS
    text = ".".join(map(str, sys.version_info[:3]))
    if least <= mine <= most:
        return Finding("Python", "good", text)
    return Finding(
        "Python", "bad", f"{text}; 3.{least[1]} to 3.{most[1]} are supported", "make PYTHON=python3.12 setup"
    )


def _packages(pyproject: Path) -> Iterator[Finding]:
    """The packages whose versions are pinned exactly, against those installed."""
    wanted_packages = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    pins = [(m[1], m[2]) for text in wanted_packages if (m := _PIN.fullmatch(text))]
    wrong = []
    for name, wanted in pins:
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "not installed"
        if installed != wanted:
            wrong.append(f"{name} {installed} instead of {wanted}")
    if wrong:
        yield Finding("packages", "bad", "; ".join(wrong), "make setup installs the locked versions.")
    else:
        yield Finding("packages", "good", f"{len(pins)} pinned packages as locked")


def _writable(name: str, folder: Path) -> Finding:
    nearest = next(place for place in [folder, *folder.parents] if place.exists())
    if not nearest.is_dir():
        return Finding(name, "bad", f"{folder}: {nearest} is a file", f"Point {name} at a folder.")
    if not os.access(nearest, os.W_OK):
        return Finding(name, "bad", f"{folder} may not be written to", f"Point {name} at a folder you may write to.")
    return Finding(name, "good", str(folder) if folder.exists() else f"{folder} (made by the first run)")


def _room(folder: Path) -> Finding:
    nearest = next(place for place in [folder, *folder.parents] if place.exists())
    free = shutil.disk_usage(nearest).free / 1e9
    if free < MINIMUM_FREE_GB:
        return Finding("disk", "odd", f"{free:.1f} GB are free", f"Make room: runs want {MINIMUM_FREE_GB:.0f} GB.")
    return Finding("disk", "good", f"{free:.0f} GB are free")


def _key(lake: Lake) -> str:
    """The key that personal values are hashed with; one that is not there yet is not made by looking."""
    from aura_lake.delta.documents import read_document
    from aura_lake.privacy.key import read_key

    settings = lake.settings
    is_given = bool(settings.environ.get("AURA_PII_KEY"))
    if not is_given and settings.is_local and not (Path(settings.home) / "secrets" / "pii.key").is_file():
        return "made by the first run"
    key, _ = read_key(settings)
    if read_document(lake, "lake.json") is not None:
        lake.claim(key)  # raises where the lake was begun by another shop or with another key
    return f"key {key.id}, {'from AURA_PII_KEY' if is_given else f'kept in {settings.home}/secrets'}"


def _list_feed(lake: Lake, name: str) -> str:
    from aura_lake.outside.objects import ListingScope
    from aura_lake.outside.records import store_for
    from aura_lake.outside.s3_environment import s3_settings

    feed = lake.shop.feeds[name]
    listing = store_for(feed, s3_settings(lake.settings.environ)).list(ListingScope.RECENT)
    waiting = f", {len(listing.waiting)} wait" if listing.waiting else ""
    skipped = f", {len(listing.skipped)} skipped" if listing.skipped else ""
    return f"{len(listing.objects):,} recent objects{waiting}{skipped} in {feed.location}"


def _tables(lake: Lake) -> Iterator[Finding]:
    """Every table's log, whether it can be read, and whether it would forget its watermarks."""
    from aura_lake.layouts import is_folded

    read = 0
    opened: list[tuple[str, Callable[[], object]]] = [
        (f"bronze.{feed}", partial(lake.bronze, feed)) for feed in lake.shop.feeds
    ]
    for contract in lake.shop.contracts.values():
        opened.append((f"silver.{contract.table}_log", partial(lake.log, contract)))
        if is_folded(contract):
            opened.append((f"silver.{contract.table}_history", partial(lake.history, contract)))
            opened.append((f"silver.{contract.table}", partial(lake.current, contract)))
    for name, look in opened:
        try:
            look()
            read += 1
        except AuraError as error:
            yield Finding(name, "bad", error.what, error.fix)
    yield Finding("tables", "good" if read == len(opened) else "bad", f"{read} of {len(opened)} logs can be read")


def _lease(settings: Settings) -> str:
    from aura_lake.cli.opening import open_reader

    if not settings.is_local:
        holder = open_reader(settings).document("apply.lease")
        return "nobody applies" if not holder or holder.get("is_free") else f"held by process {holder.get('pid')}"
    path = Path(settings.home) / "apply.lease"
    text = path.read_text().strip() if path.is_file() else ""
    return f"the last line says {text}" if text else "nobody applies"


def _warehouse(settings: Settings) -> str:
    from aura_lake.warehouse.opening import open_warehouse

    path = settings.state / "warehouse.duckdb"
    if settings.warehouse == "duckdb" and not path.is_file():
        return "duckdb; its file is made by the first run"
    house = open_warehouse(settings)
    try:
        load = house.last_load_id()
    finally:
        house.release()
    return f"{settings.warehouse}, load {load}"
