"""A real PostgreSQL: its catalog, its slots, its keys, and the command line on them."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aura_lake.cli.app import main
from aura_lake.contracts.contract import Kind
from aura_lake.contracts.load import load_shop
from aura_lake.errors import SourceError, SourceUnavailable
from aura_lake.outside.postgres import connected, read_address
from aura_lake.outside.postgres_catalog import read_catalog
from aura_lake.outside.postgres_facts import read_database
from aura_lake.outside.postgres_keys import open_keys, read_keys
from aura_lake.outside.postgres_replication import carry_out, drop_slot, read_slot
from aura_lake.services.postgres import Postgres
from aura_lake.source.facts import ConnectorFacts, Lsn, TableName
from aura_lake.source.findings import Level
from aura_lake.source.plan import Names, make_plan, statements
from aura_lake.source.running import look_at_slot
from aura_lake.steps.source_check import look_at_database

pytestmark = pytest.mark.services

SCHEMA = """
create type status as enum ('new', 'paid', 'it''s gone');
create domain email as varchar(80) check (value ~ '@');
create table users (
    id bigint generated always as identity primary key, address email not null unique, joined timestamp(3),
    shouted text generated always as (upper(address::text)) stored);
comment on column users.address is 'where letters go';
create table orders (
    id uuid primary key default gen_random_uuid(), user_id bigint not null references users, state status not null,
    total numeric(12, 2), tags text[], unique (user_id, total));
