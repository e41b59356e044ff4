"""Make a source: a publication, a slot and a connector, as a plan says, and wait until changes flow."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aura_lake.errors import AuraError, SourceError, SourceUnavailable
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.outside.postgres import Address, connected
from aura_lake.outside.postgres_facts import read_database
from aura_lake.outside.postgres_replication import carry_out, drop_slot, read_slot, signal_snapshot
from aura_lake.source.conflicts import look_for_conflicts
from aura_lake.source.connector import AVRO_CONVERTERS, CLASS, Login, captures, connector_config
from aura_lake.source.facts import ConnectorFacts, DatabaseFacts, TableName
from aura_lake.source.findings import Finding, Level, refuse
from aura_lake.source.kept import signal_table
from aura_lake.source.plan import SIGNAL, Names, Plan, Statement, choose_tables, make_plan, statements, with_names
from aura_lake.source.wished import Request
from aura_lake.steps.source_check import captured_tables, look_at_database

#: Seconds that a connector may take to begin; it waits for its turn and tries the database.
PATIENCE = 120.0


@dataclass(frozen=True)
class Prepared:
    """All that is known before the yes. Nothing is done yet."""

    facts: DatabaseFacts
    plan: Plan
    login: Login
    config: Mapping[str, str] = field(repr=False)
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]
    worker_findings: tuple[Finding, ...]  #: what is wrong with Kafka Connect; the plan may be written all the same
    added: tuple[TableName, ...]  #: tables that a connector which runs already does not take yet
    is_new: bool  #: whether the connector is still to be made

    @property
    def is_refused(self) -> bool:
        """Whether the source forbids it."""
        return any(finding.level is Level.REFUSE for finding in self.findings)

    @property
    def is_ready(self) -> bool:
        """Whether it can be carried out now."""
        return not self.is_refused and not self.worker_findings


def prepare(address: Address, connect: KafkaConnect, request: Request) -> Prepared:
    """Read the database and the worker, and plan. Raises SourceError where a name is wrong."""
    with connected(address) as connection:
        password = connection.info.password or None
        database = connection.info.dbname
        names = with_names(
            Names.after(database),
            connector=request.connector,
            slot=request.slot,
            publication=request.publication,
            prefix=request.prefix,
        )
        standing, plugins, trouble = _worker(connect, names.connector)
        signal = _signal(request, standing)
        facts = read_database(connection, publication=names.publication, slot=names.slot, signal=signal)
    chosen = choose_tables(
        facts.tables.values(),
        request.tables,
        everything=request.everything,
        schemas=request.schemas,
        left_out=request.left_out,
    )
    if signal is None:
        signal = TableName(chosen[0].table.schema, SIGNAL)
        with connected(address) as connection:
            facts = read_database(connection, publication=names.publication, slot=names.slot, signal=signal)
    captured = captured_tables(facts, standing.config) if standing.exists else []
    plan = make_plan(
        facts,
        chosen,
        names,
        events=request.events,
        captured=captured,
        snapshot=request.snapshot,
        partitions=request.partitions,
        format=request.format,
        registry=request.registry,
    )
    login = _login(address, facts, password, request)
    converter = next((plugin for plugin in plugins if plugin in AVRO_CONVERTERS), None)
    # Settings of somebody else's making stay, ours are put right.
    config = {**standing.config, **connector_config(plan, login, facts.server.major, converter)}
    findings = [*look_at_database(facts, plan, is_mended=True), *_conflicts(connect, plan, login, facts, standing)]
    if not trouble and CLASS not in plugins:
        trouble.append(
            refuse(
                connect.url,
                "plugin",
                "the worker has no Debezium connector for PostgreSQL.",
                "Put debezium-connector-postgres into its plugin.path and start it again.",
            )
        )
    added = [one.table for one in plan.tables if standing.exists and not captures(standing.config, one.table)]
    return Prepared(
        facts=facts,
        plan=plan,
        login=login,
        config=config,
        statements=tuple(statements(plan, facts)),
        findings=tuple(findings),
        worker_findings=tuple(trouble),
        added=tuple(added),
        is_new=not standing.exists,
    )


def create(
    prepared: Prepared, address: Address, connect: KafkaConnect, tell: Callable[[str], None] = lambda _: None
) -> ConnectorFacts:
    """Carry out the plan; the connector, once it runs and reads the slot.

    Safe to run again: what stands is left. A slot that was made for a connector which then could not be made is
    dropped, so that it keeps no log for nobody.
    """
    names = prepared.plan.names
    connect.check(names.connector, prepared.config)  # the worker tries the database: before anything is made
    with connected(address, read_only=False) as connection:
        carry_out(connection, [statement.sql for statement in prepared.statements])
        for statement in prepared.statements:
            tell(statement.makes)
    try:
        if not prepared.is_new:  # so that no task goes on with the old configuration
            connect.stop(names.connector)
        connect.put(names.connector, prepared.config)
    except AuraError:
        if prepared.is_new and prepared.facts.slot is None:
            with connected(address, read_only=False) as connection:
                drop_slot(connection, names.slot)
            tell(f"dropped the slot {names.slot} again: nobody would read it")
        raise
    tell(f"connector {names.connector} {'made' if prepared.is_new else 'changed'}")
    if not prepared.is_new:
        connect.restart(names.connector)
    running = wait_until_read(address, connect, names)
    if prepared.added and prepared.plan.signal is not None:
        keyed = [table for table in prepared.added if prepared.facts.tables[table].primary_key]
        if keyed and prepared.plan.snapshot:
            with connected(address, read_only=False) as connection:
                signal_snapshot(connection, prepared.plan.signal, str(uuid.uuid4()), keyed)
            tell(f"rows of {', '.join(map(str, keyed))} that are there already are read now")
        keyless = [table for table in prepared.added if table not in keyed]
        if keyless:
            tell(
                f"rows of {', '.join(map(str, keyless))} that are there already are not read: without a key they cannot"
            )
    return running


def wait_until_read(
    address: Address, connect: KafkaConnect, names: Names, patience: float = PATIENCE
) -> ConnectorFacts:
    """The connector, once it reads the slot, or reads the rows that are there already, which it does first.

    Raises SourceError with the task's trouble where it failed, SourceUnavailable where it takes too long.
    """
    deadline = time.monotonic() + patience
    with connected(address) as connection:
        while time.monotonic() < deadline:
            connector = connect.facts(names.connector)
            if "FAILED" in (connector.state, connector.task_state):
                raise SourceError(
                    f"The connector {names.connector} failed: {connector.trouble or 'the worker says no more'}",
                    fix="Mend it, then `aura source restart`; `aura source check` names what is wrong with the source.",
                )
            slot = read_slot(connection, names.slot)
            is_read = slot is not None and slot.is_active
            if connector.task_state == "RUNNING" and (is_read or connector.is_in_snapshot):
                return connector
            time.sleep(0.3)
    raise SourceUnavailable(
        f"The connector {names.connector} did not begin to read {names.slot} within {patience:.0f} s.",
        fix="Look with `aura source check`, and into the worker's log.",
    )


def _worker(connect: KafkaConnect, name: str) -> tuple[ConnectorFacts, list[str], list[Finding]]:
    """The connector as it stands, the worker's plugins, and what is wrong where the worker does not answer."""
    try:
        return connect.facts(name), connect.plugins(), []
    except SourceUnavailable as error:
        return ConnectorFacts(name), [], [refuse(name, "connector", error.what, error.fix)]


def _signal(request: Request, standing: ConnectorFacts) -> TableName | None:
    """The signal table that is asked for, or the one that is used already."""
    if request.signal:
        schema, _, name = request.signal.rpartition(".")
        return TableName(schema or "public", name)
    return signal_table(standing.config)


def _login(address: Address, facts: DatabaseFacts, password: str | None, request: Request) -> Login:
    server = facts.server
    host, _, port = (request.database_host or "").partition(":")
    own = "localhost" if server.host.startswith("/") else server.host
    return Login(
        host=host or own,
        port=int(port) if port.isdigit() else server.port,
        database=server.database,
        user=server.user,
        password=request.password or password,
        sslmode=address.parameters.get("sslmode", "prefer"),
    )


def _conflicts(
    connect: KafkaConnect, plan: Plan, login: Login, facts: DatabaseFacts, standing: ConnectorFacts
) -> list[Finding]:
    """Whom the connector would meet; nobody, where the worker does not answer, which is told already."""
    try:
        others = {name: connect.config(name) or {} for name in connect.names() if name != plan.names.connector}
    except SourceUnavailable:
        others = {}
    return list(look_for_conflicts(plan, login, facts.slot, standing, others))
