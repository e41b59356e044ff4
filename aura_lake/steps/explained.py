"""Rows that wait because a field drifted: people are told of the drift, and not of each rule beside it."""

from __future__ import annotations

from collections.abc import Iterable

from aura_lake.contracts.contract import Shop
from aura_lake.contracts.rule_list import row_rules


def explained_by(shop: Shop, places: Iterable[str]) -> tuple[str, ...]:
    """The names of the causes in quarantine that a change of these columns (`table.column`, as they stand in silver)
    explains: the rules that reading such a column asks."""
    found = []
    for place in places:
        table, _, silver_name = place.partition(".")
        contract = shop.contracts.get(table)
        if contract is None:
            continue
        names = [column.name for column in contract.columns if silver_name in (column.name, column.silver_name)]
        for rule in row_rules(contract):
            if any(rule.name.startswith(f"{name}_is_") for name in names):
                found.append(f"quarantine:silver.{table}:{rule.name}")
    return tuple(dict.fromkeys(found))
