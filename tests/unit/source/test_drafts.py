"""Contracts drafted from a catalog load, say what the catalog says, and read what a connector recorded."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.contract import Kind, Shop
from aura_lake.contracts.load import load_shop
from aura_lake.errors import ContractError
from aura_lake.ledger.count import count
from aura_lake.source.draft_text import quoted_yaml
from aura_lake.source.drafts import draft_contracts, silver_names
from aura_lake.source.facts import ColumnFacts, DatabaseFacts, ForeignKey, TableFacts, TableName, plain_type
from aura_lake.source.plan import PlannedTable
from aura_lake.source.wire_types import wire_of
from aura_lake.steps.source_drafts import write_drafts
from tests.databases import a_column, a_database, a_plan, a_table, name
from tests.small_lake import SmallLake

USERS = a_table(
    "users",
    "id bigint",
    a_column("email text", comment='where "letters" go: a@b'),
    "created_at timestamptz",
    "signed_up timestamp(3)",
    uniques=(("email",),),
    comment="People who buy",
)
ORDERS = a_table(
    "orders",
    "id uuid",
    "user_id bigint",
    a_column("status st", base="st", family="e", enum_values=("new", "it's paid", "yes ")),
    "total numeric(12,2)",
    ColumnFacts("Zip Code", "varchar(10)", "varchar"),
    a_column("offset integer"),
    a_column("a.b integer"),
    a_column("twice integer", is_generated=True),
    foreign_keys=(ForeignKey(("user_id",), name("users"), ("id",)),),
    uniques=(("user_id", "status"),),
)
LINES = a_table(
    "order_items",
    "order_id uuid",
    "line_no integer",
    "qty integer",
    key=("order_id", "line_no"),
    foreign_keys=(ForeignKey(("order_id",), name("orders"), ("id",)),),
)
CLICKS = a_table("clicks", "at timestamptz", "local timestamp", "who text", key=(), identity="full")


def shop_of(folder: Path, *tables: TableFacts) -> Shop:
    """The drafted contracts of these tables, loaded."""
    database = a_database(*tables)
    write_drafts(folder, a_plan(database).tables, database, {})
    return load_shop(folder, "local", {})


def test_a_draft_says_what_the_catalog_says(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, USERS, ORDERS, LINES, CLICKS)
    orders, users = shop.contracts["raw_orders"], shop.contracts["raw_users"]

    assert sorted(shop.contracts) == ["clicks", "raw_order_items", "raw_orders", "raw_users"]
    assert (orders.kind, orders.key, orders.decimals) == (Kind.CDC, ("id",), "string")
    assert shop.feeds["orders"].topics == ("aura.public.orders",)
    assert shop.feeds["orders"].brokers == "127.0.0.1:19092"
    types = {column.name: column.logical_type for column in orders.columns}
    assert types == {
        "id": "string",
        "user_id": "string",
        "status": "string",
        "total": "number",
        "zip_code": "string",
        "offset_value": "integer",
    }
    assert orders.column("total").dtype == pl.Decimal(12, 2)
    assert orders.column("status").allowed_values == ("new", "it's paid", "yes ")
    assert orders.column("zip_code").source == "Zip Code"
    assert orders.column("offset_value").source == "offset"
    assert orders.column("id").physical_type == "uuid"
    assert {(rule.kind, rule.columns, rule.references) for rule in orders.table_rules} == {
        ("foreign_key", ("user_id",), "raw_users.id"),
        ("unique", ("user_id", "status"), None),
    }
    assert users.column("email_hash").personal
    assert users.column("email_hash").description == 'where "letters" go: a@b'
    assert users.description == "People who buy"
    assert [rule.columns for rule in users.table_rules] == [("email_hash",)]
    assert users.column("signed_up").physical_type == "timestamp(3)"
    assert shop.contracts["raw_order_items"].key == ("order_id", "line_no")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    shop_of(tmp_path, ORDERS, USERS)
    text = (tmp_path / "raw_orders.odcs.yaml").read_text()

    assert "# a.b: a field with a dot in its name cannot be read; left out." in text
    assert "# twice is generated: it is in a snapshot and never in the stream" in text


def test_a_table_without_a_key_is_drafted_as_events(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, CLICKS)
    clicks = shop.contracts["clicks"]

    assert (clicks.kind, clicks.key, clicks.event_time) == (Kind.EVENTS, (), "at")
    assert clicks.filter == "op in ('c', 'r')"
    assert clicks.column("who").source == "after.who"
    assert clicks.column("local").transform == "replace(after.local, 'Z', '')"


def test_ids_are_text_however_far_they_are_referred_to() -> None:
    parent = a_table("a", "id integer")
    child = a_table("b", "a_key integer", key=("a_key",), foreign_keys=(ForeignKey(("a_key",), name("a"), ("id",)),))
    grandchild = a_table("c", "id bigint", "b integer", foreign_keys=(ForeignKey(("b",), name("b"), ("a_key",)),))
    catalog = {one.table: one for one in (parent, child, grandchild)}
    planned = [PlannedTable(table, "cdc", str(table)) for table in catalog]

    texts = {draft.table: draft.text for draft in draft_contracts("x", planned, catalog, source="here")}
    assert "- name: b\n        logicalType: string" in texts["c"]
    assert "- to: b.a_key" in texts["c"]


def test_two_tables_of_one_name_have_their_schema_in_it() -> None:
    names = silver_names([name("things"), name("sales.things"), name("orders"), name("audit_log")])
    assert names == {
        name("things"): ("public_things", "public_things"),
        name("sales.things"): ("sales_things", "sales_things"),
        name("orders"): ("raw_orders", "orders"),
        name("audit_log"): ("audit_log_rows", "audit_log"),
    }


def test_a_second_table_refers_to_the_contract_that_stands_and_changes_nothing(tmp_path: Path) -> None:
    shop_of(tmp_path, USERS)
    mine = tmp_path / "people.odcs.yaml"
    mine.write_text((tmp_path / "raw_users.odcs.yaml").read_text().replace("- name: raw_users", "- name: people"))
    (tmp_path / "raw_users.odcs.yaml").unlink()
    before = mine.read_text()

    database = a_database(USERS, ORDERS)
    written = write_drafts(tmp_path, a_plan(database).tables, database, {})
    assert [(one.table, one.is_new) for one in written] == [("people", False), ("raw_orders", True)]
    assert mine.read_text() == before
    rules = load_shop(tmp_path, "local", {}).contracts["raw_orders"].table_rules
    assert [rule.references for rule in rules if rule.kind == "foreign_key"] == ["people.id"]
    with pytest.raises(ContractError, match=r"raw_orders\.odcs\.yaml stands already and reads something else"):
        write_drafts(tmp_path, [PlannedTable(ORDERS.table, "cdc", "other.public.orders")], database, {})


def test_the_databases_time_zone_is_the_shops_where_it_is_one(tmp_path: Path) -> None:
    for zone, told in (("Europe/Berlin", "Europe/Berlin"), ("Etc/UTC", "UTC"), ("<+02>-02", "UTC")):
        database = a_database(USERS)
        database = replace(database, server=replace(database.server, time_zone=zone))
        folder = tmp_path / told.replace("/", "_") / str(len(zone))
        write_drafts(folder, a_plan(database).tables, database, {})
        assert load_shop(folder, "local", {}).time_zone == told


@pytest.mark.parametrize(
    "text", ["a\tb", 'quo"te', "back\\slash", "new\nline", "\x7f\x85\u2028", "naïve 😀", " x ", ""]
)
def test_text_of_the_catalog_comes_back_from_yaml_to_the_letter(text: str) -> None:
    import yaml

    assert yaml.safe_load(quoted_yaml(text)) == text


@pytest.mark.parametrize(
    ("column", "logical_type"),
    [
        ("c numeric(38,0)", "number"),
        ("c numeric(39,2)", "string"),
        ("c numeric(2,-3)", "string"),
        ("c numeric(3,5)", "string"),
        ("c numeric", "string"),
        ("c money", "number"),
        ("c bytea", "string"),
        ("c interval", "string"),
        ("c jsonb", "object"),
        ("c hstore", "object"),
        ("c text[]", "array"),
        ("c numeric(5,2)[]", "array"),
        ("c bit(1)", "boolean"),
        ("c bit(9)", "string"),
        ("c timetz", "time"),
        ("c point", "object"),
        ("c tstzrange", "string"),
    ],
)
def test_every_type_arrives_as_something(column: str, logical_type: str) -> None:
    assert wire_of(a_column(column)).logical_type == logical_type
    assert wire_of(a_column(column)).travels


@pytest.mark.parametrize("column", ["c name", "c tsquery", "c pg_lsn", "c int4multirange", "c made_up", "c made_up[]"])
def test_a_type_the_connector_leaves_out_is_not_drafted(column: str) -> None:
    assert not wire_of(a_column(column)).travels


RECORDED = ("customers", "orders", "order_items", "inventory", "carts", "cart_lines", "events", "audit_log", "clicks")


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    folder = shared_data / "debezium_recorded"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDINGS: {folder} is missing; this test proves nothing here")
    return folder / "c_string_isostring"


def catalog_of(recorded: Path) -> DatabaseFacts:
    """The catalog as the dumped rows tell it: names and types; keys are those of the recorded schema."""
    schema = (recorded.parent / "schema.sql").read_text()
    tables = []
    for table in RECORDED:
        with gzip.open(recorded / "final" / f"{table}.jsonl.gz", "rt") as lines:
            told = json.loads(next(lines))["_columns"]
        body = re.search(rf"CREATE TABLE {table} \((.*?)\)(?: PARTITION BY.*?)?;", schema, re.DOTALL)
        assert body is not None
        inline = re.findall(r"(\w+) \w+ PRIMARY KEY", body[1])
        listed = re.search(r"PRIMARY KEY \((.*?)\)", body[1])
        key = tuple(inline or (listed[1].replace(" ", "").split(",") if listed else ()))
        columns = [recorded_column(one["name"], one["type"]) for one in told]
        tables.append(a_table(table, *columns, key=key))
    return a_database(*tables)


def recorded_column(called: str, kind: str) -> ColumnFacts:
    short = plain_type(kind)
    if kind == "order_status":
        return a_column(f"{called} {short}", base=kind, family="e")
    base = {"char": "bpchar"}.get(short.partition("(")[0])
    return a_column(f"{called} {short}", **({"base": base} if base else {}))


def values_of(recorded: Path, table: str) -> list[bytes]:
    """The values of a table's topics (leaves and root) in their order; a tombstone is a `null`."""
    values = []
    with gzip.open(recorded / "records.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            topic = record["topic"].removeprefix("shop.public.")
            if topic == table or (table == "events" and topic.startswith("events_")):
                values.append(b"null" if record["value"] is None else record["value"].encode())
    return values


#: What no column of silver holds: NaN, years before the first and beyond 9999; arrays of decimals are no text.
WAITS = {
    "orders": {
        "due_is_a_date",
        "local_ts_is_a_timestamp",
        "local_us_is_a_timestamp",
        "placed_at_is_a_timestamp",
        "total_is_a_number",
        "weight_is_a_number",
    }
}


@pytest.mark.parametrize("table", RECORDED)
def test_drafts_read_what_a_real_connector_recorded(recorded: Path, tmp_path: Path, table: str) -> None:
    shop = shop_of(tmp_path / "shop", *catalog_of(recorded).tables.values())
    silver, _ = silver_names([TableName("public", one) for one in RECORDED])[TableName("public", table)]
    contract = shop.contracts[silver]
    lake = SmallLake(tmp_path, contract)
    lake.put("1.jsonl.gz", *values_of(recorded, table))
    lake.run()

    assert set(lake.broken_rules()) == WAITS.get(table, set())
    assert count(lake.lake).balanced
    with gzip.open(recorded / "final" / f"{table}.jsonl.gz", "rt") as lines:
        final = [json.loads(line) for line in lines][1:]
    if contract.kind is Kind.EVENTS:
        written = Counter(json.loads(value)["op"] for value in values_of(recorded, table) if value != b"null")
        assert lake.verdicts()["valid"] == written["c"] + written["r"]
        return
    keys = {column.silver_name: column.source for column in contract.columns if column.key_position}
    held = set(lake.lake.table(silver).select(pl.col(list(keys)).cast(pl.String)).collect().iter_rows())
    wait = lake.log().filter(pl.col("verdict") == "quarantined").select(pl.col(list(keys)).cast(pl.String))
    wanted = {tuple(row[source] for source in keys.values()) for row in final}
    assert held <= wanted
    assert wanted - held <= set(wait.iter_rows())
    assert len(held) > 0 or not wanted
