"""Everything a lake shows people, as frames that can be compared row for row.

Positions, batches and landing times are left out: by law 4 nothing else may depend on arrival. Verdicts are
counted here from the log alone, so that the comparison trusts none of the library's readers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from aura_lake.contracts.contract import Contract
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION, is_folded, table_columns

#: A verdict with its reason and the rules it broke, and how many units have it.
Verdicts = dict[tuple[str, str | None, tuple[str, ...]], int]


@dataclass(frozen=True)
class Seen:
    """The public tables by name, and the verdicts of each table."""

    tables: Mapping[str, pl.DataFrame]
    verdicts: Mapping[str, Verdicts]


def look_at(lake: Lake, *, gold: bool = True) -> Seen:
    """Current rows, versions and credits of silver, and gold as the manifest pins it."""
    tables: dict[str, pl.DataFrame] = {}
    for name, contract in lake.shop.contracts.items():
        tables[f"silver.{name}"] = _sorted(lake.table(name).collect())
        if is_folded(contract):
            tables[f"silver.{name}_history"] = versions(lake, name)
    if "orders" in lake.shop.contracts and lake.touchpoints().exists:
        tables["silver.order_touchpoints"] = _sorted(lake.table("order_touchpoints").collect())
    if gold:
        for name in manifest(lake)["tables"]:
            if name.startswith("gold."):
                tables[name] = _sorted(published(lake, name.removeprefix("gold.")))
    return Seen(tables, {name: verdicts(lake, contract) for name, contract in lake.shop.contracts.items()})


def without_gold(seen: Seen) -> Seen:
    """What silver shows of it."""
    return Seen({name: frame for name, frame in seen.tables.items() if not name.startswith("gold.")}, seen.verdicts)


def assert_same(one: Seen, other: Seen) -> None:
    """Every table equal row for row, and as many of each verdict."""
    assert one.tables.keys() == other.tables.keys()
    for name, frame in one.tables.items():
        try:
            assert_frame_equal(frame, other.tables[name])
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    assert one.verdicts == other.verdicts


def manifest(lake: Lake) -> dict[str, dict[str, int]]:
    """The document that pins what is published."""
    document: dict[str, dict[str, int]] = json.loads((Path(lake.settings.home) / "gold" / "_manifest.json").read_text())
    return document


def published(lake: Lake, model: str) -> pl.DataFrame:
    """A gold model as a reader sees it: at the version the manifest names, from its Delta table."""
    version = manifest(lake)["tables"][f"gold.{model}"]
    return pl.read_delta(lake.settings.uri("gold", model), version=version)


def versions(lake: Lake, name: str) -> pl.DataFrame:
    """The public versions of a table, as its history has them."""
    contract = lake.contract(name)
    columns = [*table_columns(contract), "valid_from", "valid_to", "is_current"]
    return _sorted(lake.history(contract).scan().filter("_is_version").select(columns).collect())


def verdicts(lake: Lake, contract: Contract) -> Verdicts:
    """How many units ended with which verdict, by their last judgement."""
    unit = [*POSITION, "part"]
    rows = lake.log(contract).scan().select(*unit, "judgement", "verdict", "reason", "broken_rules").collect()
    last = rows.sort("judgement").unique(unit, keep="last")
    counted: Verdicts = {}
    for verdict, reason, broken in last.select("verdict", "reason", "broken_rules").iter_rows():
        told = (verdict, reason, tuple(sorted(broken or ())))
        counted[told] = counted.get(told, 0) + 1
    return counted


def verdict_totals(lake: Lake, name: str) -> dict[str, int]:
    """Units of a table by verdict."""
    totals: dict[str, int] = {}
    for (verdict, _, _), count in verdicts(lake, lake.contract(name)).items():
        totals[verdict] = totals.get(verdict, 0) + count
    return totals


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(pl.all(), nulls_last=False)
