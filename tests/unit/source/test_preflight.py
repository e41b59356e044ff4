"""What is looked at before a database is captured, and what is refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from aura_lake.source.conflicts import look_for_conflicts
from aura_lake.source.connector import Login
from aura_lake.source.facts import ConnectorFacts, SignalFacts, TableFacts
from aura_lake.source.findings import Finding, Level
from aura_lake.source.preflight import look_at_server, look_at_tables
from aura_lake.source.publishing import look_at_publication, look_at_signal
from tests.databases import (
    NAMES,
    SIGNAL,
    a_column,
    a_database,
    a_plan,
    a_publication,
    a_server,
    a_slot,
    a_table,
    name,
)


def odd(findings: Iterable[Finding]) -> dict[tuple[str, str], Finding]:
    """What is not ok, by subject and check; and every finding that is not ok says what to do."""
    found = {(one.subject, one.check): one for one in findings if one.level is not Level.OK}
    assert all(one.fix for one in found.values())
    return found


def of_table(table: TableFacts, kind: str = "cdc") -> dict[str, Finding]:
    return {check: one for (_, check), one in odd(look_at_tables([table], {table.table: kind})).items()}


def test_a_server_where_nothing_is_missing_is_ok() -> None:
    assert odd(look_at_server(a_server(), makes_slot=True)) == {}


@pytest.mark.parametrize(
    ("given", "check", "level", "told"),
    [
        ({"wal_level": "replica"}, "wal_level", "refuse", "ALTER SYSTEM SET wal_level"),
        ({"wal_level": "replica", "flavour": "Aurora"}, "wal_level", "refuse", "cluster's parameter group"),
        ({"is_replica": True}, "primary", "refuse", "the writer"),
        ({"may_replicate": False}, "replication", "refuse", 'ALTER ROLE "aura" REPLICATION'),
        ({"may_replicate": False, "flavour": "RDS"}, "replication", "refuse", "GRANT rds_replication TO aura"),
        ({"slots": 10}, "slots", "refuse", "max_replication_slots"),
        ({"senders": 10}, "senders", "refuse", "max_wal_senders"),
        ({"version": 120000}, "version", "refuse", "Upgrade"),
        ({"version": 130000}, "version", "warn", "Watch the slot's lag"),
        ({"kept_for_slots": None}, "kept_log", "warn", "disk"),
        ({"is_encrypted": False}, "encryption", "warn", "sslmode=require"),
    ],
)
def test_each_thing_a_server_lacks_is_told_with_what_mends_it(
    given: dict[str, Any], check: str, level: str, told: str
) -> None:
    found = odd(look_at_server(a_server(**given), makes_slot=True))
    assert list(found) == [("db.example.com:5432/shop", check)]
    (one,) = found.values()
    assert one.level == level
    assert told in one.fix


def test_room_for_a_slot_matters_only_until_it_is_made() -> None:
    assert odd(look_at_server(a_server(slots=10, senders=10), makes_slot=False)) == {}


def test_this_machines_own_server_needs_no_encryption() -> None:
    assert odd(look_at_server(a_server(is_encrypted=False, host="127.0.0.1"), makes_slot=True)) == {}


def test_a_plain_table_is_ok() -> None:
    assert of_table(a_table("orders", "id bigint", "total numeric(12,2)")) == {}


def test_case_015_a_deferrable_key_is_refused_in_preflight() -> None:
    found = of_table(a_table("orders", key_is_deferrable=True))

    assert found["primary_key"].level is Level.REFUSE
    assert found["primary_key"].subject == "public.orders"
    assert "deferrable" in found["primary_key"].says
    assert 'ALTER TABLE "public"."orders" DROP CONSTRAINT' in found["primary_key"].fix
    # PostgreSQL cannot use it as the replica identity either, and would refuse every update.
    assert found["replica_identity"].level is Level.REFUSE


def test_case_029_a_table_without_a_key_is_refused_by_name_as_cdc_and_runs_as_events() -> None:
    table = a_table("audit_log", "at timestamptz", key=(), identity="full")

    refused = of_table(table)["primary_key"]
    assert refused.level is Level.REFUSE
    assert "public.audit_log has no primary key" in refused.says
    assert "kind: events" in refused.fix
    assert of_table(table, "events")["primary_key"].level is Level.WARN


def test_a_keyless_table_whose_updates_would_be_refused_is_not_published() -> None:
    updated = of_table(a_table("audit_log", key=(), changed_rows=1200), "events")["replica_identity"]
    assert updated.level is Level.REFUSE
    assert "PostgreSQL refuses UPDATE and DELETE on it; 1,200 were counted" in updated.says
    assert updated.fix == 'ALTER TABLE "public"."audit_log" REPLICA IDENTITY FULL;'

    never_updated = of_table(a_table("audit_log", key=()), "events")["replica_identity"]
    assert never_updated.level is Level.WARN


@pytest.mark.parametrize(
    ("given", "check", "told"),
    [
        ({"identity": "nothing"}, "replica_identity", "REPLICA IDENTITY DEFAULT"),
        ({"identity": "index", "identity_columns": ("email",)}, "replica_identity", "REPLICA IDENTITY DEFAULT"),
        ({"persistence": "u"}, "relation", "SET LOGGED"),
        ({"kind": "v"}, "relation", "tables under it"),
        ({"kind": "f"}, "relation", "tables under it"),
        ({"may_read": False}, "select", "GRANT SELECT"),
        ({"hides_rows": True}, "row_security", "BYPASSRLS"),
    ],
)
def test_a_table_that_would_lose_rows_is_refused(given: dict[str, Any], check: str, told: str) -> None:
    found = of_table(a_table("orders", **given))
    assert list(found) == [check]
    assert found[check].level is Level.REFUSE
    assert told in found[check].fix


def test_an_index_that_holds_the_key_is_identity_enough() -> None:
    assert of_table(a_table("orders", identity="index", identity_columns=("tenant", "id"))) == {}
    assert of_table(a_table("orders", identity="full", identity_columns=())) == {}


def test_columns_that_do_not_travel_are_named() -> None:
    table = a_table(
        "orders",
        "id bigint",
        a_column("double integer", is_generated=True),
        a_column("pair pair", family="c"),
        a_column("owner name"),
    )
    told = of_table(table)["columns"]

    assert told.level is Level.WARN
    assert "double is generated" in told.says
    assert "pair is of type pair, which Debezium leaves out" in told.says
    assert "owner is of type name, which is null in the stream" in told.says
    in_key = a_table("orders", a_column("id integer", is_generated=True), key=("id",))
    assert of_table(in_key)["primary_key"].level is Level.REFUSE


def test_two_tables_that_would_be_one_topic_are_refused() -> None:
    found = odd(look_at_tables([a_table("a b"), a_table("a_b")], {}))
    assert found["public.a_b", "topic"].level is Level.REFUSE
    assert "public.a b and it would be one topic, …public.a_b" in found["public.a_b", "topic"].says


def test_inherited_rows_are_told_since_snapshot_and_stream_differ() -> None:
    assert of_table(a_table("orders", children=(name("orders_old"),)))["inheritance"].level is Level.WARN


def test_case_047_leaves_that_would_be_topics_of_their_own_are_refused() -> None:
    events = a_table("events", kind="p", partitions=(name("events_1"), name("events_2")))
    leaves = a_publication("events_1", "events_2", via_root=False)
    database = a_database(events, publication=leaves)
    found = odd(look_at_publication(a_plan(database), database))

    assert list(found) == [("aura_shop", "partition_root")]
    told = found["aura_shop", "partition_root"]
    assert told.level is Level.REFUSE
    assert "public.events" in told.says
    assert told.fix == 'ALTER PUBLICATION "aura_shop" SET (publish_via_partition_root = true);'
    rooted = a_database(events, publication=a_publication("events"))
    assert odd(look_at_publication(a_plan(rooted), rooted)) == {}


def test_a_publication_has_to_tell_of_every_table_and_operation_and_of_whole_rows() -> None:
    publication = a_publication(
        "orders",
        operations=frozenset({"insert", "update", "delete"}),
        filtered=frozenset({name("orders")}),
        narrowed=frozenset({name("orders")}),
    )
    database = a_database(a_table("orders"), a_table("users"), publication=publication)
    found = list(look_at_publication(a_plan(database), database))

    refused = {one.check: one for one in found if one.level is Level.REFUSE}
    assert "public.users" in refused["publication"].says
    assert refused["publication"].fix == 'ALTER PUBLICATION "aura_shop" ADD TABLE "public"."users";'
    assert "truncate" in refused["operations"].says
    assert [one.says.partition(" stands")[0] for one in found if one.check == "whole_rows"] == [
        "a row filter",
        "a column list",
    ]


def test_what_is_about_to_be_mended_is_not_refused_unless_it_may_not_be() -> None:
    lacking = a_publication("orders")
    database = a_database(a_table("orders"), a_table("users"), publication=lacking)
    assert odd(look_at_publication(a_plan(database), database, is_mended=True)) == {}

    of_others = a_database(a_table("orders"), a_table("users", is_owned=False), publication=lacking)
    told = odd(look_at_publication(a_plan(of_others), of_others, is_mended=True))
    assert "does not own public.users" in told["aura_shop", "publication"].says
    foreign = a_database(a_table("orders"), a_table("users"), publication=a_publication("orders", is_owned=False))
    told = odd(look_at_publication(a_plan(foreign), foreign, is_mended=True))
    assert "does not own it" in told["aura_shop", "publication"].says


def test_who_may_not_make_a_publication_is_told_before() -> None:
    database = a_database(a_table("orders"), server=a_server(may_create=False), publication=None)
    told = odd(look_at_publication(a_plan(database), database))
    assert told["aura_shop", "publication"].fix.startswith('GRANT CREATE ON DATABASE "shop" TO "aura"')


@pytest.mark.parametrize(
    ("signal", "creates", "level"),
    [
        (SignalFacts(SIGNAL, exists=True), True, None),
        (SignalFacts(SIGNAL, exists=False), True, None),
        (SignalFacts(SIGNAL, exists=False), False, "warn"),
        (SignalFacts(SIGNAL, exists=True, may_write=False), True, "warn"),
        (SignalFacts(SIGNAL, exists=True, has_shape=False), True, "refuse"),
    ],
)
def test_the_signal_table_is_looked_at(signal: SignalFacts, creates: bool, level: str | None) -> None:
    server = a_server(may_create_in=frozenset({"public"} if creates else ()))
    database = a_database(a_table("orders"), server=server, signal=signal)
    told = odd(look_at_signal(a_plan(database), database))
    assert [one.level.value for one in told.values()] == ([level] if level else [])


def test_connectors_and_slots_of_others_are_not_taken_over() -> None:
    database = a_database(a_table("orders"))
    plan, login = a_plan(database), Login("db", 5432, "shop", "aura")
    ours = {"database.dbname": "shop", "topic.prefix": "aura", "slot.name": NAMES.slot}
    theirs = {"database.dbname": "crm", "topic.prefix": "aura", "slot.name": "other"}

    def refused(slot: Any = None, standing: Any = None, others: Any = None) -> list[str]:
        told = look_for_conflicts(plan, login, slot, standing or ConnectorFacts("aura-shop"), others or {})
        return [f"{one.check}: {one.says}" for one in told if one.level is Level.REFUSE]

    assert refused() == []
    assert refused(a_slot(), ConnectorFacts("aura-shop", config=ours)) == []
    assert refused(a_slot()) == ["slot: somebody reads it, and not this connector."]
    assert refused(a_slot(plugin="wal2json")) == ["slot: one of that name is of shop, with wal2json."]
    assert refused(a_slot(is_active=False, wal_status="lost")) == ["slot: it is lost."]
    assert refused(standing=ConnectorFacts("aura-shop", config=theirs)) == [
        "connector: one of that name reads crm at None."
    ]
    assert refused(others={"x": theirs}) == ["prefix: x writes topics of that prefix from another database."]
    assert refused(others={"x": ours}) == ["slot: x reads it."]
