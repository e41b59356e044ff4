"""dbt's manifest and what dagster-dbt says of it, read anew when the project or the shop changed.

Both import dbt, which costs seconds; what they say is kept in the state folder, so that a code location loads
without them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aura_lake.orchestration.kept import keep, read_kept
from aura_lake.orchestration.workbench import Workbench

#: dbt selection of the models that people see; the views before them are dbt's own affair.
MARTS = "fqn:aura_gold.marts"

#: Files of the dbt project that decide what its manifest says.
_SUFFIXES = (".sql", ".yml", ".yaml")


def fingerprint(bench: Workbench) -> str:
    """A hash of the dbt project's bytes, of what the shop tells it, and of dbt itself."""
    shop, settings = bench.shop, bench.settings
    told = [settings.warehouse, shop.time_zone, shop.currency or "", *sorted(shop.contracts), version("dbt-core")]
    total = hashlib.sha256("\0".join(told).encode())
    for path in _project_files(settings.project / "dbt"):
        total.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return total.hexdigest()


@dataclass(frozen=True)
class DbtProject:
    """The parsed project. `marts`: by model that people see, the version of its code as dagster-dbt tells it."""

    manifest: Mapping[str, Any]
    marts: Mapping[str, str]


def read_project(bench: Workbench) -> DbtProject:
    """The dbt project as it is."""
    kept = bench.settings.state / "dbt" / "projects" / f"{bench.settings.warehouse}.json"
    mark = fingerprint(bench)
    document = read_kept(kept)
    if document.get("fingerprint") != mark:
        manifest = json.loads(bench.gold.parse().read_bytes())
        document = {"fingerprint": mark, "manifest": manifest, "marts": _marts(manifest)}
        keep(kept, document)
    return DbtProject(document["manifest"], document["marts"])


def _marts(manifest: Mapping[str, Any]) -> dict[str, str]:
    from dagster_dbt import build_dbt_asset_specs

    specs = build_dbt_asset_specs(manifest=manifest, select=MARTS)
    return {spec.key.path[-1]: spec.code_version or "" for spec in specs}


def _project_files(project: Path) -> Iterator[Path]:
    return iter(sorted(path for path in project.rglob("*") if path.suffix in _SUFFIXES))
