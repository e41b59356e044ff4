"""Carry out: what was decided, or is another contract now, enters a table's log before anything new does.

Decisions are an upstream of every log like bronze is: how far they are carried out stands in the commit that holds
what came of them. So each takes effect exactly once, whoever applies next, and survives any death on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_lake.contracts.contract import Contract
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import NEVER, LakeTable
from aura_lake.delta.watermarks import CONTRACT, DECIDED, SHAPE
from aura_lake.errors import ContractsMoved
from aura_lake.lake import Lake
from aura_lake.steps.activate import marks_of, note_activation, unmarked
from aura_lake.steps.concerns import ACTIVATE, any_of, decided_upto, decisions_of
from aura_lake.steps.rejudge import NeedsRewrite, Rejudged, rejudge
from aura_lake.steps.rewrite import rewrite


@dataclass(frozen=True)
class Held:
    """What a table's log is to be judged under: `decided` is the number of the last decision that counts."""

    decided: int
    marks: dict[str, int]

    def moves(self, log: LakeTable) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
        """The watermarks and marks of the log that are not there yet."""
        standing = log.watermark(DECIDED)
        return {DECIDED: (standing, self.decided)} if self.decided > standing else {}, unmarked(log, self.marks)


@dataclass(frozen=True)
class CarriedOut:
    """Kinds of the decisions that concerned the table, and what judging again found; None: the log was rewritten."""

    kinds: tuple[str, ...]
    rejudged: Rejudged | None

    @property
    def units(self) -> int | None:
        """Units judged again; None: all there are."""
        return None if self.rejudged is None else self.rejudged.units

    @property
    def says(self) -> str:
        """What was done, in counts."""
        what = ", ".join(dict.fromkeys(self.kinds)) or "another contract"
        if self.rejudged is None:
            return f"{what}: the whole table was judged anew"
        return f"{what}: {self.rejudged.units:,} units judged again, {self.rejudged.changed:,} otherwise than before"


def carry_out(lake: Lake, contract: Contract) -> tuple[Held, CarriedOut | None]:
    """Bring a log under the decisions it has not read and under its present contract; (what it stands under now,
    what was done). None where nothing concerned the table: then nothing was written."""
    log = lake.log(contract)
    if log.exists:
        note_activation(lake, contract, log)
    held = Held(decided_upto(lake), marks_of(lake, contract))
    if not lake.is_current():
        raise ContractsMoved(
            f"{contract.table}: a patch was approved or taken back since its contract was read.",
            fix="Run again: nothing was written.",
        )
    if not log.exists:
        return held, None  # the first commit of its rows says so
    moved, marks = held.moves(log)
    found = decisions_of(lake, contract, log.watermark(DECIDED), held.decided)
    kinds = tuple(decision.kind for decision, _ in found)
    if marks and log.watermark(CONTRACT) == NEVER:
        with Commit(log) as commit:
            commit.publish({}, marks=marks, metadata={"table": contract.table})
        marks = {}
        log.refresh()
    if _is_another_table(log, marks, kinds):
        rewrite(lake, contract)
        return held, CarriedOut(kinds, None)
    if not found:
        return held, None
    try:
        again = rejudge(lake, contract, any_of(units for _, units in found), watermarks=moved, marks=marks)
    except NeedsRewrite:
        rewrite(lake, contract)
        return held, CarriedOut(kinds, None)
    return held, CarriedOut(kinds, again)


def is_waiting(lake: Lake, contract: Contract, log: LakeTable) -> bool:
    """Whether a decision waits to be carried out in a log."""
    upto = decided_upto(lake)
    return log.exists and bool(decisions_of(lake, contract, log.watermark(DECIDED), upto))


def _is_another_table(log: LakeTable, marks: dict[str, int], kinds: tuple[str, ...]) -> bool:
    """Whether appending would not do: other units, keys, partitions or types. Columns that were only gained stand
    null in what is not judged again; where the file says so everything is, and written once."""
    gained, changed = log.differing_columns()
    return SHAPE in marks or bool(changed) or (bool(gained) and ACTIVATE in kinds)
