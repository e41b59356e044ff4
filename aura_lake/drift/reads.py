"""Which fields of a feed's records its contracts read, and as what.

A field is its path in the record, dotted where nested; of an array that a table takes row by row, the elements'
fields stand under `<path>[]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aura_lake.contracts.contract import Column, Contract
from aura_lake.contracts.rules import POSITION_WORDS, parse_expression

#: Stands behind the path of an array, before the fields of its elements.
ELEMENT = "[]"


@dataclass(frozen=True)
class Reading:
    """One contract that reads a field: into `column` (None: its filter reads it). `is_direct`: the column takes
    the field's value as it is; otherwise an expression names it."""

    contract: Contract
    column: Column | None
    is_direct: bool

    @property
    def place(self) -> str:
        """`table.column`, or `table (filter)`."""
        return f"{self.contract.table}.{self.column.silver_name}" if self.column else f"{self.contract.table} (filter)"


def to_path(contract: Contract, name: str) -> str:
    """The path in the record of a field as the contract names it."""
    if contract.array is None:
        return name
    if name.startswith("$."):
        return name.removeprefix("$.")
    return f"{'' if contract.array == '$' else contract.array}{ELEMENT}.{name}"


def to_name(contract: Contract, path: str) -> str | None:
    """How the contract names the field at a path; None where it cannot."""
    array, _, inner = path.partition(f"{ELEMENT}.")
    if contract.array is None:
        return None if inner else path
    if not inner:
        return f"$.{path}"
    return inner if array == ("" if contract.array == "$" else contract.array) else None


def readings_of(contracts: Sequence[Contract]) -> dict[str, list[Reading]]:
    """Every field that a feed's contracts read, by its path."""
    found: dict[str, list[Reading]] = {}
    for contract in contracts:
        for name, reading in _of(contract):
            found.setdefault(to_path(contract, name), []).append(reading)
        for field, also in contract.aliases:
            found.setdefault(to_path(contract, also), []).extend(found.get(to_path(contract, field), ()))
    return {path: list(dict.fromkeys(readings)) for path, readings in found.items()}


def _of(contract: Contract) -> Iterator[tuple[str, Reading]]:
    for column in contract.columns:
        if column.transform:
            for name in sorted(parse_expression(column.transform).columns - POSITION_WORDS.keys()):
                yield name, Reading(contract, column, False)
        else:
            for name in (column.source or column.name, *column.synonyms):
                yield name, Reading(contract, column, True)
    if contract.filter:
        for name in sorted(parse_expression(contract.filter).columns - POSITION_WORDS.keys()):
            yield name, Reading(contract, None, False)
