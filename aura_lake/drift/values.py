"""Values that a column's enumeration does not allow: known ones that are written otherwise, and new ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from aura_lake.contracts.contract import Column
from aura_lake.contracts.model import commerce_model
from aura_lake.drift.finding import Candidate, Finding, Happened, Stands
from aura_lake.drift.look import ENOUGH, SOME, Look
from aura_lake.drift.patch import Operation, Patch
from aura_lake.drift.reads import Reading
from aura_lake.drift.window import Cell

#: So many new values at most are an enumeration that grew, and not another field.
NEW_VALUES = 8

#: What may stand in a proposal: a word or a code, nothing that could be a person's.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _.\-]{0,39}|[A-Z0-9]{1,4}")

#: Of the records from the first one on, so many.
SURELY = 0.02


def find_values(look: Look) -> list[Finding]:
    """A finding for each field whose column allows not all of its values any more."""
    findings = []
    for path, readings in look.reads.items():
        if path in look.explained:
            continue
        for reading in readings:
            finding = _of_column(look, path, reading)
            if finding is not None:
                look.explained.add(path)
                findings.append(finding)
                break
    return findings


def _of_column(look: Look, path: str, reading: Reading) -> Finding | None:
    column = reading.column
    if column is None or column.allowed_values is None or not reading.is_direct:
        return None
    strange = dict(_strange(look.after(path), column))
    had = {cell.value for _, cell in _strange(look.before(path), column)}
    fresh = {row: cell for row, cell in strange.items() if cell.value not in had}
    if len(fresh) < SOME:
        return None
    since = min(fresh)
    told = sum(row >= since and not cell.is_null for row, cell in look.after(path).items())
    counts = Counter(cell.text for cell in fresh.values())
    often = sorted(text for text, count in counts.items() if text is not None and count >= SOME)
    names = [text for text in often if _PLAIN.fullmatch(text)]
    is_sure = len(fresh) >= ENOUGH and len(fresh) >= SURELY * told and names == often and 0 < len(names) <= NEW_VALUES
    known = {_plain(value): value for value in column.allowed_values}
    means = {text: known[_plain(text)] for text in names if _plain(text) in known}
    new = [text for text in names if text not in means]
    table = reading.contract.table
    operations: list[dict[str, object]] = []
    if means:
        operations.append({"op": Operation.RESPELL.value, "table": table, "column": column.name, "values": means})
    if new:
        operations.append({"op": Operation.ALLOW.value, "table": table, "column": column.name, "values": new})
    says = [f"{path} writes {_list(means)} for {_list(means.values())}."] if means else []
    says += [f"{path} has values that {reading.place} does not allow: {_list(new)}."] if new else []
    is_fixed = bool(new) and _modelled(reading)
    finding = Finding(
        feed=look.feed,
        happened=Happened.EXTENDED if new else Happened.RESPELLED,
        field=path,
        stands=Stands.PROPOSED,
        says=" ".join(says) or f"{path} has {len(counts)} values that {reading.place} does not allow.",
        confidence=0.97 if is_sure else 0.6,
        evidence={"records_after": len(fresh), "values": len(counts), "share_since_then": round(len(fresh) / told, 3)},
        patch=Patch(look.feed, tuple(operations)) if operations and not is_fixed else None,
        places=look.places(path),
        rows=len(fresh),
        first_row=since,
    )
    if is_fixed and is_sure:
        fixed = f"{finding.says} The commerce model fixes them: say in transformLogic which of its values they mean."
        near = tuple(Candidate(f"{text} means {value}.", 0.3) for text in new for value in column.allowed_values[:3])
        return Finding(**{**vars(finding), "stands": Stands.BREAKING, "says": fixed, "candidates": near[:3]})
    return finding if is_sure and finding.patch else finding.at_most(Stands.UNCLEAR)


def _strange(cells: Mapping[int, Cell], column: Column) -> Iterator[tuple[int, Cell]]:
    allowed = {*(column.allowed_values or ()), *dict(column.respelled)}
    for row, cell in cells.items():
        if not cell.is_null and cell.text is not None and cell.text not in allowed:
            yield row, cell


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _modelled(reading: Reading) -> bool:
    assert reading.column is not None
    table = commerce_model().get(reading.contract.table)
    return table is not None and any(c.name == reading.column.name and c.allowed_values for c in table.columns)


def _list(texts: object) -> str:
    return ", ".join(str(text) for text in texts)  # type: ignore[attr-defined]
