"""Fingerprints of a contract: whether what a table's rows were judged by is still what holds.

Whatever can change a verdict or a value is in them; an owner, a description, a table rule, or whether a rule that
diverts also blocks, is not. What stands at its default is left out, so that a lake is not judged again because
contracts learnt to say something more.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Column, Contract, RowRule, Severity, Shop

#: Bits of a fingerprint; it is kept as a number in the log's own commit log.
BITS = 52

#: Members that change no verdict and no value.
_WITHOUT_EFFECT: dict[type, frozenset[str]] = {
    Contract: frozenset(
        {"feed", "table_rules", "lsn_fence", "error_budget", "version", "owner", "description", "path"}
    ),
    Column: frozenset({"description"}),
    RowRule: frozenset({"description"}),
}


def contract_fingerprint(contract: Contract, shop: Shop) -> int:
    """A number that changes where a verdict or a value of the table may change."""
    return _digest([_plain(contract), shop.time_zone])


def shape_fingerprint(contract: Contract) -> int:
    """A number that changes where the units of a table, its key, or the partitions of its log or state change."""
    told = ("kind", "array", "ordering", "period", "event_id", "event_time")
    key = [[name, str(contract.column(name).silver_dtype)] for name in contract.key]
    return _digest([{name: _plain(getattr(contract, name)) for name in told}, key])


def _plain(said: Any) -> Any:
    """A value as JSON has it; of a dataclass the members that matter and are not at their default."""
    if is_dataclass(said):
        without = _WITHOUT_EFFECT.get(type(said), frozenset())
        told = {member.name: getattr(said, member.name) for member in fields(said) if member.name not in without}
        defaults = {member.name: _default(member) for member in fields(said)}
        plain = {name: _plain(value) for name, value in told.items()}
        return {name: value for name, value in plain.items() if value != _plain(defaults[name])}
    if isinstance(said, Severity):
        return said is Severity.WARN
    if isinstance(said, pl.DataType):
        return str(said)
    if isinstance(said, tuple):
        named = bool(said) and isinstance(said[0], (Column, RowRule))  # in whatever order a file has them
        return [_plain(each) for each in (sorted(said, key=lambda each: each.name) if named else said)]
    return said


def _default(member: Field[Any]) -> Any:
    if member.default_factory is not MISSING:
        return member.default_factory()
    return member.default


def _digest(said: Any) -> int:
    text = json.dumps(said, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - BITS)
