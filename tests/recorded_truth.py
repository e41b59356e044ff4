"""In what a lake differs from PostgreSQL's own final rows after a recording, and in what it has to.

What has to differ is worked out from the recording's own JSON and from the oracle, never by the lake's code.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.ledger.count import count
from aura_lake.steps.fold import fold, held_rows
from aura_lake.steps.judge import judge
from tests.recorded_values import DAY, held, told
from tests.recordings import AS_TEXT, KEYLESS, KEYS, Recording, silver_name

Key = tuple[Hashable, ...]

#: (key, column) with what silver holds and what PostgreSQL told; the column is None where one of them has no such row.
Differences = dict[tuple[Key, str | None], tuple[Hashable, Hashable]]

#: Where each recording differs at all, once every value has a type that holds it: the README's list by its columns.
LISTED: dict[str, set[tuple[str, str | None]]] = {
    "a_json_precise": {("orders", "channel"), ("orders", "total"), ("customers", "score")},
    "b_schema_precise": {("orders", "channel"), ("orders", "total"), ("customers", "score")},
    "c_string_isostring": {("orders", "channel"), ("orders", "slot_time")},
    "d_unwrap_rewrite": {("orders", "channel"), ("carts", None), ("cart_lines", None)},
}

ROW, NO_ROW = "a row", "no row"
INFINITE = ("infinity", "-infinity")
_NO_NUMBERS = {"NaN", "Infinity", "-Infinity"}
_ENDINGS = {"date": "is_a_date", "time": "is_a_timestamp"}

#: Days of the years 1 to 9999, which silver's types hold.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896


def bring_to_silver(lake: Lake) -> None:
    """Judge and fold what landed."""
    for contract in lake.shop.contracts.values():
        judge(lake, contract)
        if is_folded(contract):
            fold(lake, contract)


def assert_as_postgresql_held(lake: Lake, recording: Recording, tables: Iterable[str]) -> None:
    """Every table with a key equals PostgreSQL's rows but for what the README lists; the others are events."""
    chosen = list(tables)
    for table in chosen:
        if table in KEYS:
            _assert_rows(lake, recording, table, lake.shop.contracts[silver_name(recording, table)])
    if "orders" in chosen:
        _assert_rows(lake, recording, "orders", lake.shop.contracts[AS_TEXT])
    differing = {
        (table, column)
        for table in chosen
        if table in KEYS
        for _, column in differences(lake, recording, table, _widest(lake, recording, table))
    }
    assert differing == {(table, column) for table, column in LISTED[recording.name] if table in chosen}
    assert_events_are_counted(lake, recording, [table for table in chosen if table in KEYLESS])
    assert count(lake).problems() == []


def _widest(lake: Lake, recording: Recording, table: str) -> Contract:
    """The contract that takes the most of a table: `orders` as text."""
    return lake.shop.contracts[AS_TEXT if table == "orders" else silver_name(recording, table)]


def assert_events_are_counted(lake: Lake, recording: Recording, tables: Iterable[str]) -> None:
    """Of a table without a key every insert and snapshot read stands, and PostgreSQL's rows are those not deleted."""
    for table in tables:
        operations = [op for op, _, _ in recording.rows_told(table)]
        standing = lake.table(silver_name(recording, table)).collect().height
        assert standing == operations.count("r") + operations.count("c"), table
        assert standing - operations.count("d") == len(recording.final(table)[1]) > 0, table


def _assert_rows(lake: Lake, recording: Recording, table: str, contract: Contract) -> None:
    """One table, its quarantine, what it holds back, and that each of its records was judged."""
    types, _ = recording.final(table)
    found, wanted = differences(lake, recording, table, contract), expected(recording, table, contract)
    waits = {} if contract.table == AS_TEXT else waiting(recording, table)
    assert quarantined(lake, contract, types) == waits, contract.table
    assert {at: pair for at, pair in found.items() if at[0] not in waits} == {
        at: pair for at, pair in wanted.items() if at[0] not in waits
    }, contract.table
    assert infinite(lake, contract, types) == {
        (key, column) for (key, column), (_, value) in wanted.items() if value in INFINITE and column is not None
    }, contract.table
    assert {at for at in found if at[0] in waits} == (stale(recording, table) if waits else set()), contract.table
    assert held_rows(lake.history(contract), contract).collect().is_empty(), contract.table
    assert lake.log(contract).scan().select(pl.len()).collect().item() == len(list(recording.records_of(table)))


def differences(lake: Lake, recording: Recording, table: str, contract: Contract) -> Differences:
    """Every value that silver holds otherwise than PostgreSQL did."""
    types, rows = recording.final(table)
    key = [(contract.column(name).source, name) for name in contract.key]
    wanted = {tuple(told(row[source], types[source]) for source, _ in key): row for row in rows}
    standing = {
        tuple(held(row[name], types[source]) for source, name in key): row
        for row in lake.table(contract.table).collect().iter_rows(named=True)
    }
    found: Differences = {}
    for lost in wanted.keys() - standing.keys():
        found[lost, None] = (NO_ROW, ROW)
    for kept in standing.keys() - wanted.keys():
        found[kept, None] = (ROW, NO_ROW)
    for both in wanted.keys() & standing.keys():
        for column in contract.columns:
            kind = types[column.source]
            pair = held(standing[both][column.silver_name], kind), told(wanted[both][column.source], kind)
            if pair[0] != pair[1]:
                found[both, column.source] = pair
    return found


