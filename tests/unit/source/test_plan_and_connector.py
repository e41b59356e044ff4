"""From the tables that are meant to SQL and a connector's configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aura_lake.errors import SourceError
from aura_lake.source.connector import Login, captures, connector_config, include_list, written_config
from aura_lake.source.facts import SignalFacts, TableName, topic_of
from aura_lake.source.kept import one_kept, read_kept, write_kept
from aura_lake.source.plan import Names, choose_tables, make_plan, statements, with_names
from aura_lake.source.sentence import read_wish
from aura_lake.source.wished import parts_of, where
from tests.databases import NAMES, SIGNAL, a_database, a_plan, a_publication, a_server, a_table, name

LOGIN = Login("db.example.com", 5432, "shop", "aura", "hunter2")
CATALOG = [
    a_table("orders"),
    a_table("users"),
    a_table("sales.orders"),
    a_table("MixedCase Tbl"),
    a_table("events", partitions=(name("events_1"),), kind="p"),
    a_table("events_1", partition_of=name("events")),
    a_table("recent", kind="v", key=()),
    a_table("debezium_signal"),
]


def chosen(*wanted: str, **given: object) -> list[str]:
    return [str(one.table) for one in choose_tables(CATALOG, wanted, **given)]  # type: ignore[arg-type]


def test_tables_are_found_with_or_without_their_schema_and_in_any_case() -> None:
    assert chosen("users", "sales.orders", "mixedcase tbl") == ["public.MixedCase Tbl", "public.users", "sales.orders"]


def test_all_tables_are_roots_and_neither_views_nor_the_connectors_own() -> None:
    everything = ["public.MixedCase Tbl", "public.events", "public.orders", "public.users", "sales.orders"]
    assert chosen(everything=True) == everything
    assert chosen(everything=True, schemas=["sales"]) == ["sales.orders"]
    assert chosen(everything=True, left_out=["users", "events"]) == everything[:1] + everything[2:3] + everything[4:]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (["order"], "no table 'order' that this user sees. Did you mean 'orders'?"),
        (["orders"], "'orders' is more than one table: public.orders, sales.orders. Write it with its schema."),
        (["events_1"], "public.events_1 is a partition of public.events. Capture public.events"),
        ([], "No table is named."),
    ],
)
def test_a_name_that_means_no_table_or_two_is_refused(wanted: list[str], told: str) -> None:
    with pytest.raises(SourceError) as error:
        chosen(*wanted)
    assert told in str(error.value)


def test_a_schema_without_tables_is_refused() -> None:
    with pytest.raises(SourceError, match="The schema nix has no tables"):
        chosen(everything=True, schemas=["nix"])


def test_everything_is_made_once_and_in_its_order() -> None:
    database = a_database(
        a_table("orders"),
        a_table("MixedCase Tbl"),
        publication=None,
        slot=None,
        signal=SignalFacts(SIGNAL, exists=False),
    )
    told = [statement.sql for statement in statements(a_plan(database), database)]

    assert told == [
        'CREATE TABLE "public"."debezium_signal" (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, '
        "data varchar(2048))",
        'CREATE PUBLICATION "aura_shop" FOR TABLE "public"."MixedCase Tbl", "public"."orders", '
        '"public"."debezium_signal" WITH (publish = \'insert, update, delete, truncate\', '
        "publish_via_partition_root = true)",
        "SELECT pg_create_logical_replication_slot('aura_shop', 'pgoutput')",
    ]


def test_run_again_only_what_is_missing_is_made() -> None:
    database = a_database(a_table("orders"), a_table("users"))
    assert statements(a_plan(database), database) == []

    lacking = replace(database, publication=a_publication("orders", via_root=False, operations=frozenset({"insert"})))
    assert [one.sql for one in statements(a_plan(lacking), lacking)] == [
        'ALTER PUBLICATION "aura_shop" ADD TABLE "public"."users"',
        "ALTER PUBLICATION \"aura_shop\" SET (publish = 'insert, update, delete, truncate', "
        "publish_via_partition_root = true)",
    ]


def test_a_publication_of_all_tables_is_left_as_it_is() -> None:
    database = a_database(a_table("orders"), publication=a_publication(all_tables=True))
    assert statements(a_plan(database), database) == []


def test_without_the_right_to_make_one_there_is_no_signal_table() -> None:
    nobody = a_server(may_create_in=frozenset())
    database = a_database(a_table("orders"), server=nobody, signal=SignalFacts(SIGNAL, exists=False))
    plan = a_plan(database)

    assert plan.signal is None
    assert "signal.data.collection" not in connector_config(plan, LOGIN, 15)
    assert not any("debezium_signal" in one.sql for one in statements(plan, database))


def test_a_table_without_a_key_is_one_of_events_and_so_is_one_that_is_named() -> None:
    database = a_database(a_table("orders"), a_table("clicks", key=()), a_table("logins"))
    plan = make_plan(database, list(database.tables.values()), NAMES, events=["logins"])

    assert {str(one.table): one.kind for one in plan.tables} == {
        "public.orders": "cdc",
        "public.clicks": "events",
        "public.logins": "events",
    }


def test_the_connector_hides_nothing_and_bends_nothing() -> None:
    config = connector_config(a_plan(a_database(a_table("orders"))), LOGIN, 15)

    wanted = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "publication.name": "aura_shop",
        "publication.autocreate.mode": "disabled",
        "slot.name": "aura_shop",
        "slot.drop.on.stop": "false",
        "publish.via.partition.root": "true",
        "skipped.operations": "none",
        "tombstones.on.delete": "true",
        "decimal.handling.mode": "string",
        "time.precision.mode": "isostring",
        "snapshot.mode": "initial",
        "event.converting.failure.handling.mode": "fail",
        "errors.tolerance": "none",
        "errors.log.include.messages": "false",
        "signal.data.collection": "public.debezium_signal",
        "table.include.list": r"public\.orders",
        "topic.creation.default.partitions": "3",
        "value.converter.schemas.enable": "false",
        "heartbeat.interval.ms": "10000",
    }
    assert {key: config.get(key) for key in wanted} == wanted
    assert "pg_logical_emit_message" in config["heartbeat.action.query"]


def test_a_server_without_messages_in_its_log_gets_no_heartbeat_query() -> None:
    config = connector_config(a_plan(a_database(a_table("orders"))), LOGIN, 13)
    assert "heartbeat.action.query" not in config


def test_without_a_snapshot_only_new_changes_are_read() -> None:
    plan = a_plan(a_database(a_table("orders")), snapshot=False)
    assert connector_config(plan, LOGIN, 15)["snapshot.mode"] == "no_data"


def test_avro_takes_the_converter_that_the_worker_has() -> None:
    plan = a_plan(a_database(a_table("orders")), format="avro", registry="http://r:18081/apis/ccompat/v7")

    confluent = connector_config(plan, LOGIN, 15, "io.confluent.connect.avro.AvroConverter")
    assert confluent["value.converter.schema.registry.url"] == "http://r:18081/apis/ccompat/v7"
    apicurio = connector_config(plan, LOGIN, 15, "io.apicurio.registry.utils.converter.AvroConverter")
    assert apicurio["key.converter.apicurio.registry.url"] == "http://r:18081/apis/registry/v2"
    assert apicurio["value.converter.apicurio.registry.as-confluent"] == "true"
    with pytest.raises(SourceError, match="Avro needs a converter"):
        connector_config(plan, LOGIN, 15, None)


def test_a_password_in_clear_stands_in_no_file() -> None:
    config = connector_config(a_plan(a_database(a_table("orders"))), LOGIN, 15)
    assert config["database.password"] == "hunter2"
    assert "hunter2" not in json.dumps(written_config(config, LOGIN))
    assert "hunter2" not in repr(LOGIN)

    reference = replace(LOGIN, password="${file:/etc/pg.properties:password}")
    config = connector_config(a_plan(a_database(a_table("orders"))), reference, 15)
    assert written_config(config, reference)["database.password"] == "${file:/etc/pg.properties:password}"


@pytest.mark.parametrize("table", ["orders", "MixedCase Tbl", "a,b", "sales.o+r(d)er$", "naïve-ü"])
def test_each_table_and_no_other_is_captured(table: str) -> None:
    config = {"table.include.list": include_list([name(table), name("users")])}

    assert captures(config, name(table))
    assert captures(config, name("users"))
    assert not captures(config, name(f"{table}x"))
    assert not captures(config, TableName("other", name(table).name))


def test_lists_of_a_connector_somebody_else_made_are_read_as_debezium_does() -> None:
    assert captures({"schema.include.list": "public"}, name("orders"))
    assert not captures({"schema.include.list": "sales"}, name("orders"))
    assert not captures({"table.exclude.list": r"public\.o.*"}, name("orders"))
    assert captures({}, name("orders"))


def test_topics_have_the_names_debezium_gives_them() -> None:
    assert topic_of("aura", name("MixedCase Tbl")) == "aura.public.MixedCase_Tbl"


@pytest.mark.parametrize(
    "given", [{"slot": "My-Slot"}, {"connector": "a/b"}, {"prefix": "a b"}, {"publication": "x" * 64}]
)
def test_names_that_would_be_refused_are_refused_before(given: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="cannot name a"):
        with_names(Names.after("shop"), **given)


def test_the_environment_that_a_sentence_names_has_an_address_of_its_own() -> None:
    wish = read_wish("stream orders from production")
    environ = {"AURA_POSTGRES_URL": "postgres://a/dev", "AURA_POSTGRES_URL_PRODUCTION": "postgres://b/prod"}

    assert where(wish, None, environ) == ("postgres://b/prod", "AURA_POSTGRES_URL_PRODUCTION")
    assert where(None, None, environ) == ("postgres://a/dev", "AURA_POSTGRES_URL")
    assert where(wish, "postgres://c/x", environ) == ("postgres://c/x", "--url")
    with pytest.raises(SourceError, match="AURA_POSTGRES_URL_PRODUCTION or AURA_POSTGRES_URL"):
        where(wish, None, {})
    assert parts_of(read_wish("stream orders of the shop database at pg.a.b:5433"))["port"] == 5433


def test_a_connector_is_kept_beside_the_contracts_and_found_again(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no connector yet"):
        one_kept(tmp_path, None)
    config = connector_config(a_plan(a_database(a_table("orders"))), LOGIN, 15)
    write_kept(tmp_path, "aura-shop", written_config(config, LOGIN))

    kept = one_kept(tmp_path, None)
    assert kept.names == NAMES
    assert kept.signal == SIGNAL
    assert kept.address == {
        "host": "db.example.com",
        "port": "5432",
        "user": "aura",
        "dbname": "shop",
        "sslmode": "prefer",
    }
    write_kept(tmp_path, "other", config)
    with pytest.raises(SourceError, match="has 2 connectors"):
        one_kept(tmp_path, None)
    (tmp_path / "connectors" / "bad.json").write_text("{}")
    with pytest.raises(SourceError, match=r"bad\.json: not a connector's configuration"):
        read_kept(tmp_path)
