"""What `aura source connect postgres` is about to make: tables, names, SQL statements, and nothing yet done."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from aura_lake.contracts.problems import did_you_mean
from aura_lake.contracts.sampling import plain_name
from aura_lake.errors import SourceError
from aura_lake.source.facts import DatabaseFacts, TableFacts, TableName, literal, quoted, topic_of

#: What the signal table is called, in the schema of the first table.
SIGNAL = "debezium_signal"

#: Tables that are the connector's own and never a feed.
OWN = frozenset({SIGNAL, "debezium_heartbeat"})

OPERATIONS = "insert, update, delete, truncate"

#: Messages of heartbeats in the log have this prefix; the connector writes no records for them.
HEARTBEAT = "aura-heartbeat"


@dataclass(frozen=True)
class PlannedTable:
    """One table that is captured. `kind` is what its contract will say: cdc, or events where it has no key."""

    table: TableName
    kind: str
    topic: str


@dataclass(frozen=True)
class Names:
    """What is made in the database and in Kafka Connect."""

    connector: str
    slot: str
    publication: str
    prefix: str

    @staticmethod
    def after(database: str) -> Names:
        """The names where nothing else is said: after the database."""
        plain = plain_name(database)
        return Names(f"aura-{plain.replace('_', '-')}", f"aura_{plain}", f"aura_{plain}", "aura")


@dataclass(frozen=True)
class Plan:
    """A connector and what it needs."""

    names: Names
    tables: tuple[PlannedTable, ...]
    signal: TableName | None  #: None: there is none and none may be made, so nothing can be read again
    snapshot: bool = True
    partitions: int = 3
    format: str = "json"
    registry: str | None = None


@dataclass(frozen=True)
class Statement:
    """SQL that is run, what it makes, and what that is for."""

    sql: str
    makes: str
    purpose: str


def choose_tables(
    catalog: Iterable[TableFacts],
    wanted: Sequence[str],
    *,
    everything: bool = False,
    schemas: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> list[TableFacts]:
    """The tables of the catalog that are meant, by name.

    A name may have its schema; without one it has to be the only one of that name. Partitions stand under their
    root. Raises SourceError naming each that is not there, is ambiguous, or is a partition.
    """
    known = [facts for facts in catalog if facts.table.name not in OWN]
    if schemas:
        known = [facts for facts in known if facts.table.schema in schemas]
        if not known:
            raise SourceError(
                f"The schema {', '.join(schemas)} has no tables.", fix="Name the schema as psql's \\dn lists it."
            )
    roots = [facts for facts in known if facts.partition_of is None and facts.kind in ("r", "p")]
    without = {_find(name, known).table for name in left_out}
    if everything:
        chosen = [facts for facts in roots if facts.table not in without]
    else:
        chosen = [_find(name, known) for name in wanted]
        chosen = [facts for facts in chosen if facts.table not in without]
    if not chosen:
        raise SourceError(
            "No table is named." if not everything else "The database has no tables to capture.",
            fix="Name them: --tables orders,users, or say `all tables`.",
        )
    for facts in chosen:
        if facts.partition_of is not None:
            raise SourceError(
                f"{facts.table} is a partition of {facts.partition_of}.",
                fix=f"Capture {facts.partition_of}: its changes arrive under its own name.",
            )
    return sorted({facts.table: facts for facts in chosen}.values(), key=lambda facts: facts.table)


def _find(name: str, known: Collection[TableFacts]) -> TableFacts:
    matches = [facts for facts in known if name in (str(facts.table), facts.table.name)]
    folded = matches or [f for f in known if name.lower() in (str(f.table).lower(), f.table.name.lower())]
    if len(folded) == 1:
        return folded[0]
    if not folded:
        raise SourceError(
            f"The database has no table {name!r} that this user sees.",
            fix=did_you_mean(name, [facts.table.name for facts in known] or ["no table at all"]),
        )
    listed = ", ".join(str(facts.table) for facts in folded)
    raise SourceError(f"{name!r} is more than one table: {listed}.", fix="Write it with its schema.")


def make_plan(
    facts: DatabaseFacts,
    tables: Sequence[TableFacts],
    names: Names,
    *,
    events: Collection[str] = (),
    captured: Collection[TableName] = (),
    snapshot: bool = True,
    partitions: int = 3,
    format: str = "json",
    registry: str | None = None,
) -> Plan:
    """The plan for these tables, and those that the connector has `captured` already.

    A table without a primary key is one of events; so are those named in `events`.
    """
    kinds = {
        one.table: "events" if not one.primary_key or {str(one.table), one.table.name} & set(events) else "cdc"
        for one in [*tables, *(facts.tables[table] for table in captured if table in facts.tables)]
    }
    signal = facts.signal
    return Plan(
        names=names,
        tables=tuple(PlannedTable(table, kind, topic_of(names.prefix, table)) for table, kind in sorted(kinds.items())),
        signal=signal.table if signal is not None and (signal.exists or may_make(facts, signal.table)) else None,
        snapshot=snapshot,
        partitions=partitions,
        format=format,
        registry=registry,
    )


def may_make(facts: DatabaseFacts, table: TableName) -> bool:
    """Whether the user may make a table of that name."""
    return table.schema in facts.server.may_create_in


def statements(plan: Plan, facts: DatabaseFacts) -> list[Statement]:
    """The SQL that is still missing, in its order. Run again it is empty."""
    missing: list[Statement] = []
    if plan.signal is not None and facts.signal is not None and not facts.signal.exists:
        missing.append(
            Statement(
                f"CREATE TABLE {plan.signal.sql} "
                "(id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048))",
                f"signal table {plan.signal}",
                "`aura source resnapshot` writes into it",
            )
        )
    missing.extend(_publication(plan, facts))
    if facts.slot is None:
        slot = literal(plan.names.slot)
        missing.append(
            Statement(
                f"SELECT pg_create_logical_replication_slot({slot}, 'pgoutput')",
                f"slot {plan.names.slot}",
                "keeps the log until the connector has read it",
            )
        )
    return missing


def _publication(plan: Plan, facts: DatabaseFacts) -> list[Statement]:
    name, standing = quoted(plan.names.publication), facts.publication
    wanted = [one.table for one in plan.tables] + ([plan.signal] if plan.signal else [])
    options = f"publish = {literal(OPERATIONS)}, publish_via_partition_root = true"
    if standing is None:
        listed = ", ".join(table.sql for table in wanted)
        sql = f"CREATE PUBLICATION {name} FOR TABLE {listed} WITH ({options})"
        return [Statement(sql, f"publication {plan.names.publication}", "what the slot tells of")]
    changes = []
    absent = [table for table in wanted if not covers(standing.tables, facts.tables.get(table), table)]
    if absent and not standing.all_tables:
        listed = ", ".join(table.sql for table in absent)
        sql = f"ALTER PUBLICATION {name} ADD TABLE {listed}"
        changes.append(Statement(sql, f"tables added to publication {plan.names.publication}", "it lacks them"))
    if not standing.via_root or standing.operations < set(OPERATIONS.split(", ")):
        sql = f"ALTER PUBLICATION {name} SET ({options})"
        changes.append(
            Statement(sql, f"publication {plan.names.publication} changed", "every operation, and roots for leaves")
        )
    return changes


def covers(published: Collection[TableName], facts: TableFacts | None, table: TableName) -> bool:
    """Whether a publication that lists these tables tells of `table`: itself, or all of its leaves."""
    if table in published:
        return True
    leaves = facts.partitions if facts is not None else ()
    return bool(leaves) and all(leaf in published for leaf in leaves)


def with_names(names: Names, **given: str | None) -> Names:
    """The names with those that are given; raises SourceError where PostgreSQL or Kafka would refuse one."""
    chosen = replace(names, **{key: value for key, value in given.items() if value})
    if not re.fullmatch(r"[a-z0-9_]{1,63}", chosen.slot):
        raise SourceError(
            f"{chosen.slot!r} cannot name a slot.", fix="Small letters, digits and _, at most 63 characters."
        )
    for what, name in (("connector", chosen.connector), ("prefix", chosen.prefix)):
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,80}", name):
            raise SourceError(f"{name!r} cannot name a {what}.", fix="Letters, digits, '.', '_' and '-'.")
    if not 0 < len(chosen.publication.encode()) <= 63:
        raise SourceError(f"{chosen.publication!r} cannot name a publication.", fix="1 to 63 bytes.")
    return chosen
