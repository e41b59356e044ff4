"""Facts of databases that do not exist: what a catalog, a slot and a connector would say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aura_lake.source.facts import (
    ColumnFacts,
    ConnectorFacts,
    DatabaseFacts,
    Lsn,
    PublicationFacts,
    ServerFacts,
    SignalFacts,
    SlotFacts,
    TableFacts,
    TableName,
)
from aura_lake.source.plan import Names, Plan, make_plan

SIGNAL = TableName("public", "debezium_signal")
NAMES = Names.after("shop")


def name(text: str) -> TableName:
    """`orders` is `public.orders`."""
    schema, _, table = text.rpartition(".")
    return TableName(schema or "public", table)


def a_column(text: str, **given: Any) -> ColumnFacts:
    """A column written as `total numeric(12,2)`; the base is the type without its size, as the catalog calls it."""
    called, _, written = text.partition(" ")
    bases = {"bigint": "int8", "integer": "int4", "smallint": "int2", "boolean": "bool", "double precision": "float8"}
    bare = written.removesuffix("[]").partition("(")[0]
    base = ("_" if written.endswith("[]") else "") + bases.get(bare, bare)
    return ColumnFacts(called, written, given.pop("base", base), **given)


def a_table(called: str, *columns: str | ColumnFacts, key: tuple[str, ...] = ("id",), **given: Any) -> TableFacts:
    """A table; its key's columns are not null, and a delete carries them."""
    read = [a_column(one) if isinstance(one, str) else one for one in columns or ("id bigint",)]
    read = [replace(one, is_nullable=False) if one.name in key else one for one in read]
    given = {"identity_columns": key, **given}
    return TableFacts(name(called), tuple(read), primary_key=key, **given)


def a_server(**given: Any) -> ServerFacts:
    """A server on which nothing is missing."""
    told: dict[str, Any] = {
        "host": "db.example.com",
        "port": 5432,
        "database": "shop",
        "user": "aura",
        "version": 150018,
    }
    told |= {"kept_for_slots": 10 << 30, "may_create_in": frozenset({"public"}), "lsn": Lsn(5000)}
    return ServerFacts(**{**told, **given})


def a_slot(**given: Any) -> SlotFacts:
    """A slot that is read."""
    told: dict[str, Any] = {"name": NAMES.slot, "plugin": "pgoutput", "database": "shop", "is_active": True}
    told |= {"wal_status": "reserved", "restart_lsn": Lsn(3000), "confirmed_lsn": Lsn(4000)}
    return SlotFacts(**{**told, **given})


def a_publication(*tables: str, **given: Any) -> PublicationFacts:
    """A publication of these tables and the signal table."""
    return PublicationFacts(NAMES.publication, frozenset({SIGNAL, *map(name, tables)}), **given)


def a_database(*tables: TableFacts, **given: Any) -> DatabaseFacts:
    """A database that is captured: with slot, publication and signal table."""
    told: dict[str, Any] = {
        "server": a_server(),
        "tables": {one.table: one for one in tables},
        "publication": a_publication(*(str(one.table) for one in tables)),
        "slot": a_slot(),
        "signal": SignalFacts(SIGNAL, exists=True),
    }
    return DatabaseFacts(**{**told, **given})


def a_plan(database: DatabaseFacts, **given: Any) -> Plan:
    """The plan for all of its tables."""
    return make_plan(database, list(database.tables.values()), NAMES, **given)


def a_connector(config: dict[str, str], **given: Any) -> ConnectorFacts:
    """A connector that runs with this configuration and has read as far as its slot."""
    told: dict[str, Any] = {"state": "RUNNING", "task_state": "RUNNING", "config": config, "read_lsn": Lsn(4000)}
    return ConnectorFacts(NAMES.connector, **{**told, **given})
