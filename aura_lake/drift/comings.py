"""Fields that are new, and fields that are gone, where no other finding accounts for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.names import RESERVED_COLUMNS, is_name
from aura_lake.contracts.profile import looks_personal
from aura_lake.contracts.sampling import plain_name
from aura_lake.drift.finding import Finding, Happened, Stands
from aura_lake.drift.look import ENOUGH, Look
from aura_lake.drift.patch import Operation, Patch
from aura_lake.drift.reads import readings_of, to_name
from aura_lake.drift.window import Cell

#: Kinds of JSON values as types of a column.
_TYPES = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "string": "string",
    "array": "array",
    "object": "object",
}

#: Of a new field's values so many have to be of one type.
NEARLY_ALL = 0.98

#: Shapes of values that are likely a person's.
_PERSONAL_SHAPES = ("email", "ip")


def find_new(look: Look) -> list[Finding]:
    """A finding for each new field: a column that may be null."""
    findings = []
    for path in look.new_fields():
        cells = {row: cell for row, cell in look.after(path).items() if not cell.is_null}
        finding = _new(look, path, cells) if cells else None
        if finding is not None:
            look.explained.add(path)
            findings.append(finding)
    return findings


def _new(look: Look, path: str, cells: dict[int, Cell]) -> Finding | None:
    told = list(cells.values())
    kind = _type(told)
    contract = _home(look, path)
    if contract is None:
        return None
    name = _column_name(contract, path)
    personal = looks_personal(name or "") or _look_personal(told)
    patch = None
    if name is not None:
        operation = {
            "op": Operation.COLUMN.value,
            "table": contract.table,
            "column": name,
            "field": path,
            "logical_type": "string" if personal else kind,
            "personal": personal,
        }
        patch = Patch(look.feed, (operation,))
    shown = f"{contract.table}.{name}, {'hashed' if personal else kind}" if name else "no column can be named after it"
    finding = Finding(
        feed=look.feed,
        happened=Happened.ADDED,
        field=path,
        stands=Stands.PROPOSED,
        says=f"{path} is new; it may become a column that can be empty: {shown}.",
        confidence=0.97 if len(told) >= ENOUGH and patch else 0.6,
        evidence={
            "records_after": len(told),
            "filled_since_then": round(len(told) / (look.window.rows - min(cells)), 3),
            "distinct_values": len({cell.value for cell in told}),
            "type": kind,
        },
        patch=patch,
        rows=len(told),
        first_row=min(cells),
    )
    return finding if len(told) >= ENOUGH and patch else finding.at_most(Stands.UNCLEAR)


def _type(told: Sequence[Cell]) -> str:
    """The type of a column that takes all of these values."""
    kinds = [cell.kind for cell in told]
    found = max(sorted(set(kinds)), key=kinds.count)
    if {"integer", "number"} >= set(kinds):
        return "number" if "number" in kinds else "integer"
    if kinds.count(found) < NEARLY_ALL * len(kinds):
        return "string"
    if found not in ("string", "text"):
        return _TYPES.get(found, "string")
    shapes = {cell.shape.split(":")[0] for cell in told}
    if shapes == {"timestamp"}:
        return "timestamp"
    if shapes == {"date"}:
        return "date"
    if found == "text" and shapes <= {"int", "dec"} and not any(_leads_with_zero(cell) for cell in told):
        return "number" if "dec" in shapes else "integer"
    return "boolean" if found == "text" and shapes == {"bool"} else "string"


def _leads_with_zero(cell: Cell) -> bool:
    """A code with zeros before it, or one longer than an integer holds, is no number."""
    text = cell.text or "0"
    return (len(text) > 1 and text[0] == "0" and not text.startswith("0.")) or len(text) > 18


def _look_personal(told: Sequence[Cell]) -> bool:
    return sum(cell.shape in _PERSONAL_SHAPES for cell in told) > len(told) / 10


def _home(look: Look, path: str) -> Contract | None:
    """Of the feed's tables the one that reads most of its records and most of its fields."""
    able = [contract for contract in look.contracts if to_name(contract, path) is not None]
    return max(able, key=lambda c: (c.filter is None, len(readings_of([c])), c.table), default=None)


def _column_name(contract: Contract, path: str) -> str | None:
    taken = {c.name: c for c in contract.columns} | {c.silver_name: c for c in contract.columns}
    leaf, whole = plain_name(path.rpartition(".")[2]), plain_name(re.sub(r"[^A-Za-z0-9]+", "_", path))
    for name in (leaf, whole, f"{whole}_2"):
        is_free = name not in taken or taken[name].transform == "null"
        if is_name(name) and name not in RESERVED_COLUMNS and is_free and "." not in name:
            return name
    return None


def find_gone(look: Look) -> list[Finding]:
    """A finding for each field that contracts read and that does not come any more."""
    findings = []
    for path in look.reads:
        if path in look.explained or path not in look.window.fields or look.is_read_otherwise(path):
            continue
        since = look.gone_since(path)
        if since is None:
            continue
        look.explained.add(path)
        findings.append(_gone(look, path, since))
    return findings


def _gone(look: Look, path: str, since: int) -> Finding:
    columns = [(r.contract, r.column) for r in look.reads[path] if r.column is not None and r.is_direct]
    required = [(c, column) for c, column in columns if column.required]
    fixed = [column for _, column in required if column.key_position is not None]
    operations = [
        {"op": Operation.OPTIONAL.value, "table": contract.table, "column": column.name}
        for contract, column in required
        if column.key_position is None
    ]
    if fixed:
        then = f"It is part of the key ({fixed[0].name}), so its rows wait until the producer sends it again."
    elif required:
        names = ", ".join(f"{contract.table}.{column.name}" for contract, column in required)
        then = f"Rows wait because {names} is required; approved, it may be empty, and they enter without it."
    else:
        then = "Its columns stay empty."
    return Finding(
        feed=look.feed,
        happened=Happened.DROPPED,
        field=path,
        stands=Stands.BREAKING,
        says=f"{path} does not come any more. {then}",
        confidence=0.96,
        evidence={
            "records_before": len(look.before(path)),
            "filled_before": round(len(look.before(path)) / max(1, look.window.begins), 3),
            "records_without": look.window.rows - since,
        },
        patch=Patch(look.feed, tuple(operations)) if operations and not fixed else None,
        places=look.places(path),
        rows=look.window.rows - since,
        first_row=since,
    )