def expected(recording: Recording, table: str, contract: Contract) -> Differences:
    """The differences that the recordings' README lists, and no other."""
    types, rows = recording.final(table)
    last = {key: row for key, op, row in _in_order(recording, table) if op != "d"}
    gone = {key for key, op, _ in _last(recording, table) if op == "d"}
    found: Differences = {}
    for row in rows:
        key = _key(row, table, types, told)
        for column, kind in types.items():
            if row[column] is not None and column not in last[key]:  # added with a default: no row event tells of it
                found[key, column] = (None, told(row[column], kind))
            elif kind.startswith("numeric") and row[column] in _NO_NUMBERS and recording.decimals == "precise":
                found[key, column] = (None, row[column])
            elif column == "slot_time" and row[column] == "24:00:00" and recording.name == "c_string_isostring":
                found[key, column] = (0, DAY)
            elif row[column] in INFINITE and contract.table != AS_TEXT:
                found[key, column] = (None, row[column])
    if recording.is_flat:  # the transform drops truncates
        standing = {_key(row, table, types, told) for row in rows}
        found |= {(key, None): (ROW, NO_ROW) for key in last.keys() - gone - standing}
    return found


def waiting(recording: Recording, table: str) -> dict[Key, set[str]]:
    """Keys of the rows that silver's types cannot take as they ended, with the rules they break."""
    types, _ = recording.final(table)
    found = {key: _unfit(row, types) for key, op, row in _last(recording, table) if op != "d"}
    return {key: rules for key, rules in found.items() if rules}


def stale(recording: Recording, table: str) -> set[tuple[Key, str | None]]:
    """Where those rows differ: in what changed since the last version that silver's types take, and in what no record
    told; altogether where none fitted."""
    types, _ = recording.final(table)
    last = {key: row for key, _, row in _in_order(recording, table)}
    fitting = {key: row for key, op, row in _in_order(recording, table) if op != "d" and not _unfit(row, types)}
    found: set[tuple[Key, str | None]] = set()
    for key in waiting(recording, table):
        if key not in fitting:
            found.add((key, None))
            continue
        before, after = fitting[key], last[key]
        found |= {(key, name) for name in types if name not in after or before.get(name) != after[name]}
    return found


def quarantined(lake: Lake, contract: Contract, types: dict[str, str]) -> dict[Key, set[str]]:
    """The rules that the units in quarantine broke, by key."""
    log = lake.log(contract).scan().filter(pl.col("verdict") == "quarantined").select(*contract.key, "broken_rules")
    found: dict[Key, set[str]] = {}
    for row in log.collect().iter_rows(named=True):
        key = tuple(held(row[name], types[contract.column(name).source]) for name in contract.key)
        found.setdefault(key, set()).update(row["broken_rules"])
    return found


def infinite(lake: Lake, contract: Contract, types: dict[str, str]) -> set[tuple[Key, str]]:
    """Keys and columns of which a unit was flagged as an infinite time."""
    log = lake.log(contract).scan().filter(pl.col("warnings").list.len() > 0).select(*contract.key, "warnings")
    found = set()
    for row in log.collect().iter_rows(named=True):
        key = tuple(held(row[name], types[contract.column(name).source]) for name in contract.key)
        found |= {(key, name.removesuffix("_is_infinite")) for name in row["warnings"] if name.endswith("_is_infinite")}
    return found


def _unfit(row: dict[str, Any], types: dict[str, str]) -> set[str]:
    """The rules that a row breaks whose values silver's types cannot take: years before 1 or after 9999 (infinity is
    null and flagged), numbers that are none."""
    rules = set()
    for column, kind in types.items():
        value = row.get(column)
        if kind.startswith(("numeric(", "double", "real")) and value in ("NAN", *_NO_NUMBERS):
            rules.add(f"{column}_is_a_number")
        elif kind.startswith(("timestamp", "date")) and value is not None:
            count = held(value, kind)
            if not isinstance(count, int):  # infinite
                continue
            if not _FIRST_DAY <= (count if kind == "date" else count // DAY) <= _LAST_DAY:
                rules.add(f"{column}_{_ENDINGS[kind[:4]]}")
    return rules


def _in_order(recording: Recording, table: str) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    """Key, operation and row of each record by its LSN, snapshot reads without one first; a column that was renamed
    under its last name."""
    types, _ = recording.final(table)
    for op, _, row in sorted(recording.rows_told(table), key=lambda told_row: told_row[1]):
        renamed = {"fx_ratio" if name == "ratio" else name: value for name, value in row.items()}
        yield _key(renamed, table, types, held), op, renamed


def _last(recording: Recording, table: str) -> list[tuple[Key, str, dict[str, Any]]]:
    """The last record of each key."""
    return list({key: (key, op, row) for key, op, row in _in_order(recording, table)}.values())


def _key(row: dict[str, Any], table: str, types: dict[str, str], reader: Any) -> Key:
    return tuple(reader(row[name], types[name]) for name in KEYS[table])
