"""Activate: a contract file that changed is noticed, and its activation written down as a decision.

The log keeps the fingerprint of the contract its rows were judged by. A log that has none yet takes the present
contract for it, in silence.
"""

from __future__ import annotations

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.fingerprint import contract_fingerprint, shape_fingerprint
from aura_lake.decisions import decide, decisions
from aura_lake.delta.table import NEVER, LakeTable
from aura_lake.delta.watermarks import CONTRACT, DECIDED, SHAPE
from aura_lake.lake import Lake
from aura_lake.steps.concerns import ACTIVATE


def marks_of(lake: Lake, contract: Contract) -> dict[str, int]:
    """What the log is marked with when its rows are judged by `contract`: the fingerprint of its file, and of the
    shape that the effective contract gives the table."""
    filed = lake.filed.contracts.get(contract.table, contract)
    return {CONTRACT: contract_fingerprint(filed, lake.filed), SHAPE: shape_fingerprint(contract)}


def unmarked(log: LakeTable, marks: dict[str, int]) -> dict[str, int]:
    """Those of the marks that the log does not carry."""
    return {name: number for name, number in marks.items() if log.watermark(name) != number}


def note_activation(lake: Lake, contract: Contract, log: LakeTable) -> None:
    """Write the decision `activate` where the log stands under another contract file, unless one that the log has
    not carried out says so already."""
    stands, now = log.watermark(CONTRACT), marks_of(lake, contract)[CONTRACT]
    if stands in (NEVER, now):
        return
    for decision in decisions(lake, ACTIVATE):
        facts = decision.facts
        if decision.number > log.watermark(DECIDED) and (facts["table"], facts["fingerprint"]) == (contract.table, now):
            return
    decide(
        lake,
        ACTIVATE,
        {"table": contract.table, "fingerprint": now, "before": stands, "version": contract.version},
        who=lake.settings.environ.get("USER") or "aura",
        why=f"The contract file of {contract.table} is another one (version {contract.version}).",
    )
