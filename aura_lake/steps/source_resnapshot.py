"""Read tables of a source again: rows that were missed, or bent on the way, are repaired by the reads.

A read cannot show that a row is gone. So each request is a decision in bronze, with where the log stood when it was
asked: keys that are still live then, and not among the table's keys now, vanished unseen.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aura_lake.contracts.contract import Kind
from aura_lake.decisions import decide
from aura_lake.errors import SourceError
from aura_lake.lake import Lake
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.outside.postgres import Address, connected
from aura_lake.outside.postgres_facts import read_database
from aura_lake.outside.postgres_replication import carry_out, drop_slot, read_server, read_signal, signal_snapshot
from aura_lake.source.agreement import tables_of
from aura_lake.source.facts import DatabaseFacts, Lsn, TableName, lsn_text
from aura_lake.source.kept import KeptConnector, signal_table
from aura_lake.source.plan import SIGNAL, Statement, make_plan, statements
from aura_lake.steps.source_check import captured_tables, contracts_of_topics
from aura_lake.steps.source_connect import wait_until_read

#: The kind of decision. Facts: `request` (the id that signal and marks carry), `table` (silver), `source`
#: (schema.table), `connector`, `lsn` (where the log stood), `how` (incremental: by a signal; initial: from nothing).
RESNAPSHOT = "resnapshot"


@dataclass(frozen=True)
class Resnapshot:
    """One request for one table."""

    request: str
    table: str
    source: TableName
    lsn: Lsn
    how: str


def source_of(lake: Lake, kept: KeptConnector, facts: DatabaseFacts, name: str) -> tuple[str, TableName]:
    """The silver table and the table of the database that a name means: either one's.

    Raises SourceError where the connector takes no such table, or it has no primary key.
    """
    captured = captured_tables(facts, kept.config)
    pairs = silver_tables(lake, kept, captured)
    found = [pair for pair in pairs if name in (pair[0], str(pair[1]), pair[1].name)]
    if len(found) != 1:
        listed = ", ".join(f"{silver} ({source})" for silver, source in pairs)
        raise SourceError(
            f"{kept.name} captures no table {name!r} that a contract reads."
            if not found
            else f"{name!r} is two tables.",
            fix=f"Its tables: {listed or 'none'}.",
        )
    silver, source = found[0]
    if not facts.tables[source].primary_key:
        raise SourceError(
            f"{source} has no primary key: it cannot be read in pieces, and rows read again would be appended.",
            fix="Give it a primary key; events are not repaired by reading them again.",
        )
    if lake.contract(silver).kind is Kind.EVENTS:
        raise SourceError(
            f"{silver} is a table of events: rows read again would be appended.",
            fix="Write kind: cdc in its contract, since its table has a key.",
        )
    return silver, source


def silver_tables(lake: Lake, kept: KeptConnector, captured: Sequence[TableName]) -> list[tuple[str, TableName]]:
    """Silver tables with the captured table they are read from."""
    return [
        (contract.table, source)
        for contract, feed in contracts_of_topics(lake.shop, kept.names.prefix)
        for source in tables_of(feed, kept.names.prefix, captured)
    ]


@dataclass(frozen=True)
class Prepared:
    """What a request is about, and the SQL that signals still need: the table, and its place in the publication."""

    table: str
    source: TableName
    signal: TableName
    statements: tuple[Statement, ...]


def prepare(lake: Lake, kept: KeptConnector, address: Address, connect: KafkaConnect, name: str) -> Prepared:
    """Look whether a table can be read again while changes go on. Raises SourceError with what stands against it."""
    connector = connect.facts(kept.name)
    if connector.task_state != "RUNNING":
        told = connector.task_state or ("has no task" if connector.exists else "is not there")
        raise SourceError(
            f"The connector {kept.name} does not run ({told}): nobody would read the signal.",
            fix="aura source check says why.",
        )
    names = kept.names
    with connected(address) as connection:
        facts = read_database(connection, publication=names.publication, slot=names.slot, signal=kept.signal)
        silver, source = source_of(lake, kept, facts, name)
        signal = kept.signal or TableName(source.schema, SIGNAL)
        facts = replace(facts, signal=read_signal(connection, signal))
    if facts.slot is None or facts.slot.wal_status == "lost":
        raise SourceError(
            f"The slot {names.slot} is {'gone' if facts.slot is None else 'lost'}: signals do not arrive.",
            fix="aura source resnapshot --all begins anew.",
        )
    plan = make_plan(facts, [facts.tables[table] for table in captured_tables(facts, kept.config)], names)
    if plan.signal is None:
        raise SourceError(
            f"There is no signal table {signal}, and {facts.server.user} may not make it.",
            fix=f"Let an owner make it: CREATE TABLE {signal.sql} (id varchar(42) PRIMARY KEY, "
            "type varchar(32) NOT NULL, data varchar(2048)); GRANT SELECT, INSERT ON it to the user.",
        )
    missing = tuple(one for one in statements(plan, facts) if signal.sql in one.sql)
    return Prepared(silver, source, signal, missing)


def resnapshot(
    lake: Lake,
    kept: KeptConnector,
    address: Address,
    connect: KafkaConnect,
    prepared: Prepared,
    *,
    who: str,
    why: str,
) -> Resnapshot:
    """Ask the running connector to read the table again. The decision is written before the signal: a sweep for a
    request that was never sent finds nothing wrong, a request without one would leave what vanished."""
    with connected(address, read_only=False) as connection:
        carry_out(connection, [statement.sql for statement in prepared.statements])
        config = connect.config(kept.name) or {}
        if signal_table(config) != prepared.signal:
            connect.stop(kept.name)
            told = {"signal.data.collection": str(prepared.signal), "signal.enabled.channels": "source"}
            connect.put(kept.name, {**config, **told})
            connect.restart(kept.name)
            wait_until_read(address, connect, kept.names)
        lsn = read_server(connection).lsn
        asked = Resnapshot(str(uuid.uuid4()), prepared.table, prepared.source, lsn, "incremental")
        _write(lake, kept, asked, who, why)
        signal_snapshot(connection, prepared.signal, asked.request, [prepared.source])
    return asked


def begin_anew(
    lake: Lake,
    kept: KeptConnector,
    address: Address,
    connect: KafkaConnect,
    *,
    who: str,
    why: str,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Resnapshot]:
    """Read all tables of the connector from nothing, with a new slot: after the old one was lost or made anew.

    Every step stands for itself, so it may be killed and run again.
    """
    names = kept.names
    connect.stop(names.connector)
    tell("the connector is stopped")
    with connected(address, read_only=False) as connection:
        drop_slot(connection, names.slot)
        facts = read_database(connection, publication=names.publication, slot=names.slot, signal=kept.signal)
        captured = captured_tables(facts, kept.config)
        plan = make_plan(facts, [facts.tables[table] for table in captured], names)
        missing = statements(plan, facts)
        carry_out(connection, [statement.sql for statement in missing])
        tell(f"the slot {names.slot} is new")
    request = str(uuid.uuid4())
    asked = [
        Resnapshot(request, silver, source, facts.server.lsn, "initial")
        for silver, source in silver_tables(lake, kept, captured)
        if facts.tables[source].primary_key
    ]
    keyless = [str(table) for table in captured if not facts.tables[table].primary_key]
    if keyless:
        tell(f"{', '.join(keyless)} without a key: rows that are there already are appended again")
    for one in asked:
        _write(lake, kept, one, who, why)
    connect.forget_offsets(names.connector)
    connect.restart(names.connector)
    wait_until_read(address, connect, names)
    tell("the connector reads from the beginning")
    return asked


def _write(lake: Lake, kept: KeptConnector, asked: Resnapshot, who: str, why: str) -> None:
    facts = {
        "request": asked.request,
        "table": asked.table,
        "source": str(asked.source),
        "connector": kept.name,
        "lsn": lsn_text(asked.lsn),
        "how": asked.how,
    }
    decide(lake, RESNAPSHOT, facts, who=who, why=why)
