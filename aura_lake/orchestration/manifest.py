"""dbt's manifest, parsed when the project or the shop changed and else read from the state folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aura_lake.orchestration.workbench import Workbench

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


def read_manifest(bench: Workbench) -> Mapping[str, Any]:
    """The manifest of the project as it is. Parsing takes seconds and dbt; reading neither."""
    kept = bench.settings.state / "dbt" / "manifests" / f"{bench.settings.warehouse}.json"
    mark = fingerprint(bench)
    if kept.is_file():
        document: dict[str, Any] = json.loads(kept.read_bytes())
        if document.get("fingerprint") == mark:
            return dict(document["manifest"])
    manifest = json.loads(bench.gold.parse().read_bytes())
    kept.parent.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_name(f"{kept.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"fingerprint": mark, "manifest": manifest}))
    os.replace(temporary, kept)
    return dict(manifest)


def _project_files(project: Path) -> Iterator[Path]:
    return iter(sorted(path for path in project.rglob("*") if path.suffix in _SUFFIXES))
