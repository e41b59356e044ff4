"""Whether a server and its tables can be captured without losing or bending a row: findings from facts.

Hard cases 15 (deferrable keys), 18 (truncates), 29 (no key), 47 (partitions), 48 (a slot lost or made anew).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aura_lake.source.facts import ServerFacts, TableFacts, TableName, bytes_text, topic_part
from aura_lake.source.findings import Finding, ok, refuse, warn
from aura_lake.source.wire_types import wire_of

#: pgoutput is there from 10, roots of partitions from 13, heartbeats without a table from 14.
OLDEST, OLDEST_WITH_MESSAGES = 13, 14

_VIEWS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_HOW_LOGICAL = {
    "Aurora": "Set rds.logical_replication = 1 in the cluster's parameter group and reboot the writer.",
    "RDS": "Set rds.logical_replication = 1 in the instance's parameter group and reboot.",
    "Cloud SQL": "Set the flag cloudsql.logical_decoding=on; it restarts the instance.",
    "Azure": "Set the server parameter wal_level to logical and restart.",
}
_HOW_REPLICATE = {
    "Aurora": "GRANT rds_replication TO {user};",
    "RDS": "GRANT rds_replication TO {user};",
}


def look_at_server(server: ServerFacts, *, makes_slot: bool) -> Iterator[Finding]:
    """Version, log, room for a slot, and what the user may. `makes_slot`: whether one is still to be made."""
    at = server.address
    yield _version(server)
    if server.wal_level == "logical":
        yield ok(at, "wal_level", "logical")
    else:
        how = _HOW_LOGICAL.get(server.flavour, "ALTER SYSTEM SET wal_level = 'logical'; then restart the server.")
        yield refuse(at, "wal_level", f"{server.wal_level}: the log does not tell of rows.", how)
    if server.is_replica:
        yield refuse(at, "primary", "a standby: it takes no publication.", "Name the primary (Aurora: the writer).")
    else:
        yield ok(at, "primary", "the primary")
    if makes_slot:
        yield from _room_for_a_slot(server)
    if server.may_replicate:
        yield ok(at, "replication", f"{server.user} may replicate")
    else:
        how = _HOW_REPLICATE.get(server.flavour, 'ALTER ROLE "{user}" REPLICATION;').format(user=server.user)
        yield refuse(at, "replication", f"{server.user} may not replicate.", how)
    if not server.is_encrypted and server.host not in ("localhost", "127.0.0.1", "::1", ""):
        yield warn(
            at, "encryption", "rows and password travel in clear.", "Add ?sslmode=require (better: verify-full)."
        )
    if server.kept_for_slots is None:
        yield warn(
            at,
            "kept_log",
            "max_slot_wal_keep_size has no end: a connector that stops fills the disk.",
            "Watch the slot's lag, or set it to what the disk can spare; then the slot can be lost instead.",
        )
    else:
        yield ok(at, "kept_log", f"up to {bytes_text(server.kept_for_slots)} is kept for a slot")


def _version(server: ServerFacts) -> Finding:
    if server.major < OLDEST:
        return refuse(
            server.address, "version", f"PostgreSQL {server.major}: partitions have topics of their own.", "Upgrade."
        )
    if server.major < OLDEST_WITH_MESSAGES:
        return warn(
            server.address,
            "version",
            f"PostgreSQL {server.major}: no heartbeat moves the slot on while the captured tables rest.",
            "Watch the slot's lag, or upgrade.",
        )
    return ok(server.address, "version", f"PostgreSQL {server.major}")


def _room_for_a_slot(server: ServerFacts) -> Iterator[Finding]:
    for what, used, most, setting in (
        ("slots", server.slots, server.most_slots, "max_replication_slots"),
        ("senders", server.senders, server.most_senders, "max_wal_senders"),
    ):
        if used < most:
            yield ok(server.address, what, f"{used} of {most} are used")
        else:
            yield refuse(
                server.address,
                what,
                f"all {most} are used.",
                f"Raise {setting} and restart, or drop a slot nobody reads: SELECT * FROM pg_replication_slots.",
            )


def look_at_tables(tables: Iterable[TableFacts], kinds: Mapping[TableName, str]) -> Iterator[Finding]:
    """Each table by itself. `kinds`: what its contract says, cdc or events."""
    topics: dict[str, TableName] = {}
    for facts in tables:
        yield from _look_at_table(facts, kinds.get(facts.table, "cdc"))
        spelled = topic_part(str(facts.table))
        if spelled in topics:
            yield refuse(
                facts.table,
                "topic",
                f"{topics[spelled]} and it would be one topic, …{spelled}.",
                "Rename one, or capture them with connectors of different prefixes.",
            )
        topics[spelled] = facts.table


def _look_at_table(facts: TableFacts, kind: str) -> Iterator[Finding]:
    table = facts.table
    if facts.kind in _VIEWS:
        yield refuse(table, "relation", f"{_VIEWS[facts.kind]} has no changes in the log.", "Name the tables under it.")
        return
    if facts.persistence == "u":
        yield refuse(
            table, "relation", "unlogged: its changes are not in the log.", f"ALTER TABLE {table.sql} SET LOGGED;"
        )
        return
    yield from _key(facts, kind)
    yield from _identity(facts, kind)
    yield from _partitions(facts)
    if not facts.may_read:
        yield refuse(
            table, "select", "the user may not read it.", f"GRANT SELECT ON {table.sql} TO the connector's user;"
        )
    if facts.hides_rows:
        yield refuse(
            table,
            "row_security",
            "row level security hides rows from the user: a snapshot would lack what the stream has.",
            "ALTER ROLE … BYPASSRLS for the connector's user.",
        )
    yield from _columns(facts)


def _key(facts: TableFacts, kind: str) -> Iterator[Finding]:
    """Cases 15 and 29."""
    table = facts.table
    if not facts.primary_key:
        if kind == "cdc":
            yield refuse(
                table,
                "primary_key",
                f"{table} has no primary key: nothing says which row a change is of, so it cannot be cdc.",
                f"ALTER TABLE {table.sql} ADD PRIMARY KEY (…); or write kind: events in its contract.",
            )
        else:
            yield warn(
                table,
                "primary_key",
                "none: run as events, inserts are appended and what the connector sends again stands twice.",
                f"ALTER TABLE {table.sql} ADD PRIMARY KEY (…); then kind: cdc.",
            )
        return
    key = ", ".join(facts.primary_key)
    if facts.key_is_deferrable and kind == "cdc":
        yield refuse(
            table,
            "primary_key",
            f"({key}) is deferrable: a change of keys can look like a delete of a row that is there.",
            f"ALTER TABLE {table.sql} DROP CONSTRAINT …, ADD PRIMARY KEY ({key}); (not deferrable)",
        )
        return
    yield ok(table, "primary_key", f"({key})")


def _identity(facts: TableFacts, kind: str) -> Iterator[Finding]:
    """What a delete and an update carry of the row before. Without it PostgreSQL refuses both, to everybody."""
    table = facts.table
    has_none = facts.identity == "nothing" or (
        facts.identity == "default" and (not facts.primary_key or facts.key_is_deferrable)
    )
    if has_none:
        why = "nothing" if facts.identity == "nothing" else "default, without a key it can use"
        fix = f"ALTER TABLE {table.sql} REPLICA IDENTITY {'FULL' if not facts.primary_key else 'DEFAULT'};"
        says = f"replica identity is {why}: once it is published, PostgreSQL refuses UPDATE and DELETE on it"
        if facts.changed_rows or facts.primary_key:
            counted = f"; {facts.changed_rows:,} were counted" if facts.changed_rows else ""
            yield refuse(table, "replica_identity", f"{says}{counted}.", fix)
        else:
            yield warn(table, "replica_identity", f"{says}; none was counted so far.", fix)
    elif facts.identity == "index" and not set(facts.primary_key) <= set(facts.identity_columns) and kind == "cdc":
        yield refuse(
            table,
            "replica_identity",
            f"an index on ({', '.join(facts.identity_columns)}): a delete would not carry the key.",
            f"ALTER TABLE {table.sql} REPLICA IDENTITY DEFAULT;",
        )
    else:
        yield ok(table, "replica_identity", facts.identity)


def _partitions(facts: TableFacts) -> Iterator[Finding]:
    if facts.partitions:
        yield ok(facts.table, "partitions", f"{len(facts.partitions)}, told under the table's own name")
    if facts.children:
        yield warn(
            facts.table,
            "inheritance",
            f"{len(facts.children)} tables inherit from it; a snapshot reads their rows, the stream has them apart.",
            f"Capture them too: {', '.join(map(str, facts.children[:3]))}.",
        )


def _columns(facts: TableFacts) -> Iterator[Finding]:
    absent = [(column.name, wire_of(column).note) for column in facts.columns if not wire_of(column).travels]
    if absent:
        told = "; ".join(f"{name} {note}" for name, note in absent[:5])
        more = f" (and {len(absent) - 5} more)" if len(absent) > 5 else ""
        yield warn(facts.table, "columns", f"{told}{more}.", "Leave them out of the contract, or change their type.")
    keys = {name for name, _ in absent} & set(facts.primary_key)
    if keys:
        yield refuse(
            facts.table,
            "primary_key",
            f"{', '.join(sorted(keys))} is part of the key and does not travel.",
            "Change its type, or write kind: events.",
        )
