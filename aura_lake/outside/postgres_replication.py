"""Servers, publications and slots: what they are, made and dropped.

Sources: PostgreSQL's documentation, "Logical Decoding", "Publication", and the views pg_replication_slots and
pg_publication_tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aura_lake.errors import SourceError, SourceUnavailable
from aura_lake.source.facts import (
    Lsn,
    PublicationFacts,
    ServerFacts,
    SignalFacts,
    SlotFacts,
    TableName,
    parse_lsn,
)

if TYPE_CHECKING:
    from psycopg import Connection

#: Seconds a slot may take to be made; it waits for transactions that began before it.
SLOT_SECONDS = 60

_SERVER = """
    SELECT current_database(), current_user, current_setting('server_version_num')::int, current_setting('wal_level'),
           pg_is_in_recovery(),
           (SELECT count(*) FROM pg_replication_slots), current_setting('max_replication_slots')::int,
           (SELECT count(*) FROM pg_stat_replication), current_setting('max_wal_senders')::int,
           (SELECT setting::bigint * 1024 * 1024 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
           r.rolsuper OR r.rolreplication OR EXISTS (
               SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication' AND pg_has_role(g.oid, 'USAGE')),
           has_database_privilege(current_database(), 'CREATE'),
           ARRAY(SELECT n.nspname::text FROM pg_namespace n WHERE has_schema_privilege(n.oid, 'CREATE')),
           (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'),
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
           ARRAY(SELECT s.name FROM pg_settings s WHERE s.name IN
                 ('rds.logical_replication', 'cloudsql.logical_decoding', 'azure.extensions')),
           EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'aurora_version'),
           (SELECT d.setconfig FROM pg_db_role_setting d JOIN pg_database b ON b.oid = d.setdatabase
            WHERE b.datname = current_database() AND d.setrole = 0)
    FROM pg_roles r
    WHERE r.rolname = current_user
"""

_FLAVOURS = {"rds.logical_replication": "RDS", "cloudsql.logical_decoding": "Cloud SQL", "azure.extensions": "Azure"}

_PUBLICATION = """
    SELECT p.oid, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot,
           pg_has_role(p.pubowner, 'USAGE')
    FROM pg_publication p
    WHERE p.pubname = %s
"""

# Filters and column lists are there from version 15 on; to_jsonb leaves absent columns null before it.
_PUBLISHED = """
    SELECT n.nspname, c.relname, to_jsonb(r) ->> 'prqual' IS NOT NULL, to_jsonb(r) ->> 'prattrs' IS NOT NULL
    FROM pg_publication_rel r
    JOIN pg_class c ON c.oid = r.prrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.prpubid = %s
"""

_SLOT = """
    SELECT s.plugin::text, s.database::text, s.active, s.wal_status, s.restart_lsn::text, s.confirmed_flush_lsn::text,
           s.safe_wal_size
    FROM pg_replication_slots s
    WHERE s.slot_name = %s
"""

_SIGNAL = """
    SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typcategory = 'S'
                 ORDER BY a.attnum),
           has_table_privilege(c.oid, 'INSERT')
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r'
"""


def read_server(connection: Connection[Any]) -> ServerFacts:
    """The server, as this connection's user sees it."""
    row = connection.execute(_SERVER).fetchone()
    assert row is not None
    info = connection.info
    settings, kept = list(row[15]), row[9]
    of_database = dict(entry.partition("=")[::2] for entry in row[17] or ())
    return ServerFacts(
        host=info.host or "localhost",
        port=info.port,
        database=row[0],
        user=row[1],
        version=row[2],
        wal_level=row[3],
        is_replica=row[4],
        is_encrypted=connection.pgconn.ssl_in_use,
        slots=row[5],
        most_slots=row[6],
        senders=row[7],
        most_senders=row[8],
        kept_for_slots=None if kept is None or kept < 0 else kept,
        may_replicate=row[10],
        may_create=row[11],
        may_create_in=frozenset(row[12]),
        flavour="Aurora" if row[16] else next((name for key, name in _FLAVOURS.items() if key in settings), ""),
        time_zone=of_database.get("TimeZone") or row[13] or "UTC",
        lsn=parse_lsn(row[14]) or Lsn(0),
    )


def read_publication(connection: Connection[Any], name: str) -> PublicationFacts | None:
    """The publication of that name, or None."""
    row = connection.execute(_PUBLICATION, (name,)).fetchone()
    if row is None:
        return None
    oid, all_tables, *operations, via_root, is_owned = row
    words = ("insert", "update", "delete", "truncate")
    listed = connection.execute(
        "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = %s", (name,)
    ).fetchall()
    members = connection.execute(_PUBLISHED, (oid,)).fetchall()
    return PublicationFacts(
        name=name,
        tables=frozenset(TableName(*pair) for pair in [*listed, *(row[:2] for row in members)]),
        all_tables=all_tables,
        operations=frozenset(word for word, is_told in zip(words, operations, strict=True) if is_told),
        via_root=via_root,
        filtered=frozenset(TableName(*row[:2]) for row in members if row[2]),
        narrowed=frozenset(TableName(*row[:2]) for row in members if row[3]),
        is_owned=is_owned,
    )


def read_slot(connection: Connection[Any], name: str) -> SlotFacts | None:
    """The slot of that name, or None."""
    row = connection.execute(_SLOT, (name,)).fetchone()
    if row is None:
        return None
    plugin, database, is_active, status, restart, confirmed, room = row
    return SlotFacts(name, plugin, database, is_active, status, parse_lsn(restart), parse_lsn(confirmed), room)


def read_signal(connection: Connection[Any], table: TableName) -> SignalFacts:
    """The signal table as it stands, or that there is none."""
    row = connection.execute(_SIGNAL, (table.schema, table.name)).fetchone()
    if row is None:
        return SignalFacts(table, exists=False)
    return SignalFacts(table, exists=True, has_shape=row[0] == ["id", "type", "data"], may_write=row[1])


def carry_out(connection: Connection[Any], statements: Sequence[str]) -> None:
    """Run the statements: those that make slots one by one at the end, the others in one transaction before."""
    slots = [sql for sql in statements if "replication_slot" in sql]
    with connection.transaction():
        for sql in statements:
            if sql not in slots:
                connection.execute(sql.encode())
    for sql in slots:
        _make_slot(connection, sql)


def _make_slot(connection: Connection[Any], sql: str) -> None:
    import psycopg

    connection.execute(f"SET statement_timeout = '{SLOT_SECONDS}s'".encode())
    try:
        connection.execute(sql.encode())
    except psycopg.errors.QueryCanceled as error:
        oldest = connection.execute(
            "SELECT pid, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity "
            "WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1"
        ).fetchone()
        waits = f"; process {oldest[0]} holds one for {oldest[1]} s" if oldest else ""
        raise SourceUnavailable(
            f"The slot was not made within {SLOT_SECONDS} s: it waits for transactions that began before it{waits}.",
            fix="Wait for them or end them, then run again.",
        ) from error
    finally:
        connection.execute(b"SET statement_timeout = 0")


def drop_slot(connection: Connection[Any], name: str) -> bool:
    """Drop the slot; False where there is none. Raises SourceError where somebody reads it."""
    slot = read_slot(connection, name)
    if slot is None:
        return False
    if slot.is_active:
        raise SourceError(f"The slot {name} is being read.", fix="Stop the connector first.")
    connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))
    return True


def signal_snapshot(connection: Connection[Any], signal: TableName, request: str, tables: Sequence[TableName]) -> Lsn:
    """Ask the connector to read tables again; where the log stood when it was asked.

    Names are sent quoted: Debezium skips one that it cannot take apart, with a line in its log and no more.
    (Debezium, "Sending signals to a Debezium connector", execute-snapshot.)
    """
    data = json.dumps({"data-collections": [table.sql for table in tables], "type": "incremental"})
    with connection.transaction():
        connection.execute(
            f"INSERT INTO {signal.sql} (id, type, data) VALUES (%s, 'execute-snapshot', %s)".encode(), (request, data)
        )
    row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    return parse_lsn(row[0] if row else None) or Lsn(0)


def windows_closed(connection: Connection[Any], signal: TableName, request: str) -> int:
    """How many chunks of a request were read so far, by the marks the connector leaves in the signal table."""
    row = connection.execute(
        f"SELECT count(*) FROM {signal.sql} WHERE type = 'snapshot-window-close' AND data LIKE %s".encode(),
        (f'%"{request}"%',),
    ).fetchone()
    return int(row[0]) if row else 0