create table deferred (id int, primary key (id) deferrable);
create table keyless (at timestamptz default now(), who text);
create table events (id bigint, day date, primary key (id, day)) partition by range (day);
create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01');
create view recent as select * from orders;
create unlogged table scratch (id int primary key);
create table "Mixed Case" ("Id" int primary key, "a.b" int, "naïve-ü" text);
"""


@pytest.fixture(scope="module")
def url(live_postgres: Postgres) -> str:
    """A database with tables of every kind that is looked at."""
    live_postgres.create_database("preflight")
    with psycopg.connect(live_postgres.dsn("preflight"), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return live_postgres.dsn("preflight")


def findings(url: str, *tables: str, kinds: str = "cdc") -> dict[tuple[str, str], tuple[str, str]]:
    """What the preflight of these tables finds: (subject, check) -> (level, what it says)."""
    with connected(read_address(url)) as connection:
        facts = read_database(
            connection,
            publication="aura_preflight",
            slot="aura_preflight",
            signal=TableName("public", "debezium_signal"),
        )
    chosen = [facts.tables[TableName("public", table)] for table in tables]
    plan = make_plan(facts, chosen, Names.after("preflight"), events=tables if kinds == "events" else ())
    if kinds == "cdc":
        plan = replace(plan, tables=tuple(replace(one, kind="cdc") for one in plan.tables))
    return {(one.subject, one.check): (one.level.value, one.says) for one in look_at_database(facts, plan)}


def test_the_catalog_is_read_as_it_is(url: str) -> None:
    with connected(read_address(url)) as connection:
        catalog = {table.name: facts for table, facts in read_catalog(connection).items()}

    users, orders = catalog["users"], catalog["orders"]
    assert {c.name: (c.type, c.is_nullable, c.is_generated) for c in users.columns} == {
        "id": ("bigint", False, False),
        "address": ("varchar(80)", False, False),
        "joined": ("timestamp(3)", True, False),
        "shouted": ("text", True, True),
    }
    assert users.column("address").comment == "where letters go"
    assert users.uniques == (("address",),)
    assert orders.column("state").enum_values == ("new", "paid", "it's gone")
    assert (orders.primary_key, orders.identity, orders.identity_columns) == (("id",), "default", ("id",))
    (reference,) = orders.foreign_keys
    assert (reference.columns, str(reference.target), reference.target_columns) == (
        ("user_id",),
        "public.users",
        ("id",),
    )
    assert catalog["deferred"].key_is_deferrable
    assert (catalog["events"].kind, [str(leaf) for leaf in catalog["events"].partitions]) == (
        "p",
        ["public.events_1", "public.events_2"],
    )
    assert catalog["events_1"].partition_of == catalog["events"].table
    assert (catalog["recent"].kind, catalog["scratch"].persistence) == ("v", "u")


def test_what_stands_against_each_table_is_found_in_a_real_catalog(url: str) -> None:
    assert findings(url, "orders")["public.orders", "primary_key"] == ("ok", "(id)")
    assert findings(url, "deferred")["public.deferred", "primary_key"][0] == "refuse"
    level, says = findings(url, "keyless")["public.keyless", "primary_key"]
    assert (level, "public.keyless has no primary key" in says) == ("refuse", True)
    assert findings(url, "keyless", kinds="events")["public.keyless", "primary_key"][0] == "warn"
    assert findings(url, "scratch")["public.scratch", "relation"][0] == "refuse"
    assert findings(url, "recent")["public.recent", "relation"][0] == "refuse"
    assert "shouted is generated" in findings(url, "users")["public.users", "columns"][1]
    assert not {level for level, _ in findings(url, "users", "orders", "events").values()} & {"refuse"}


def test_a_user_without_rights_is_told_which(url: str, live_postgres: Postgres) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create role poor login; grant usage on schema public to poor; grant select on users to poor"
        )
    found = findings(str(url).replace("postgres@", "poor@"), "users", "orders")
    refused = {key: says for key, (level, says) in found.items() if level == "refuse"}

    assert sorted(check for _, check in refused) == ["publication", "replication", "select"]
    assert ("public.orders", "select") in refused
    assert found["public.debezium_signal", "signal_table"][0] == "warn"


def test_publication_and_slot_are_made_once_and_a_lost_slot_is_seen(live_postgres: Postgres) -> None:
    live_postgres.create_database("slots")
    address = read_address(live_postgres.dsn("slots"))
    with (
        psycopg.connect(live_postgres.dsn("slots"), autocommit=True) as admin,
        connected(address, read_only=False) as connection,
    ):
        admin.execute("create table orders (id int primary key); create table events (id int primary key)")
        names, signal = Names.after("slots"), TableName("public", "debezium_signal")

        def look() -> Any:
            return read_database(connection, publication=names.publication, slot=names.slot, signal=signal)

        facts = look()
        plan = make_plan(facts, list(facts.tables.values()), names)
        carry_out(connection, [one.sql for one in statements(plan, facts)])
        facts = look()
        assert statements(plan, facts) == []
        assert facts.slot is not None
        assert (facts.slot.plugin, facts.slot.database, facts.slot.is_active) == ("pgoutput", "slots", False)
        assert facts.publication is not None
        assert facts.publication.operations == {"insert", "update", "delete", "truncate"}
        assert facts.publication.via_root
        assert facts.server.lsn >= (facts.slot.confirmed_lsn or 0)

        read = ConnectorFacts("aura-slots", config={"a": "b"}, read_lsn=facts.slot.confirmed_lsn)
        assert {f.check for f in look_at_slot(names.slot, facts, read) if f.level is not Level.OK} == {"active"}
        admin.execute("insert into orders select generate_series(1, 1000)")
        # case 48: dropped and made again behind the connector's back
        assert drop_slot(connection, names.slot)
        assert not drop_slot(connection, names.slot)
        (gone,) = look_at_slot(names.slot, look(), read)
        assert (gone.check, gone.fix) == ("slot", "aura source resnapshot --all")
        carry_out(connection, [one.sql for one in statements(plan, look())])
        anew = {f.check: f for f in look_at_slot(names.slot, look(), read)}
        assert anew["gap"].level is Level.REFUSE
        drop_slot(connection, names.slot)


def test_a_slot_that_the_server_gave_up_is_lost(live_postgres: Postgres) -> None:
    live_postgres.create_database("given_up")
    with psycopg.connect(live_postgres.dsn("given_up"), autocommit=True) as admin:
        admin.execute("create table filler (x text)")
        admin.execute("select pg_create_logical_replication_slot('given_up', 'pgoutput')")
        admin.execute("alter system set max_slot_wal_keep_size = '1MB'")
        admin.execute("select pg_reload_conf()")
        try:
            for _ in range(3):
                admin.execute("insert into filler select repeat('x', 1000) from generate_series(1, 20000)")
                admin.execute("select pg_switch_wal()")
                admin.execute("checkpoint")
            with connected(read_address(live_postgres.dsn("given_up"))) as connection:
                slot = read_slot(connection, "given_up")
                facts = read_database(connection, publication="p", slot="given_up", signal=None)
            assert slot is not None
            assert slot.wal_status == "lost"
            found = {f.check: f for f in look_at_slot("given_up", facts, ConnectorFacts("c", read_lsn=Lsn(1)))}
            assert (found["wal_status"].level, found["wal_status"].fix) == (
                Level.REFUSE,
                "aura source resnapshot --all",
            )
        finally:
            admin.execute("select pg_drop_replication_slot('given_up')")
            admin.execute("alter system reset max_slot_wal_keep_size")
            admin.execute("select pg_reload_conf()")


@pytest.fixture(scope="module")
def keys_url(live_postgres: Postgres) -> str:
    """A database of keys of many types."""
    live_postgres.create_database("keys")
    with psycopg.connect(live_postgres.dsn("keys"), autocommit=True) as connection:
        connection.execute(
            """
            create table many (id bigint primary key);
            insert into many select generate_series(1, 25000);
            create table odd (
                a text, b char(4), c date, d timestamp, e timestamptz, f bytea, g boolean, h numeric(6, 2),
                primary key (h, a, b, c, d, e, f, g));
            insert into odd values
                (E'a\\tb\\\\n\\nc', 'x', '2026-01-02', '2026-01-02 03:04:05.5', '2026-01-02 03:04:05+02', '\\x00ff',
                 true, 1.5),
                ('', '', 'infinity', 'infinity', '-infinity', '', false, 'NaN');
            create table keyless (a int);
            """
        )
    return live_postgres.dsn("keys")


def test_keys_come_in_frames_of_bounded_size_and_all_of_them(keys_url: str) -> None:
    with open_keys(read_address(keys_url), TableName("public", "many"), batch=10_000) as keys:
        frames = list(keys.frames)

    assert [frame.height for frame in frames] == [10_000, 10_000, 5_000]
    assert {int(value) for frame in frames for value in frame["id"]} == set(range(1, 25_001))
    assert keys.columns == ("id",)


def test_keys_are_written_as_the_connector_writes_them(keys_url: str) -> None:
    frame, _ = read_keys(read_address(keys_url), TableName("public", "odd"))

    assert frame.columns == ["h", "a", "b", "c", "d", "e", "f", "g"]
    assert sorted(frame.iter_rows()) == [
        (
            "1.50",
            "a\tb\\n\nc",
            "x   ",
            "2026-01-02",
            "2026-01-02T03:04:05.500000Z",
            "2026-01-02T01:04:05.000000Z",
            "AP8=",
            "true",
        ),
        ("NaN", "", "    ", "infinity", "infinity", "-infinity", "", "false"),
    ]


def test_a_table_without_rows_or_without_a_key_is_told(keys_url: str) -> None:
    with psycopg.connect(keys_url, autocommit=True) as connection:
        connection.execute("create table none (a int, b int, primary key (b, a))")
    frame, lsn = read_keys(read_address(keys_url), TableName("public", "none"))
    assert (frame.columns, frame.height, lsn > 0) == (["b", "a"], 0, True)
    with pytest.raises(SourceError, match=r"public\.keyless has no primary key"):
        read_keys(read_address(keys_url), TableName("public", "keyless"))
    with pytest.raises(SourceError, match=r"no table public\.nix"):
        read_keys(read_address(keys_url), TableName("public", "nix"))


def test_what_the_keys_say_is_true_of_every_change_at_or_below_their_lsn(keys_url: str) -> None:
    """A row whose transaction is open while the log's end is read must be among the keys, or above their LSN."""
    address, table = read_address(keys_url), TableName("public", "open_rows")
    with psycopg.connect(keys_url, autocommit=True) as admin, psycopg.connect(keys_url) as writer:
        admin.execute("create table open_rows (id int primary key)")
        writer.execute("insert into open_rows values (1)")  # in the log, and not committed
        with pytest.raises(SourceUnavailable, match=r"stays open for over 0 s \(process \d+\)"):
            read_keys(address, table, patience=0.2)

        found: list[Any] = []
        reader = threading.Thread(target=lambda: found.append(read_keys(address, table, patience=30)))
        reader.start()
        reader.join(0.5)
        assert reader.is_alive()  # it waits for the writer
        writer.commit()
        reader.join(20)
        frame, _ = found[0]
        assert frame["id"].to_list() == ["1"]
        # A reader that only looks is not waited for.
        with psycopg.connect(keys_url) as looking:
            looking.execute("select * from open_rows")
            assert read_keys(address, table, patience=5)[0].height == 1


