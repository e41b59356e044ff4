"""What changes from one contract to another, and for whom it matters.

A change is *breaking* where rows that passed would wait, or where whoever reads the table finds another column, type,
key or value than before; *widening* where more may come than before, so that readers have to bear it; else *safe*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Column, Contract, RowRule, Severity, TableRule
from aura_lake.contracts.rules import parse_expression


class Weight(StrEnum):
    """How much a change matters, the heaviest first."""

    BREAKING = "breaking"
    WIDENING = "widening"
    SAFE = "safe"


@dataclass(frozen=True)
class Change:
    """One thing that is otherwise. `columns`: those whose values may be others, by silver name; empty where it concerns
    which rows pass, or the table as a whole (`is_whole`)."""

    table: str
    what: str  #: the column, rule or property
    weight: Weight
    says: str
    columns: tuple[str, ...] = ()
    is_whole: bool = False


_ORDER = {Severity.WARN: 0, Severity.QUARANTINE: 1, Severity.BLOCK: 2}

#: Properties of a table that say which records are rows and which row stands.
_SHAPE: Mapping[str, str] = {
    "kind": "kind",
    "feed": "server",
    "filter": "filter",
    "array": "array",
    "ordering": "ordering",
    "period": "period",
    "event_id": "eventId",
    "event_time": "eventTime",
    "key": "key",
}

#: Members of a column that say how its value is read.
_READING: Mapping[str, str] = {
    "transform": "transformLogic",
    "time_zone": "time zone",
    "readings": "further forms",
    "respelled": "spellings",
}


def changes_between(old: Mapping[str, Contract], new: Mapping[str, Contract]) -> list[Change]:
    """What is otherwise in `new`, the heaviest first, then by table and what it is about."""
    found: list[Change] = []
    for table in sorted({*old, *new}):
        if table not in new:
            found.append(Change(table, table, Weight.BREAKING, "the table is gone", is_whole=True))
        elif table not in old:
            found.append(Change(table, table, Weight.SAFE, "a new table"))
        else:
            found += _changes(old[table], new[table])
    heaviness = list(Weight)
    return sorted(found, key=lambda change: (heaviness.index(change.weight), change.table, change.what, change.says))


def _changes(old: Contract, new: Contract) -> Iterator[Change]:
    yield from _table(old, new)
    before, after = ({c.name: c for c in contract.columns} for contract in (old, new))
    for name in sorted({*before, *after}):
        yield from _column(old.table, before.get(name), after.get(name))
    rows, now = ({rule.name: rule for rule in contract.row_rules} for contract in (old, new))
    for name in sorted({*rows, *now}):
        yield from _row_rule(old.table, rows.get(name), now.get(name))
    tables, then = ({rule.name: rule for rule in contract.table_rules} for contract in (old, new))
    for name in sorted({*tables, *then}):
        yield from _table_rule(old.table, tables.get(name), then.get(name))


def _table(old: Contract, new: Contract) -> Iterator[Change]:
    table = old.table
    for member, word in _SHAPE.items():
        was, now = getattr(old, member), getattr(new, member)
        if was != now:
            yield Change(table, word, Weight.BREAKING, f"{_told(was)} becomes {_told(now)}", is_whole=True)
    for member in ("decimals", "placeholder", "aliases", "exchanges"):
        was, now = getattr(old, member), getattr(new, member)
        if was != now:
            adds = member == "aliases" and set(was) <= set(now)
            weight = Weight.WIDENING if adds else Weight.BREAKING
            yield Change(table, member, weight, f"{_told(was)} becomes {_told(now)}", is_whole=True)
    if old.is_enforced != new.is_enforced:
        weight = Weight.BREAKING if new.is_enforced else Weight.WIDENING
        says = "a changed type or a missing required field blocks publication" + ("" if new.is_enforced else " no more")
        yield Change(table, "enforcement", weight, says, is_whole=True)
    if old.error_budget != new.error_budget:
        was, now = (1.0 if each is None else each for each in (old.error_budget, new.error_budget))
        weight = Weight.BREAKING if now < was else Weight.WIDENING
        yield Change(
            table, "errorBudget", weight, f"{_told(old.error_budget)} becomes {_told(new.error_budget)}", is_whole=True
        )
    for member in ("lsn_fence", "owner", "version", "description"):
        was, now = getattr(old, member), getattr(new, member)
        if was != now:
            yield Change(table, member, Weight.SAFE, f"{_told(was)} becomes {_told(now)}")


def _column(table: str, old: Column | None, new: Column | None) -> Iterator[Change]:
    if old is None and new is not None:
        if new.required:
            says = "a new required column: records without it would wait"
            yield Change(table, new.name, Weight.BREAKING, says, is_whole=True)
        else:
            yield Change(table, new.name, Weight.SAFE, f"a new optional column, {new.logical_type}")
        return
    if new is None:
        assert old is not None
        yield Change(table, old.name, Weight.BREAKING, "the column is gone", (old.silver_name,))
        return
    assert old is not None
    touched = tuple(dict.fromkeys((old.silver_name, new.silver_name)))
    if old.personal != new.personal:
        how = "hashed, under another name" if new.personal else "readable, under another name"
        yield Change(table, new.name, Weight.BREAKING, f"stands {how}: {new.silver_name}", touched)
    if old.dtype != new.dtype:
        weight = Weight.WIDENING if _is_wider(old.dtype, new.dtype) else Weight.BREAKING
        yield Change(table, new.name, weight, f"{_type(old)} becomes {_type(new)}", touched)
    elif (old.logical_type, old.physical_type) != (new.logical_type, new.physical_type):
        yield Change(table, new.name, Weight.BREAKING, f"{_written(old)} is read as {_written(new)}", touched)
    if old.required != new.required:
        if new.required:
            yield Change(table, new.name, Weight.BREAKING, "is required: rows without it would wait", is_whole=True)
        else:
            yield Change(table, new.name, Weight.WIDENING, "may be null", touched)
    yield from _sources(table, old, new, touched)
    yield from _values(table, old, new, touched)
    for member, word in _READING.items():
        was, now = getattr(old, member), getattr(new, member)
        if was != now:
            adds = member in ("readings", "respelled") and set(was) <= set(now)
            weight = Weight.WIDENING if adds else Weight.BREAKING
            yield Change(table, new.name, weight, f"{word}: {_told(was)} becomes {_told(now)}", touched)
    if old.description != new.description:
        yield Change(table, new.name, Weight.SAFE, "another description")


def _sources(table: str, old: Column, new: Column, touched: tuple[str, ...]) -> Iterator[Change]:
    was, now = (() if c.transform else (c.source or c.name, *c.synonyms) for c in (old, new))
    if was == now or not was or not now:  # a transform that comes or goes is told as one
        return
    keeps = [name for name in now if name in was] == list(was)
    says = f"read from {', '.join(was)} becomes {', '.join(now)}"
    yield Change(table, new.name, Weight.WIDENING if keeps else Weight.BREAKING, says, touched)


def _values(table: str, old: Column, new: Column, touched: tuple[str, ...]) -> Iterator[Change]:
    was, now = old.allowed_values, new.allowed_values
    if was is None and now is not None:
        says = f"only {len(now)} values are allowed: other rows would wait"
        yield Change(table, new.name, Weight.BREAKING, says, is_whole=True)
    elif was is not None and now is None:
        yield Change(table, new.name, Weight.WIDENING, "any value is allowed", touched)
    elif was is not None and now is not None:
        gone, come = sorted(set(was) - set(now)), sorted(set(now) - set(was))
        if gone:
            says = f"no longer allowed: {', '.join(gone)}"
            yield Change(table, new.name, Weight.BREAKING, says, is_whole=True)
        if come:
            yield Change(table, new.name, Weight.WIDENING, f"also allowed: {', '.join(come)}", touched)


def _row_rule(table: str, old: RowRule | None, new: RowRule | None) -> Iterator[Change]:
    if old is None and new is not None:
        diverts = new.severity is not Severity.WARN
        says = f"a new rule, {new.severity}: {new.expression}"
        yield Change(table, new.name, Weight.BREAKING if diverts else Weight.SAFE, says, is_whole=diverts)
    elif new is None and old is not None:
        diverted = old.severity is not Severity.WARN
        says = f"the rule is gone: {old.expression}"
        yield Change(table, old.name, Weight.WIDENING if diverted else Weight.SAFE, says, is_whole=diverted)
    elif old is not None and new is not None:
        if parse_expression(old.expression) != parse_expression(new.expression):
            only_warns = old.severity is new.severity is Severity.WARN
            says = f"{old.expression} becomes {new.expression}"
            weight = Weight.SAFE if only_warns else Weight.BREAKING
            yield Change(table, new.name, weight, says, is_whole=not only_warns)
        yield from _severity(table, new.name, old.severity, new.severity)


def _table_rule(table: str, old: TableRule | None, new: TableRule | None) -> Iterator[Change]:
    if old is None and new is not None:
        blocks = new.severity is Severity.BLOCK
        weight = Weight.BREAKING if blocks else Weight.SAFE
        yield Change(table, new.name, weight, f"a new table rule, {new.kind}, {new.severity}", is_whole=blocks)
    elif new is None and old is not None:
        blocked = old.severity is Severity.BLOCK
        weight = Weight.WIDENING if blocked else Weight.SAFE
        yield Change(table, old.name, weight, "the table rule is gone", is_whole=blocked)
    elif old is not None and new is not None:
        limits = [(r.kind, r.columns, r.references, r.minimum, r.max_age_hours) for r in (old, new)]
        if limits[0] != limits[1]:
            blocks = new.severity is Severity.BLOCK
            weight = Weight.BREAKING if blocks else Weight.SAFE
            yield Change(table, new.name, weight, "the table rule asks something else", is_whole=blocks)
        yield from _severity(table, new.name, old.severity, new.severity)


def _severity(table: str, name: str, old: Severity, new: Severity) -> Iterator[Change]:
    if old is not new:
        weight = Weight.BREAKING if _ORDER[new] > _ORDER[old] else Weight.WIDENING
        yield Change(table, name, weight, f"{old} becomes {new}", is_whole=True)


def _is_wider(old: pl.DataType, new: pl.DataType) -> bool:
    """Whether every value of the one type is one of the other, as readers compute with it."""
    if isinstance(new, pl.Decimal):
        if isinstance(old, pl.Decimal):
            return new.scale >= old.scale and _whole_digits(new) >= _whole_digits(old)
        return old == pl.Int64() and _whole_digits(new) >= 19
    return False


def _whole_digits(dtype: pl.Decimal) -> int:
    return (dtype.precision or 38) - dtype.scale


def _type(column: Column) -> str:
    dtype = column.dtype
    size = f"({dtype.precision},{dtype.scale})" if isinstance(dtype, pl.Decimal) else ""
    return f"{column.logical_type}{size}"


def _written(column: Column) -> str:
    return f"{column.logical_type}, {column.physical_type}" if column.physical_type else column.logical_type


def _told(value: Any) -> str:
    if value is None or value == ():
        return "nothing"
    if isinstance(value, tuple):
        return ", ".join(_told(each) for each in value)
    return str(value)
