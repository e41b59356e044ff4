"""What a decision means for a table: which units of its log are judged again because of it.

The judgement itself stays a pure function of the record, the contract that holds, and the decisions; a decision
therefore only has to say which judgements may be others now. To add a kind, write such a function and name it
in `CONCERNS`. A decision whose kind is not there concerns no log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce

import polars as pl

from aura_lake.approvals import APPROVED, ROLLED_BACK
from aura_lake.contracts.contract import Contract, Kind
from aura_lake.contracts.discards import unpack_units
from aura_lake.contracts.rules import parse_expression
from aura_lake.contracts.verdicts import UNIT
from aura_lake.decisions import DECISIONS, NEW_EPOCH, Decision, decisions
from aura_lake.delta.watermarks import LANE
from aura_lake.drift.patch import Operation, Patch, read_patch
from aura_lake.lake import Lake
from aura_lake.layouts import UTC_MICROS

#: A contract file is another one (`table`, `fingerprint`, `version`).
ACTIVATE = "activate"

#: Units that wait are judged again (`table`, `rule` or null, `upto`: the log's last commit then, and `units` where
#: single ones were named, with the `batches` of bronze they came with: these come back from being discarded too).
REPLAY = "replay"

#: Units that wait are given up (`table`, `units`, `batches`: those of bronze they came with).
DISCARD = "discard"

#: The units a decision concerns, as a predicate on the rows of the table's log that count (`JUDGEMENT`, `CHANGE`
#: and the table's columns); None: none of this table.
ConcernOf = Callable[[Contract, Decision], pl.Expr | None]

EVERYTHING = pl.lit(True)


def waiting(upto: int | None = None, rule: str | None = None) -> pl.Expr:
    """Units in quarantine: of the log's commits up to one, and by one rule, where they are given."""
    chosen = pl.col("outcome") == "quarantined"
    if upto is not None:
        chosen &= pl.col("log_batch") <= upto
    if rule is not None:
        chosen &= pl.col("broken_rules").list.contains(rule)
    return chosen


def named_units(units: pl.DataFrame, batches: Sequence[int]) -> pl.Expr:
    """These units (`UNIT`), which came with these batches of bronze: only the files that hold them are read."""
    keys = [pl.col(name).cast(pl.String).fill_null("\x00") for name in UNIT]
    wanted = units.select(pl.concat_str(keys, separator="\x1f"))[UNIT[0]]
    return pl.col("feed_batch").is_in(list(batches)) & pl.concat_str(keys, separator="\x1f").is_in(wanted.implode())


def _activated(contract: Contract, decision: Decision) -> pl.Expr | None:
    return EVERYTHING


def _replayed(contract: Contract, decision: Decision) -> pl.Expr | None:
    facts = decision.facts
    if facts.get("units") is not None:
        return named_units(unpack_units(facts["units"]), facts["batches"])
    return waiting(facts["upto"], facts["rule"])


def _discarded(contract: Contract, decision: Decision) -> pl.Expr | None:
    return named_units(unpack_units(decision.facts["units"]), decision.facts["batches"])


def _began_anew(contract: Contract, decision: Decision) -> pl.Expr | None:
    if contract.kind is not Kind.CDC or contract.feed not in decision.facts["feeds"]:
        return None
    after = datetime.fromisoformat(decision.facts["after"])
    return pl.coalesce("_committed_at", "landed_at") > pl.lit(after, UTC_MICROS)


def _patched(contract: Contract, decision: Decision) -> pl.Expr | None:
    """What waits since the drift began, and what passed without the fields the patch reads; taken back, all since."""
    facts = decision.facts
    if contract.feed != facts["feed"] or contract.table not in facts["tables"]:
        return None
    since: pl.Expr = pl.col("feed_batch") >= int(facts["from_batch"])
    if decision.kind == ROLLED_BACK:
        return since
    return since & concern_of_patch(read_patch(facts["patch"]), contract)


def concern_of_patch(patch: Patch, contract: Contract) -> pl.Expr:
    """The units that may be judged otherwise under a patch: those that wait, those whose unknown fields it names,
    and all where the fields it reads are nested, or changed places, and so were never unknown by name."""
    if any(
        operation["op"] == Operation.EXCHANGE or "." in operation.get("also", operation.get("field", ""))
        for operation in patch.operations
    ):
        return EVERYTHING
    chosen = pl.col("verdict") == "quarantined"
    for name in patch.fields:
        chosen |= pl.col("_unknown_fields").list.contains(name)
    if contract.filter is not None and parse_expression(contract.filter).columns & set(patch.fields):
        chosen |= pl.col("reason") == "filtered"
    return chosen.fill_null(False)


def _of_table(concern: ConcernOf) -> ConcernOf:
    """`concern` for decisions that name one table."""
    return lambda contract, decision: concern(contract, decision) if decision.facts["table"] == contract.table else None


#: Kind of a decision: the units it concerns.
CONCERNS: Mapping[str, ConcernOf] = {
    ACTIVATE: _of_table(_activated),
    REPLAY: _of_table(_replayed),
    DISCARD: _of_table(_discarded),
    NEW_EPOCH: _began_anew,
    APPROVED: _patched,
    ROLLED_BACK: _patched,
}


def decided_upto(lake: Lake) -> int:
    """The number of the last decision; -1 before the first."""
    return lake.bronze(DECISIONS).watermark(LANE)


def decisions_of(lake: Lake, contract: Contract, after: int, upto: int) -> list[tuple[Decision, pl.Expr]]:
    """The decisions (after, upto] that concern a table, oldest first, each with the units it concerns."""
    found = []
    for decision in decisions(lake, *CONCERNS) if upto > after else ():
        if after < decision.number <= upto:
            units = CONCERNS[decision.kind](contract, decision)
            if units is not None:
                found.append((decision, units))
    return found


def any_of(chosen: Iterable[pl.Expr]) -> pl.Expr:
    """The units that at least one of these predicates chooses."""
    return reduce(lambda left, right: left | right, chosen)


def discards_of(lake: Lake, table: str) -> pl.DataFrame:
    """The discarded units of a table (`UNIT`), each with the number of its decision (`_decision`)."""
    standing = pl.DataFrame(schema={**unpack_units([]).schema, "_decision": pl.Int64})
    for decision in decisions(lake, DISCARD, REPLAY):
        facts = decision.facts
        if facts["table"] != table or facts.get("units") is None:
            continue
        units = unpack_units(facts["units"])
        standing = standing.join(units, on=UNIT, how="anti", nulls_equal=True)
        if decision.kind == DISCARD:
            standing = pl.concat([standing, units.with_columns(_decision=pl.lit(decision.number, pl.Int64))])
    return standing