@pytest.fixture
def aura(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """The command line: words in, (code, out, err) back."""
    monkeypatch.setenv("AURA_PROJECT", str(Path(__file__).parents[2]))
    monkeypatch.setenv("AURA_HOME", str(tmp_path / "lake"))
    for name in ("AURA_SHOP", "AURA_ENV", "AURA_POSTGRES_URL", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AURA_CONNECT_URL", "http://127.0.0.1:9")

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = (" ".join(text.replace("│", " ").split()) for text in capsys.readouterr())
        return int(ended.value.code or 0), out, err

    return run


def test_init_drafts_a_shop_from_the_catalog(url: str, aura: Any, tmp_path: Path) -> None:
    code, out, _ = aura("init", str(tmp_path / "shop"), "--from", url, "--format", "json")
    shop = load_shop(tmp_path / "shop", "local", {})

    assert code == 0
    tables = {row["table"]: row["kind"] for row in json.loads(out)}
    assert tables == {
        "deferred": "cdc",
        "events": "cdc",
        "keyless": "events",
        "mixed_case": "cdc",
        "raw_orders": "cdc",
        "raw_users": "cdc",
        "scratch": "cdc",
    }
    assert shop.contracts["raw_orders"].column("state").allowed_values == ("new", "paid", "it's gone")
    assert shop.contracts["raw_users"].column("address_hash").personal
    assert shop.contracts["keyless"].kind is Kind.EVENTS
    assert shop.feeds["mixed_case"].topics == ("aura.public.Mixed_Case",)
    code, _, err = aura("init", str(tmp_path / "shop"), "--from", url)
    assert code == 1
    assert "a shop stands there already" in " ".join(err.split()), "a terminal may be narrow"


def test_check_before_there_is_a_connector_refuses_by_name(
    url: str, aura: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURA_SHOP", str(tmp_path))
    code, out, _ = aura("source", "check", "--url", url, "--tables", "deferred,orders", "--format", "json")
    found = {(row["subject"], row["check"]): row for row in json.loads(out)}

    assert code == 1
    assert found["public.deferred", "primary_key"]["level"] == "refuse"
    assert found["public.orders", "primary_key"]["level"] == "ok"
    code, _, _ = aura("source", "check", "--url", url, "--tables", "orders,users")
    assert code == 0


def test_without_kafka_connect_the_plan_is_written_and_nothing_is_made(url: str, aura: Any, tmp_path: Path) -> None:
    sentence = "Stream every mutation of `orders` and `users` into bronze"
    code, out, err = aura(
        "source", "connect", "postgres", sentence, "--url", url, "--shop", str(tmp_path / "s"), "--yes"
    )

    assert code == 1
    assert "It is written, and nothing is made" in err
    assert "Kafka Connect does not answer" in out
    assert sorted(file.name for file in (tmp_path / "s").rglob("*.*")) == [
        "aura-preflight.json",
        "raw_orders.odcs.yaml",
        "raw_users.odcs.yaml",
        "shop.yaml",
    ]
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from pg_publication").fetchone() == (0,)
        slots = "select count(*) from pg_replication_slots where database = current_database()"
        assert connection.execute(slots).fetchone() == (0,)


def test_what_is_refused_is_neither_written_nor_made(url: str, aura: Any, tmp_path: Path) -> None:
    code, out, err = aura(
        "source", "connect", "postgres", "--url", url, "--tables", "deferred", "--shop", str(tmp_path / "s")
    )
    assert code == 1
    assert "deferrable" in out
    assert "Nothing was written or made" in err
    assert not (tmp_path / "s").exists()


def test_half_a_wish_is_not_carried_out(url: str, aura: Any, tmp_path: Path) -> None:
    code, out, err = aura("source", "connect", "stream orders and mask the emails, if possible", "--url", url)

    assert code == 1
    assert "Not done: mask the emails" in out
    assert "Not understood: if possible" in out
    assert "Half a wish" in err
