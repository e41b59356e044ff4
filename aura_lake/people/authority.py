"""Who may decide what: the `approvers` of shop.yaml.

    approvers:
      default: [U061F7AUR]
      orders: [U02ANN, U02BOB]
      team:data-platform: [U02EVE]

A name is a table, a feed, an owner, or `default`; a person stands by their Slack member id. The first that is there
counts: table or feed, then its owner, then `default`. Who decides on a feed has to be named for every table that
reads it. Nobody may decide where nobody is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aura_lake.contracts.contract import Shop

Approvers = Mapping[str, Sequence[str]]


def why_not(shop: Shop, person: str, place: str) -> str | None:
    """Why this person may not decide about a place (`silver.orders`, `bronze.aura_orders`, a feed, a table, anything
    else); None where they may."""
    name = place.removeprefix("silver.").removeprefix("bronze.")
    if name in shop.feeds and name not in shop.contracts:
        if name in shop.approvers:
            return _missing(person, name, shop.approvers[name])
        readers = [contract.table for contract in shop.readers(name)]
        return _first(_of_table(shop, person, table) for table in readers) if readers else _of_nobody(shop, person)
    return _of_table(shop, person, name)


def _of_table(shop: Shop, person: str, table: str) -> str | None:
    contract = shop.contracts.get(table)
    owner = (contract.owner if contract else None) or shop.owners.get("default") or ""
    for name in (table, owner):
        if name in shop.approvers:
            return _missing(person, name, shop.approvers[name])
    return _of_nobody(shop, person)


def _of_nobody(shop: Shop, person: str) -> str | None:
    if "default" not in shop.approvers:
        return "shop.yaml names no approvers for this; `approvers: {default: [U…]}` would."
    return _missing(person, "default", shop.approvers["default"])


def _missing(person: str, name: str, people: Sequence[str]) -> str | None:
    return None if person in people else f"{person} is not among the approvers of {name} in shop.yaml."


def _first(reasons: Iterable[str | None]) -> str | None:
    return next((reason for reason in reasons if reason is not None), None)
