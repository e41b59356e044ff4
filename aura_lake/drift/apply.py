"""A contract with a patch: a pure function, which refuses what contradicts the contract or itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from aura_lake.contracts.columns import type_of
from aura_lake.contracts.contract import Column, Contract, Exchange, Shop
from aura_lake.contracts.model import commerce_model
from aura_lake.contracts.names import RESERVED_COLUMNS, is_name
from aura_lake.contracts.readings import is_reading
from aura_lake.drift.patch import Operation, Patch, PatchRefused
from aura_lake.drift.reads import readings_of, to_name

#: Types of new columns.
NEW_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "object", "array")


def patched_shop(shop: Shop, patches: Sequence[Patch]) -> Shop:
    """The shop with these patches, each on what the ones before it left. Raises PatchRefused."""
    for patch in patches:
        changed = {contract.table: contract for contract in patched(shop.readers(patch.feed), patch)}
        shop = replace(shop, contracts={**shop.contracts, **changed})
    return shop


def patched(contracts: Sequence[Contract], patch: Patch) -> tuple[Contract, ...]:
    """The contracts of the patch's feed with its operations, in their order. Raises PatchRefused with the reason."""
    _refuse_contradictions(patch)
    now = tuple(contracts)
    for operation in patch.operations:
        now = _APPLY[Operation(operation["op"])](now, operation)
    return now


def _refuse_contradictions(patch: Patch) -> None:
    """Two operations of one patch that want different things of the same field or column."""
    seen: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for operation in patch.operations:
        kind = operation["op"]
        targets: list[tuple[Any, ...]] = [(kind, operation.get("table"), operation.get("column"))]
        if kind == Operation.SYNONYM:
            targets = [("name", operation["also"])]
        elif kind == Operation.EXCHANGE:
            targets = [("exchange", name) for name in operation["fields"]]
        for target in targets:
            if target in seen and seen[target] != operation:
                raise _refused(f"it wants two things of {target[-1]!r}")
            seen[target] = operation


