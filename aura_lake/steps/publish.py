"""Publish: gold is built, tested, written as Delta, and shown to readers all at once.

dbt builds and tests the models; the months that changed replace those of the Delta tables under `gold/`;
then one small manifest of versions is swapped. A reader who pins the manifest sees tables that belong
together and never waits for a writer. A table whose publication is held back, and exactly the models that
are built from it, stay at their last good batch together.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from aura_lake.delta.commit import Commit
from aura_lake.delta.documents import read_document
from aura_lake.delta.layout import Layout
from aura_lake.delta.swap import swap_document
from aura_lake.errors import CommitConflict
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.warehouse.dbt_runner import DbtGold, DbtReport
from aura_lake.warehouse.tables import LOADED, source_tables
from aura_lake.warehouse.warehouse import PERIOD_COLUMN, UNDATED, Warehouse

#: The document that says which versions belong together.
MANIFEST = "gold/_manifest.json"

#: A published model counts its publications in its own log.
_PUBLICATION = "publication"

#: Partition of a published model: the month of a fact, `all` for a dimension.
WHOLE = "all"


@dataclass(frozen=True)
class PublishReport:
    """What one publication did: rows written by model, models held back with the table that holds them."""

    build: DbtReport
    written: dict[str, int] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Shown:
    """What people saw when a build began: the manifest, and how often each model had been published."""

    manifest: Mapping[str, Any] | None
    publications: Mapping[str, int]


def shown(lake: Lake, models: Collection[str]) -> Shown:
    """What people see now. Asked for before the warehouse is loaded: who then stands still for longer than its lease
    lasts finds that another has published meanwhile, and publishes nothing over it."""
    return Shown(read_document(lake, MANIFEST), {name: lake.gold(name).watermark(_PUBLICATION) for name in models})


def silver_versions(lake: Lake, held: Collection[str]) -> dict[str, int]:
    """The versions of the silver tables that are not held back, by the names the manifest gives them."""
    found = {}
    for name, contract in lake.shop.contracts.items():
        if name in held:
            continue
        found[f"silver.{name}_log"] = lake.log(contract).version
        if is_folded(contract):
            found[f"silver.{name}"] = lake.current(contract).version
            found[f"silver.{name}_history"] = lake.history(contract).version
    if not set(held) & set(source_tables("order_touchpoints")) and lake.touchpoints().exists:
        found["silver.order_touchpoints"] = lake.touchpoints().version
    return found


def publish(
    lake: Lake,
    warehouse: Warehouse,
    gold: DbtGold,
    *,
    held: Mapping[str, str],
    full_refresh: bool = False,
    showing: Mapping[str, int] | None = None,
    since: Shown | None = None,
) -> PublishReport:
    """Build, test and show every model that no held table stands above.

    `held`: tables whose publication is held back, with the reason. `showing`: the silver versions that the warehouse
    was loaded from, where silver may have gone on since (default: those it has now). `since`: what people saw before
    it was loaded (default: what they see now). Raises WarehouseError where a model cannot be built, CommitConflict
    where another process has published since. Models whose tests fail stay as they were published, and the others
    too: they would not belong together.
    """
    started = time.monotonic()
    manifest = since.manifest if since else read_document(lake, MANIFEST)
    publications = since.publications if since else {}
    warehouse.release()
    sources = sorted(name for name in LOADED if held.keys() & source_tables(name))
    excluded = [f"source:silver.{name}+" for name in sources]
    build = gold.build(exclude=excluded or None, full_refresh=full_refresh)
    models = [model.name for model in build.models if model.status == "success"]
    marts = [name for name in models if name.startswith(("dim_", "fct_"))]
    written: dict[str, int] = {}
    if not build.failed_tests:
        for name in marts:
            rows = _publish_model(lake, warehouse, name, publications.get(name))
            if rows is not None:
                written[name] = rows
        warehouse.publish(marts)
        _swap_manifest(lake, marts, held, silver_versions(lake, held) if showing is None else showing, manifest)
        warehouse.clear_changed(marts)
        warehouse.forget_touched()
    warehouse.release()
    return PublishReport(build, written, dict(held), time.monotonic() - started)


def _publish_model(lake: Lake, warehouse: Warehouse, name: str, published: int | None) -> int | None:
    """Replace the changed months of a published model; rows written, None where nothing changed. `published`: how
    often it had been when the build began."""
    periods = warehouse.changed_periods(name)
    if not periods:
        return None
    everything = None in periods
    rows = pl.DataFrame(warehouse.read(name, None if everything else periods))
    rows = rows.select(pl.col(column).cast(_delta_type(dtype)) for column, dtype in rows.schema.items())
    if PERIOD_COLUMN in rows.columns:
        period = pl.col(PERIOD_COLUMN).dt.strftime("%Y-%m").fill_null(UNDATED)
    else:
        period = pl.lit(WHOLE)
    rows = rows.with_columns(_period=period)
    table = lake.gold(name, Layout(columns=dict(rows.schema), partition_by=("_period",)))
    number = table.watermark(_PUBLICATION)
    if published is not None and published != number:
        raise CommitConflict(
            f"{table.uri}: another process has published it {number - published} times since this build began.",
            fix="Nothing was written; the step runs again.",
        )
    with Commit(table) as commit:
        files = table.files()
        if not everything and "partition._period" in files.columns:
            files = files.filter(pl.col("partition._period").is_in([p for p in periods if p is not None]))
        if not files.is_empty():
            commit.remove(files)
        commit.add(rows)
        commit.publish({_PUBLICATION: (number, number + 1)}, metadata={"model": name})
    return rows.height


def _delta_type(dtype: pl.DataType) -> pl.DataType:
    """The type a column is published in: UTC microseconds, 64-bit integers, exact decimals."""
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", "UTC")
    if dtype.is_integer():
        return pl.Int64()
    return dtype


def _swap_manifest(
    lake: Lake,
    models: Collection[str],
    held: Mapping[str, str],
    showing: Mapping[str, int],
    before: Mapping[str, Any] | None,
) -> None:
    """Show the new versions, all at once; held tables keep the versions they had."""
    tables: dict[str, Any] = dict((before or {}).get("tables", {}))
    for name in models:
        table = lake.gold(name)
        if table.exists:
            tables[f"gold.{name}"] = table.version
    tables |= showing
    document = {"published_at": datetime.now(UTC).isoformat(), "tables": tables, "held": dict(held)}
    if {**(before or {}), "published_at": None} != {**document, "published_at": None}:
        swap_document(lake, MANIFEST, before, document)
