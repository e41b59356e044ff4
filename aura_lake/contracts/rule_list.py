"""Every row rule of a table by the name the log writes: what its contract says, and what reading it asks.

A verdict names rules; people, checks and docs need to know what a name means and what breaking it does.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from aura_lake.contracts.cast import sent_rule, type_rule
from aura_lake.contracts.contract import Contract, Severity

#: What stands for the rules of reading itself (`record_is_valid_json`, …), which no contract writes.
READABLE = "every_record_is_readable"

#: What stands for the warnings `<column>_is_infinite`.
FINITE = "every_time_is_finite"


@dataclass(frozen=True)
class ListedRule:
    """One name that may stand in `broken_rules` or `warnings`, or stands for several."""

    name: str
    severity: Severity
    description: str


def row_rules(contract: Contract) -> tuple[ListedRule, ...]:
    """The rules one record can break, in the contract's order, each name once."""
    rules: dict[str, ListedRule] = {}
    shape = Severity.BLOCK if contract.is_enforced else Severity.QUARANTINE
    for column in contract.columns:
        name, diverts = column.name, Severity.QUARANTINE
        found = [
            ListedRule(type_rule(column), shape, f"{name} comes as {column.physical_type or column.logical_type}.")
        ]
        if column.key_position is not None:
            found.append(ListedRule(f"{name}_is_present", diverts, f"{name} is part of the key."))
        elif column.required:
            found.append(ListedRule(f"{name}_is_present", diverts, f"{name} is required."))
        if contract.is_enforced and column.required and not column.transform:
            found.append(ListedRule(sent_rule(column), shape, f"A record carries the field of {name}."))
        if column.allowed_values is not None:
            values = ", ".join(column.allowed_values)
            found.append(ListedRule(f"{name}_is_an_allowed_value", diverts, f"{name} is one of: {values}."))
        rules.update({rule.name: rule for rule in found})
    for rule in contract.row_rules:
        text = f"{rule.description} `{rule.expression}`".strip()
        rules[rule.name] = ListedRule(rule.name, rule.severity, text)
    rules[READABLE] = ListedRule(
        READABLE, Severity.QUARANTINE, "The bytes of each record are one readable value of the feed's format."
    )
    if any(column.dtype.is_temporal() for column in contract.columns):
        rules[FINITE] = ListedRule(FINITE, Severity.WARN, "No time is PostgreSQL's infinity, which becomes null.")
    return tuple(rules.values())


def counts_by_rule(contract: Contract, counted: pl.DataFrame) -> dict[str, int]:
    """Rows by listed rule, 0 where none breaks it.

    In: `rule` as the log writes it, `rows`. A name that the contract does not list counts for the rule
    that stands for it; a rule that the contract no longer has counts as unreadable no more than once a row.
    """
    counts = {rule.name: 0 for rule in row_rules(contract)}
    for name, rows in counted.iter_rows():
        listed = name if name in counts else FINITE if name.endswith("_is_infinite") and FINITE in counts else READABLE
        counts[listed] += rows
    return counts