def _synonym(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    field, also = operation["field"], operation["also"]
    reads = readings_of(contracts)
    if field == also:
        raise _refused(f"{field!r} cannot be another name of itself")
    if field not in reads:
        raise _refused(f"no contract of the feed reads the field {field!r}")
    others = [r.place for r in reads.get(also, ()) if r not in reads[field]]
    if others:
        raise _refused(f"the field {also!r} is already read as {', '.join(others)}")
    return tuple(_with_synonym(contract, field, also) for contract in contracts)


def _with_synonym(contract: Contract, field: str, also: str) -> Contract:
    if field not in readings_of([contract]):
        return contract
    own, new = to_name(contract, field), to_name(contract, also)
    if own is None or new is None:
        raise _refused(f"the contract of {contract.table} cannot name the field {also!r}")
    columns = tuple(
        replace(column, synonyms=(*column.synonyms, new))
        if not column.transform
        and own in (column.source or column.name, *column.synonyms)
        and new not in (column.source, *column.synonyms)
        else column
        for column in contract.columns
    )
    pair = (own, new)
    aliases = contract.aliases if pair in contract.aliases else (*contract.aliases, pair)
    return replace(contract, columns=columns, aliases=aliases)


def _cast(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    def change(column: Column, contract: Contract) -> Column:
        reading = operation["reading"]
        if not is_reading(reading, column):
            raise _refused(f"{column.name!r} is {column.logical_type}, which no form {reading!r} gives")
        return column if reading in column.readings else replace(column, readings=(*column.readings, reading))

    return _on_column(contracts, operation, change)


def _respell(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    def change(column: Column, contract: Contract) -> Column:
        standing, wanted = dict(column.respelled), dict(operation["values"])
        for text, means in wanted.items():
            if standing.get(text, means) != means or text == means:
                raise _refused(f"one value of {column.name!r} would mean two")
            if column.allowed_values is not None and means not in column.allowed_values:
                raise _refused(f"a value of {column.name!r} would mean one that is not allowed")
            if column.allowed_values is not None and text in column.allowed_values:
                raise _refused(f"a value that {column.name!r} allows would mean another")
        return replace(column, respelled=tuple(sorted({**standing, **wanted}.items())))

    return _on_column(contracts, operation, change)


def _allow(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    def change(column: Column, contract: Contract) -> Column:
        if column.allowed_values is None:
            raise _refused(f"{column.name!r} allows every value")
        modelled = _modelled(contract, column.name)
        if modelled is not None and modelled.allowed_values is not None:
            raise _refused(f"the commerce model says which values {column.name!r} may hold")
        new = [value for value in operation["values"] if value not in column.allowed_values]
        return replace(column, allowed_values=(*column.allowed_values, *new))

    return _on_column(contracts, operation, change)


def _widen(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    def change(column: Column, contract: Contract) -> Column:
        if _modelled(contract, column.name) is not None:
            raise _refused(f"the commerce model says of which type {column.name!r} is")
        dtype = type_of(operation["logical_type"], operation["physical_type"])
        if dtype is None or not _is_wider(dtype, column.dtype):
            raise _refused(
                f"{operation['physical_type'] or operation['logical_type']} is not wider than {column.dtype}"
            )
        return replace(
            column, dtype=dtype, logical_type=operation["logical_type"], physical_type=operation["physical_type"]
        )

    return _on_column(contracts, operation, change)


def _optional(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    def change(column: Column, contract: Contract) -> Column:
        if column.key_position is not None:
            raise _refused(f"{column.name!r} is part of the key, which is never null")
        return replace(column, required=False)

    return _on_column(contracts, operation, change)


def _column(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    contract = _named(contracts, operation["table"])
    name, field, logical_type = operation["column"], operation["field"], operation["logical_type"]
    source = to_name(contract, field)
    if source is None or not is_name(name) or name in RESERVED_COLUMNS:
        raise _refused(f"{name!r} cannot name a column of {contract.table} that reads {field!r}")
    if logical_type not in NEW_TYPES or (dtype := type_of(logical_type, None)) is None:
        raise _refused(f"{logical_type!r} is no type of a new column")
    new = Column(
        name=name,
        dtype=dtype,
        logical_type=logical_type,
        source=source,
        personal=bool(operation["personal"]),
        description=f"The field {field}, which came later; nobody has described it yet.",
    )
    standing = next((c for c in contract.columns if c.silver_name == new.silver_name or c.name == name), None)
    if standing is None:
        return _instead(contracts, replace(contract, columns=(*contract.columns, new)))
    if standing == new:
        return contracts
    if standing.transform != "null" or standing.personal != new.personal:
        raise _refused(f"{contract.table} has a column {name!r} already")
    filled = replace(standing, source=source, transform=None)  # of the commerce model, and empty so far
    columns = tuple(filled if column is standing else column for column in contract.columns)
    return _instead(contracts, replace(contract, columns=columns))


def _exchange(contracts: tuple[Contract, ...], operation: Mapping[str, Any]) -> tuple[Contract, ...]:
    fields, patterns = operation["fields"], operation["patterns"]
    reads = readings_of(contracts)
    if len(fields) != 2 or len(patterns) != 2 or fields[0] == fields[1] or patterns[0] == patterns[1]:
        raise _refused("an exchange needs two fields, and two patterns that tell their values apart")
    if not reads.keys() & set(fields):
        raise _refused(f"no contract of the feed reads {fields[0]!r} or {fields[1]!r}")
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error:
            raise _refused("a pattern of the exchange is no regular expression") from None
    return tuple(_with_exchange(contract, fields, patterns) for contract in contracts)


def _with_exchange(contract: Contract, fields: Sequence[str], patterns: Sequence[str]) -> Contract:
    names = [to_name(contract, field) for field in fields]
    if not readings_of([contract]).keys() & set(fields) or names[0] is None or names[1] is None:
        return contract
    exchange = Exchange(names[0], names[1], patterns[0], patterns[1])
    if exchange in contract.exchanges:
        return contract
    taken = {name for standing in contract.exchanges for name in (standing.one, standing.other)}
    for name in names:
        if name in taken:
            raise _refused(f"{name!r} changed places with another field already")
    return replace(contract, exchanges=(*contract.exchanges, exchange))


def _on_column(
    contracts: tuple[Contract, ...],
    operation: Mapping[str, Any],
    change: Callable[[Column, Contract], Column],
) -> tuple[Contract, ...]:
    contract = _named(contracts, operation["table"])
    standing = next((c for c in contract.columns if c.name == operation["column"]), None)
    if standing is None:
        raise _refused(f"{contract.table} has no column {operation['column']!r}")
    changed = change(standing, contract)
    columns = tuple(changed if column is standing else column for column in contract.columns)
    return _instead(contracts, replace(contract, columns=columns))


def _named(contracts: tuple[Contract, ...], table: str) -> Contract:
    for contract in contracts:
        if contract.table == table:
            return contract
    raise _refused(f"no contract of the feed is of the table {table!r}")


def _instead(contracts: tuple[Contract, ...], changed: Contract) -> tuple[Contract, ...]:
    return tuple(changed if contract.table == changed.table else contract for contract in contracts)


def _modelled(contract: Contract, column: str) -> Column | None:
    table = commerce_model().get(contract.table)
    return None if table is None else next((c for c in table.columns if c.name == column), None)


def _is_wider(new: pl.DataType, old: pl.DataType) -> bool:
    """Whether every value of the old type is one of the new."""
    if isinstance(new, pl.Decimal):
        if isinstance(old, pl.Decimal):
            whole, was_whole = new.precision - new.scale, old.precision - old.scale
            return new != old and new.scale >= old.scale and whole >= was_whole
        return old.is_integer() and new.precision - new.scale >= 19
    return False


def _refused(why: str) -> PatchRefused:
    return PatchRefused(f"The patch is refused: {why}.", fix="Reject it; `aura run` looks again.")


_APPLY: Mapping[Operation, Callable[[tuple[Contract, ...], Mapping[str, Any]], tuple[Contract, ...]]] = {
    Operation.SYNONYM: _synonym,
    Operation.CAST: _cast,
    Operation.RESPELL: _respell,
    Operation.ALLOW: _allow,
    Operation.WIDEN: _widen,
    Operation.OPTIONAL: _optional,
    Operation.COLUMN: _column,
    Operation.EXCHANGE: _exchange,
}
