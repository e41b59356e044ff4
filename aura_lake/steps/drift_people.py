"""Drift as people are told of it, and as they decide on it from afar: open findings as causes, patches as buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.delta.lease import ApplyLease
from aura_lake.drift.apply import patched
from aura_lake.drift.finding import Stands
from aura_lake.errors import LeaseHeld
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION
from aura_lake.people.cause import Cause, Level, Look, Proposal
from aura_lake.people.masking import mask_row
from aura_lake.people.patches import KnownPatch
from aura_lake.steps.bronze_records import BronzeRecords
from aura_lake.steps.concerns import concern_of_patch
from aura_lake.steps.downstream import impact_of_tables
from aura_lake.steps.drift_decide import apply_decision, approve, drift_named, reject, snooze
from aura_lake.steps.drift_kept import Drift, drifts, open_drifts
from aura_lake.steps.drift_trial import tables_concerned
from aura_lake.steps.explained import explained_by
from aura_lake.steps.unit_judge import UnitJudge

if TYPE_CHECKING:
    from aura_lake.steps.look_for_causes import Sight

#: Who looks.
SOURCE = "drift"

#: How long `snooze` lasts from afar, in hours.
SNOOZE_HOURS = 24.0


def drift_causes(sight: Sight) -> Look:
    """The findings that wait for a person."""
    return Look(tuple(_cause(sight, drift) for drift in open_drifts(sight.lake)), frozenset({SOURCE}))


def _cause(sight: Sight, drift: Drift) -> Cause:
    finding, lake = drift.finding, sight.lake
    contracts = lake.shop.readers(finding.feed)
    concerned = tuple(c for c in contracts if any(place.startswith(f"{c.table}") for place in finding.places))
    decide = f"aura drift show {drift.id}"
    if finding.patch is not None:
        decide = f"aura drift approve {drift.id} --hash {finding.patch.hash[:12]}"
    return Cause(
        kind="drift",
        source=SOURCE,
        place=f"bronze.{finding.feed}",
        id=drift.id,
        level=Level.ERROR if finding.stands is Stands.BREAKING or drift.waiting else Level.WARNING,
        owner=sight.feed_owner(lake.shop.feeds[finding.feed]),
        says=finding.says,
        first_seen_at=drift.first_seen_at,
        count=max(1, drift.waiting),
        changed=f"{finding.says} {finding.stands.value}, confidence {finding.confidence:.3f}.",
        impact=impact_of_tables(sight.models, concerned or contracts),
        command=decide,
        proposal=_proposal(lake, drift),
        explains=explained_by(lake.shop, finding.places),
    )


def _proposal(lake: Lake, drift: Drift) -> Proposal | None:
    patch = drift.finding.patch
    if patch is None or drift.finding.stands is Stands.BREAKING:
        return None  # a column that may be empty is no healing: that is decided where all of it is read
    before, after = sample(lake, drift)
    return Proposal(drift.id, patch.hash, drift.finding.confidence, before, after)


def sample(lake: Lake, drift: Drift) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """One unit that the patch concerns, masked: as it is judged now, and as it would be. Columns that are the same
    in both are left out; empty where there is no such unit."""
    patch = drift.finding.patch
    if patch is None:
        return {}, {}
    readers = list(lake.shop.readers(patch.feed))
    under = {contract.table: contract for contract in patched(readers, patch)}
    shop = replace(lake.shop, contracts={**lake.shop.contracts, **under})
    for table in tables_concerned(drift.finding, readers, list(under.values())):
        contract = lake.contract(table)
        records, headers = _one_record(lake, contract, drift)
        if records.is_empty():
            continue
        before = _masked(UnitJudge(lake, contract, again=True)(records, headers, None), contract)
        after = _masked(UnitJudge(lake.under(shop), under[table], again=True)(records, headers, None), under[table])
        differs = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if differs:
            return {n: before.get(n, "null") for n in differs}, {n: after.get(n, "null") for n in differs}
    return {}, {}


def _one_record(lake: Lake, contract: Contract, drift: Drift) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first record that the patch concerns, in quarantine where one is; and the headers of objects."""
    assert drift.finding.patch is not None
    log, records = lake.log(contract), BronzeRecords(lake.bronze(contract.feed), contract)
    nothing = pl.DataFrame()
    if not log.exists:
        return nothing, records.headers
    chosen = (pl.col("feed_batch") >= drift.from_batch) & concern_of_patch(drift.finding.patch, contract)
    rows = standing_rows(log, ["quarantined", "valid"]).filter(chosen).sort("outcome").select(*UNIT, "feed_batch")
    unit = rows.head(1).collect()
    if unit.is_empty():
        return nothing, records.headers
    for frame in records.read(pl.col("batch") == unit["feed_batch"][0]):
        found = frame.join(unit, on=list(POSITION), how="semi", nulls_equal=True)
        if not found.is_empty():
            return found.head(1), records.headers
    return nothing, records.headers


def _masked(judged: pl.DataFrame, contract: Contract) -> dict[str, str]:
    row = judged.row(0, named=True)
    hashed = [column.silver_name for column in contract.columns if column.personal]
    allowed = {c.silver_name: c.allowed_values for c in contract.columns if c.allowed_values}
    values = {column.silver_name: row[column.silver_name] for column in contract.columns}
    return {"verdict": str(row["verdict"]), **mask_row(values, hashed=hashed, allowed=allowed)}


class DriftPatches:
    """Patches for those who answer from afar: looks one up, and decides on it by its hash."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def find(self, patch_id: str) -> KnownPatch | None:
        """The patch of a finding; None where there is none of that id."""
        for drift in drifts(self._now()):
            if drift.id == patch_id and drift.finding.patch is not None:
                finding = drift.finding
                assert finding.patch is not None
                return KnownPatch(drift.id, finding.patch.hash, finding.feed, drift.is_open, drift.state.value)
        return None

    def decide(self, action: str, patch_id: str, hash: str, who: str, why: str) -> str:
        """What came of it, in a sentence; an approval is carried out at once where the lease is free."""
        lake = self._now()
        drift = drift_named(lake, patch_id)
        if action == "reject":
            return f"Decision {reject(lake, drift, who=who, why=why).number}: {patch_id} is rejected."
        if action == "snooze":
            made = snooze(lake, drift, SNOOZE_HOURS, who=who, why=why)
            return f"Decision {made.number}: {patch_id} is left alone for {SNOOZE_HOURS:.0f} h."
        made = approve(lake, drift, hash, who=who, why=why)
        try:
            with ApplyLease(lake, wait_seconds=0):
                done = apply_decision(lake, made)
        except LeaseHeld as held:
            return (
                f"Decision {made.number}: {patch_id} is approved. {held.what} It carries this out with its next turn."
            )
        units = sum(out.units or 0 for out in done.values() if out is not None)
        return f"Decision {made.number}: {patch_id} is approved; {units:,} units were judged again."

    def _now(self) -> Lake:
        self._lake = self._lake.renewed()
        return self._lake
