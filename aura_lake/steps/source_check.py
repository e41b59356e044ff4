"""Look at a source: database, slot, connector and contracts, as findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aura_lake.contracts.contract import Contract, Feed, Shop
from aura_lake.errors import AuraError
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.outside.postgres import Address, connected
from aura_lake.outside.postgres_facts import read_database
from aura_lake.source.agreement import look_at_contracts, tables_of
from aura_lake.source.connector import captures
from aura_lake.source.facts import ConnectorFacts, DatabaseFacts, TableFacts, TableName
from aura_lake.source.findings import Finding, refuse
from aura_lake.source.kept import KeptConnector
from aura_lake.source.plan import OWN, Plan, PlannedTable, make_plan
from aura_lake.source.preflight import look_at_server, look_at_tables
from aura_lake.source.publishing import look_at_publication, look_at_signal
from aura_lake.source.running import MUCH_LAG, look_at_connector, look_at_slot


def check_running(
    kept: KeptConnector, address: Address, connect: KafkaConnect, shop: Shop, much_lag: int = MUCH_LAG
) -> list[Finding]:
    """What is right and wrong with a connector that was made, its database, and the contracts of its topics.

    What does not answer is a finding too, and hides those that need it.
    """
    names = kept.names
    findings: list[Finding] = []
    facts: DatabaseFacts | None = None
    try:
        with connected(address) as connection:
            facts = read_database(connection, publication=names.publication, slot=names.slot, signal=kept.signal)
    except AuraError as error:
        findings.append(refuse(address, "database", error.what, error.fix))
    # After the slot: a connector moves its own offset first and the slot then.
    connector: ConnectorFacts | None = None
    try:
        connector = connect.facts(kept.name)
    except AuraError as error:
        findings.append(refuse(kept.name, "connector", error.what, error.fix))
    config = connector.config if connector is not None and connector.exists else kept.config
    contracts = contracts_of_topics(shop, names.prefix)
    if facts is not None and facts.server.database != config.get("database.dbname", facts.server.database):
        told = f"the address names {facts.server.database}, and the connector reads {config['database.dbname']}."
        findings.append(refuse(address, "database", told, "Give --url of the connector's database."))
    elif facts is not None:
        tables = captured_tables(facts, config)
        findings += look_at_database(facts, plan_of(kept, facts, tables, contracts, config))
        findings += look_at_slot(names.slot, facts, connector or ConnectorFacts(kept.name), much_lag)
        if connector is not None:
            findings += look_at_connector(connector, facts, names.slot, names.publication, tables)
        seen = (
            connector if connector is not None and connector.exists else ConnectorFacts(kept.name, config=kept.config)
        )
        findings += look_at_contracts(contracts, seen, {table: facts.tables[table] for table in tables})
    return findings


def look_at_database(facts: DatabaseFacts, plan: Plan, *, is_mended: bool = False) -> Iterator[Finding]:
    """Server, tables, publication and signal table for a plan. `is_mended`: it is about to be carried out."""
    yield from look_at_server(facts.server, makes_slot=facts.slot is None)
    known = [facts.tables[one.table] for one in plan.tables if one.table in facts.tables]
    yield from look_at_tables(known, {one.table: one.kind for one in plan.tables})
    yield from look_at_publication(plan, facts, is_mended=is_mended)
    yield from look_at_signal(plan, facts)


def captured_tables(facts: DatabaseFacts, config: Mapping[str, str]) -> list[TableName]:
    """The tables of the database that a configuration takes; partitions stand under their root."""
    return [
        table
        for table, known in sorted(facts.tables.items())
        if table.name not in OWN and known.kind in ("r", "p") and known.partition_of is None and captures(config, table)
    ]


def contracts_of_topics(shop: Shop, prefix: str) -> list[tuple[Contract, Feed]]:
    """The contracts whose feed reads topics that begin with the connector's prefix; of a pattern nobody knows."""
    found = []
    for contract in shop.contracts.values():
        feed = shop.feeds[contract.feed]
        if any(topic.startswith(("^", f"{prefix}.")) for topic in feed.topics):
            found.append((contract, feed))
    return found


def plan_of(
    kept: KeptConnector,
    facts: DatabaseFacts,
    tables: Sequence[TableName],
    contracts: Sequence[tuple[Contract, Feed]],
    config: Mapping[str, str],
) -> Plan:
    """The plan that a running connector follows; what a table is, its contract says."""
    known: list[TableFacts] = [facts.tables[table] for table in tables]
    plan = make_plan(facts, known, kept.names)
    kinds = {
        table: contract.kind.value
        for contract, feed in contracts
        for table in tables_of(feed, config.get("topic.prefix", ""), tables)
    }
    planned = tuple(PlannedTable(one.table, kinds.get(one.table, one.kind), one.topic) for one in plan.tables)
    return Plan(plan.names, planned, plan.signal)
