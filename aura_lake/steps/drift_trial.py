"""A patch tried on the units it concerns, before anybody approves it. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import standing_rows
from aura_lake.drift.apply import patched
from aura_lake.drift.finding import Finding
from aura_lake.lake import Lake
from aura_lake.steps.concerns import concern_of_patch
from aura_lake.steps.drift_kept import Trial
from aura_lake.steps.rejudge import rejudge
from aura_lake.steps.unit_judge import UnitJudge

#: A patch is tried on at most about so many units a table; `aura drift show` tries it on all.
TRIED = 20_000


def trials(lake: Lake, finding: Finding, from_batch: int, at_most: int | None = TRIED) -> Iterator[tuple[str, Trial]]:
    """A finding's patch tried on the units it concerns, by table; without a patch they are only counted. Nothing is
    written. `at_most`: about so many units of a table are tried, of its first batches."""
    readers = {contract.table: contract for contract in lake.shop.readers(finding.feed)}
    under = readers if finding.patch is None else {c.table: c for c in patched(list(readers.values()), finding.patch)}
    shop = replace(lake.shop, contracts={**lake.shop.contracts, **under})
    for table in tables_concerned(finding, list(readers.values()), list(under.values())):
        log = lake.log(readers[table])
        if log.exists:
            since = pl.col("feed_batch") >= from_batch
            yield table, _try(lake.under(shop), readers[table], under[table], finding, since, at_most)


def tables_concerned(finding: Finding, contracts: list[Contract], under: list[Contract]) -> list[str]:
    """The tables that a finding's patch changes; without one, those that read its field."""
    if finding.patch is None:
        return sorted({place.partition(".")[0].removesuffix(" (filter)") for place in finding.places})
    changed = {contract.table: contract for contract in contracts}
    return sorted(contract.table for contract in under if contract != changed[contract.table])


def _try(
    lake: Lake, contract: Contract, under: Contract, finding: Finding, since: pl.Expr, at_most: int | None
) -> Trial:
    rows = standing_rows(lake.log(contract), ["valid", "quarantined", "set_aside", "truncate"]).filter(since)
    waits = pl.col("verdict") == "quarantined"
    if finding.patch is None:
        columns = {place.partition(".")[2] for place in finding.places if place.startswith(f"{contract.table}.")}
        names = [column.name for column in contract.columns if column.silver_name in columns]
        about = pl.any_horizontal(
            pl.lit(False),
            *(pl.col("broken_rules").list.eval(pl.element().str.starts_with(f"{name}_")).list.any() for name in names),
        )
        count = int(rows.filter(waits & about).select(pl.len()).collect().item())
        return Trial(count, 0, count, 0, {})
    chosen = concern_of_patch(finding.patch, contract)
    counted = rows.filter(chosen).group_by("feed_batch").agg(pl.len().alias("units"), waits.sum().alias("waits"))
    batches = counted.collect(engine="streaming").sort("feed_batch")
    units = int(batches["units"].sum())
    if at_most is not None:
        batches = batches.filter(pl.col("units").cum_sum() - pl.col("units") < at_most)
    if not units:
        return Trial(0, 0, 0, 0, {})
    within = since & chosen & pl.col("feed_batch").is_in(batches["feed_batch"].to_list())
    again = rejudge(lake, under, within, dry_run=True, judge=UnitJudge(lake, under, again=True))
    waiting = sum(count for (was, _), count in again.verdicts.items() if was == "quarantined")
    return Trial(units, again.units, waiting, again.now("valid", "quarantined"), dict(again.rules))
