"""Connectors, slots and topics of others that a new connector would meet: findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aura_lake.source.connector import Login
from aura_lake.source.facts import ConnectorFacts, SlotFacts
from aura_lake.source.findings import Finding, refuse, warn
from aura_lake.source.plan import Plan


def look_for_conflicts(
    plan: Plan,
    login: Login,
    slot: SlotFacts | None,
    standing: ConnectorFacts,
    others: Mapping[str, Mapping[str, str]],
) -> Iterator[Finding]:
    """`standing`: the connector of the plan's name; `others`: the configurations of all others of the worker."""
    names, mine = plan.names, (login.database, str(login.port))
    if standing.exists and _database(standing.config) != mine:
        told = f"{standing.config.get('database.dbname')} at {standing.config.get('database.hostname')}"
        yield refuse(names.connector, "connector", f"one of that name reads {told}.", "Name another: --name.")
    if slot is not None:
        yield from _slot(slot, login, standing)
    for name, config in others.items():
        same_prefix, same_database = config.get("topic.prefix") == names.prefix, _database(config) == mine
        if same_database and config.get("slot.name") == names.slot:
            yield refuse(names.slot, "slot", f"{name} reads it.", "Name another: --slot.")
        if same_prefix and not same_database:
            says = f"{name} writes topics of that prefix from another database."
            yield refuse(names.prefix, "prefix", says, "Choose another: --prefix.")
        elif same_prefix:
            says = f"{name} writes topics of that prefix too."
            yield warn(names.prefix, "prefix", says, "Let each table be taken by one connector.")


def _slot(slot: SlotFacts, login: Login, standing: ConnectorFacts) -> Iterator[Finding]:
    another = "Name another: --slot."
    if slot.plugin != "pgoutput" or slot.database != login.database:
        told = f"{slot.database or 'the whole server'}, with {slot.plugin or 'no plugin'}"
        yield refuse(slot.name, "slot", f"one of that name is of {told}.", another)
    elif slot.wal_status == "lost":
        yield refuse(slot.name, "slot", "it is lost.", "aura source resnapshot --all makes it anew.")
    elif slot.is_active and not standing.exists:
        yield refuse(slot.name, "slot", "somebody reads it, and not this connector.", another)


def _database(config: Mapping[str, str]) -> tuple[str, str]:
    return config.get("database.dbname", ""), config.get("database.port", "5432")
