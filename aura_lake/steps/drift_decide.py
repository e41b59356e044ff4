"""What people decide of a finding: approve its patch, reject it, take it back, or be left alone for a while.

An approval names the hash of the patch that the person saw. Each decision is a record in bronze and takes effect as
any does (`carry_out`): at once where this process applies, else with the next turn of whoever does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aura_lake.approvals import APPROVED, REJECTED, ROLLED_BACK, SNOOZED, Approval, approvals, effective_shop
from aura_lake.contracts.contract import Contract
from aura_lake.decisions import Decision, decide
from aura_lake.drift.apply import patched
from aura_lake.drift.patch import PatchRefused
from aura_lake.errors import QueryError
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.steps.carry_out import CarriedOut, carry_out
from aura_lake.steps.drift_kept import Drift, State, drifts, note_open
from aura_lake.steps.drift_trial import tables_concerned
from aura_lake.steps.fold import fold


def drift_named(lake: Lake, name: str) -> Drift:
    """The finding that an id, or the beginning of one, names. Raises QueryError naming those there are."""
    known = drifts(lake)
    found = [drift for drift in known if drift.id.startswith(name)] if name else []
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{drift.id} ({drift.finding.field})" for drift in known[:5]) or "none"
    raise QueryError(
        f"{len(found)} findings are named {name!r}." if found else f"There is no finding {name!r}.",
        fix=f"`aura drift list` shows them all: {listed}.",
    )


def approve(lake: Lake, drift: Drift, hash_: str, *, who: str, why: str) -> Decision:
    """The decision that a patch holds from now on. Raises PatchRefused where the finding has no patch, or another
    than the one with that hash, or one that contradicts the contracts that hold now."""
    patch = drift.finding.patch
    if patch is None:
        raise PatchRefused(
            f"{drift.id}: no patch reads {drift.finding.field} as it was ({drift.finding.stands.value}).",
            fix="Let the producer mend it, or change the contract; then `aura quarantine replay`.",
        )
    if len(hash_) < 8 or not patch.hash.startswith(hash_.lower()):
        raise PatchRefused(
            f"{drift.id}: the patch that was approved has the hash {hash_[:12]}, and the one proposed now has "
            f"{patch.hash[:12]}. Nothing was decided.",
            fix=f"Look at it again: `aura drift show {drift.id}`.",
        )
    if drift.state is State.APPROVED:
        raise PatchRefused(f"{drift.id} is approved already.", fix=f"`aura drift rollback {drift.id}` takes it back.")
    readers = list(lake.renewed().shop.readers(patch.feed))
    tables = tables_concerned(drift.finding, readers, list(patched(readers, patch)))
    facts = {**_facts(drift), "patch": patch.to_json(), "tables": tables, "from_batch": drift.from_batch}
    return _decide(lake, APPROVED, facts, who, why)


def roll_back(lake: Lake, name: str, *, who: str, why: str) -> Decision:
    """The decision that an approved patch holds no more; works also where it contradicts the contracts, and where
    its finding is no longer kept. Raises QueryError where no such patch stands."""
    standing = approvals(lake)
    found = [approval for approval in standing if name and approval.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(approval.id for approval in standing) or "none"
        raise QueryError(f"{len(found)} approved patches are named {name!r}.", fix=f"Approved are: {known}.")
    without = _contradiction(lake, [approval for approval in standing if approval is not found[0]])
    if without is not None and _contradiction(lake, standing) is None:
        raise PatchRefused(f"{found[0].id}: another approved patch needs it. {without.what}", fix=without.fix)
    facts = found[0].decision.facts
    taken_back = {name: facts[name] for name in ("feed", "id", "hash", "tables", "from_batch")}
    return _decide(lake, ROLLED_BACK, taken_back, who, why)


def _contradiction(lake: Lake, standing: list[Approval]) -> PatchRefused | None:
    """Why these patches do not go with the contracts in the files, or with each other."""
    try:
        effective_shop(lake.filed, standing)
    except PatchRefused as refused:
        return refused
    return None


def reject(lake: Lake, drift: Drift, *, who: str, why: str) -> Decision:
    """The decision not to take a finding's patch. It stays rejected until the patch becomes another."""
    _refuse_approved(drift)
    return _decide(lake, REJECTED, _facts(drift), who, why)


def snooze(lake: Lake, drift: Drift, hours: float, *, who: str, why: str) -> Decision:
    """The decision to be left alone with a finding for some hours, or until its patch becomes another."""
    _refuse_approved(drift)
    until = datetime.now(UTC) + timedelta(hours=hours)
    return _decide(lake, SNOOZED, {**_facts(drift), "until": until.isoformat()}, who, why)


def apply_decision(lake: Lake, decision: Decision) -> dict[str, CarriedOut | None]:
    """Carry out an approval, or its taking back, in every table it concerns, and fold what came of it. Only whoever
    holds the lease calls this."""
    now = lake.renewed()
    done = {}
    for table in decision.facts["tables"]:
        contract: Contract = now.contract(table)
        done[table] = carry_out(now, contract)[1]
        if is_folded(contract):
            fold(now, contract)
    return done


def _decide(lake: Lake, kind: str, facts: dict[str, Any], who: str, why: str) -> Decision:
    decision = decide(lake, kind, facts, who=who, why=why)
    note_open(lake.under(lake.filed), facts["feed"])  # whatever else was approved, which findings are kept is known
    return decision


def _facts(drift: Drift) -> dict[str, Any]:
    patch = drift.finding.patch
    return {"feed": drift.finding.feed, "id": drift.id, "hash": None if patch is None else patch.hash}


def _refuse_approved(drift: Drift) -> None:
    if drift.state is State.APPROVED:
        raise PatchRefused(f"{drift.id} is approved.", fix=f"`aura drift rollback {drift.id}` takes it back.")
