"""Everything that is looked at before and while a database is captured, read with one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aura_lake.outside.postgres_catalog import read_catalog
from aura_lake.outside.postgres_replication import read_publication, read_server, read_signal, read_slot
from aura_lake.source.facts import DatabaseFacts, TableName

if TYPE_CHECKING:
    from psycopg import Connection


def read_database(
    connection: Connection[Any], *, publication: str, slot: str, signal: TableName | None
) -> DatabaseFacts:
    """The facts of a database. The slot is read before the log's end, so that it never seems to be ahead of it."""
    found = read_slot(connection, slot)
    return DatabaseFacts(
        server=read_server(connection),
        tables=read_catalog(connection),
        publication=read_publication(connection, publication),
        slot=found,
        signal=read_signal(connection, signal) if signal is not None else None,
    )
