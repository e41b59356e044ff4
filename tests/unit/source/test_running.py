"""What is looked at while a database is captured: slot, connector and contracts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract, Feed, Format, Kind
from aura_lake.source.agreement import look_at_contracts
from aura_lake.source.connector import Login, connector_config
from aura_lake.source.facts import ConnectorFacts, DatabaseFacts, Lsn
from aura_lake.source.findings import Finding, Level
from aura_lake.source.running import look_at_connector, look_at_slot
from tests.databases import NAMES, a_column, a_connector, a_database, a_plan, a_server, a_slot, a_table, name

ORDERS = a_table("orders", "id bigint", "total numeric(12,2)", "placed_at timestamp(6)")
DATABASE = a_database(ORDERS)
CONFIG = connector_config(a_plan(DATABASE), Login("db.example.com", 5432, "shop", "aura"), 15)
RUNS = a_connector(CONFIG)


def slot_findings(
    database: DatabaseFacts = DATABASE, connector: ConnectorFacts = RUNS, **given: Any
) -> dict[str, Finding]:
    found = look_at_slot(NAMES.slot, database, connector, **given)
    return {one.check: one for one in found if one.level is not Level.OK}


def connector_findings(connector: ConnectorFacts, database: DatabaseFacts = DATABASE) -> dict[str, Finding]:
    tables = sorted(database.tables)
    found = look_at_connector(connector, database, NAMES.slot, NAMES.publication, tables)
    return {one.check: one for one in found if one.level is not Level.OK}


def test_the_connector_that_we_make_and_its_slot_are_ok() -> None:
    assert slot_findings() == {}
    assert connector_findings(RUNS) == {}


def test_case_048_a_lost_slot_is_named_with_the_command_that_resolves_it() -> None:
    gone = slot_findings(replace(DATABASE, slot=None))["slot"]
    assert gone.level is Level.REFUSE
    assert "it is gone: what was written after 0/FA0 cannot be read" in gone.says
    assert gone.fix == "aura source resnapshot --all"

    invalid = a_slot(wal_status="lost", is_active=False, restart_lsn=None)
    lost = slot_findings(replace(DATABASE, slot=invalid))
    assert list(lost) == ["wal_status"]
    assert (lost["wal_status"].level, lost["wal_status"].fix) == (Level.REFUSE, "aura source resnapshot --all")


def test_case_048_a_slot_that_was_made_anew_is_told_by_what_was_never_read() -> None:
    anew = replace(DATABASE, slot=a_slot(confirmed_lsn=Lsn(4000 + 2048)))
    gap = slot_findings(anew)["gap"]

    assert gap.level is Level.REFUSE
    assert "it begins at 0/17A0 and the connector has read to 0/FA0" in gap.says
    assert "2.0 KiB of the log were never read" in gap.says
    assert gap.fix == "aura source resnapshot --all"
    # Where the driver moves the slot too, it may be ahead of the connector's own offset.
    moved = replace(RUNS, config={**CONFIG, "lsn.flush.mode": "connector_and_driver"})
    assert slot_findings(anew, moved) == {}


def test_case_048_a_server_whose_log_ends_before_what_was_read_was_restored() -> None:
    restored = replace(DATABASE, server=a_server(lsn=Lsn(3500)), slot=a_slot(confirmed_lsn=Lsn(3000)))
    told = slot_findings(restored)["log"]
    assert told.level is Level.REFUSE
    assert "ends at 0/DAC and the connector has read to 0/FA0" in told.says


def test_before_the_connector_has_read_anything_a_missing_slot_is_only_to_be_made() -> None:
    told = slot_findings(replace(DATABASE, slot=None), ConnectorFacts("aura-shop"))["slot"]
    assert told.fix == "aura source connect postgres"


@pytest.mark.parametrize(
    ("given", "check", "level"),
    [
        ({"plugin": "wal2json"}, "plugin", "refuse"),
        ({"database": "crm"}, "slot", "refuse"),
        ({"wal_status": "extended"}, "wal_status", "warn"),
        ({"wal_status": "unreserved", "room": 4000}, "wal_status", "refuse"),
        ({"is_active": False}, "active", "refuse"),
    ],
)
def test_each_state_of_a_slot_is_told(given: dict[str, Any], check: str, level: str) -> None:
    found = slot_findings(replace(DATABASE, slot=a_slot(**given)))
    assert {key: one.level.value for key, one in found.items()} == {check: level}


def test_a_slot_is_not_idle_while_rows_that_are_there_already_are_read() -> None:
    idle = replace(DATABASE, slot=a_slot(is_active=False))
    assert slot_findings(idle, replace(RUNS, is_in_snapshot=True))["active"].level is Level.WARN
    assert slot_findings(idle)["active"].fix == "aura source restart --connector aura-shop"


def test_lag_is_told_in_bytes_and_against_the_room_that_is_left() -> None:
    far = replace(DATABASE, server=a_server(lsn=Lsn(3 << 30)))
    assert slot_findings(far)["lag"].says == "3.0 GiB behind (3,221,221,472 bytes)."
    assert slot_findings(far, much_lag=4 << 30) == {}
    near_its_end = replace(DATABASE, server=a_server(lsn=Lsn(10_000)), slot=a_slot(room=8_000))
    assert slot_findings(near_its_end)["lag"].level is Level.WARN


def test_case_018_a_connector_that_hides_truncates_is_refused() -> None:
    silent = {key: value for key, value in CONFIG.items() if key != "skipped.operations"}

    for config in (silent, {**CONFIG, "skipped.operations": "t"}, {**CONFIG, "skipped.operations": "d,t"}):
        told = connector_findings(a_connector(config))["skipped.operations"]
        assert told.level is Level.REFUSE
        assert "hides truncates" in told.says
        assert "skipped.operations=none" in told.fix


@pytest.mark.parametrize(
    ("setting", "value", "level"),
    [
        ("slot.drop.on.stop", "true", "refuse"),
        ("errors.tolerance", "all", "refuse"),
        ("event.processing.failure.handling.mode", "skip", "refuse"),
        ("publication.autocreate.mode", "all_tables", "refuse"),
        ("event.converting.failure.handling.mode", "warn", "warn"),
        ("slot.name", "other", "refuse"),
        ("publication.name", "other", "refuse"),
        ("plugin.name", "decoderbufs", "refuse"),
    ],
)
def test_each_setting_that_would_lose_rows_is_refused(setting: str, value: str, level: str) -> None:
    found = connector_findings(a_connector({**CONFIG, setting: value}))
    assert {key: one.level.value for key, one in found.items()} == {setting: level}


def test_a_transform_that_flattens_changes_is_refused() -> None:
    unwrap = {"transforms": "route, unwrap", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState"}
    told = connector_findings(a_connector({**CONFIG, **unwrap}))["transforms"]
    assert told.says == "unwrap flattens changes and drops truncates."


def test_case_047_partitions_with_topics_of_their_own_are_refused() -> None:
    events = a_table("events", kind="p", partitions=(name("events_1"),))
    database = a_database(events)
    config = connector_config(a_plan(database), Login("h", 1, "shop", "u"), 15)

    assert connector_findings(a_connector(config), database) == {}
    del config["publish.via.partition.root"]
    told = connector_findings(a_connector(config), database)["publish.via.partition.root"]
    assert (told.level, told.says) == (Level.REFUSE, "false: partitions of public.events have topics of their own.")


@pytest.mark.parametrize(
    ("given", "told", "fix"),
    [
        ({"config": {}}, "Kafka Connect has none of that name.", "aura source connect postgres"),
        ({"state": "PAUSED", "task_state": "PAUSED"}, "PAUSED, PAUSED.", "aura source restart --connector aura-shop"),
        ({"task_state": "FAILED", "trouble": "x"}, "FAILED: x", "aura source restart --connector aura-shop"),
        (
            {"task_state": "FAILED", "trouble": "its offset, but this is no longer available on the server."},
            "FAILED: its offset, but this is no longer available on the server.",
            "aura source resnapshot --all",
        ),
    ],
)
def test_a_connector_that_does_not_run_is_refused(given: dict[str, Any], told: str, fix: str) -> None:
    one = connector_findings(replace(RUNS, **given))["connector"]
    assert (one.level, one.says, one.fix) == (Level.REFUSE, told, fix)


def a_contract(*columns: Column, kind: Kind = Kind.CDC, **given: Any) -> Contract:
    read = columns or (Column("id", pl.String(), "string", source="id", key_position=1),)
    return Contract("raw_orders", kind, "orders", read, **{"decimals": "string", **given})


def a_feed(*topics: str, **given: Any) -> Feed:
    return Feed("orders", "kafka://k:9092", given.pop("format", Format.JSON), topics=topics, **given)


def contract_findings(
    contract: Contract, feed: Feed, config: dict[str, str] = CONFIG, database: DatabaseFacts = DATABASE
) -> dict[str, Finding]:
    found = look_at_contracts([(contract, feed)], a_connector(config), database.tables)
    return {one.check: one for one in found if one.level is not Level.OK}


TOTAL = Column("total", pl.Decimal(12, 2), "number", "numeric(12,2)", source="total")
PLACED = Column("placed_at", pl.Datetime("us", "UTC"), "timestamp", "timestamp(6)", source="placed_at")


def test_a_contract_that_reads_what_is_written_is_ok() -> None:
    contract = a_contract(TOTAL, PLACED)
    assert contract_findings(contract, a_feed("aura.public.orders")) == {}
    assert contract_findings(contract, a_feed("^aura\\.public\\..*")) == {}


def test_topics_that_nobody_writes_or_nobody_reads_are_told() -> None:
    found = contract_findings(a_contract(), a_feed("shop.public.orders"))
    assert found["topics"].level is Level.REFUSE
    assert "it reads shop.public.orders; the connector writes aura.<schema>.<table>" in found["topics"].says
    assert (found["contract"].level, found["contract"].says) == (Level.WARN, "no contract reads aura.public.orders.")
    # A pattern takes whole names, as the reader of topics does.
    assert "topics" in contract_findings(a_contract(), a_feed("^aura\\.public"))


@pytest.mark.parametrize(
    ("contract", "config", "check"),
    [
        ({"decimals": "precise"}, {}, "decimals"),
        ({"placeholder": "?"}, {}, "placeholder"),
        ({}, {"unavailable.value.placeholder": "?"}, "placeholder"),
        ({}, {"value.converter": "io.confluent.connect.avro.AvroConverter"}, "format"),
    ],
)
def test_a_contract_that_expects_another_wire_is_refused(
    contract: dict[str, Any], config: dict[str, str], check: str
) -> None:
    found = contract_findings(a_contract(TOTAL, **contract), a_feed("aura.public.orders"), {**CONFIG, **config})
    assert {key: one.level for key, one in found.items()} == {check: Level.REFUSE}


def test_scale_and_unit_have_to_be_the_databases_where_the_wire_does_not_tell_them() -> None:
    counting = {**CONFIG, "decimal.handling.mode": "precise", "time.precision.mode": "adaptive"}
    feed = a_feed("aura.public.orders")
    right = a_contract(TOTAL, PLACED, decimals="precise")
    assert contract_findings(right, feed, counting) == {}

    wrong = a_contract(
        replace(TOTAL, physical_type="numeric(12,4)"), replace(PLACED, physical_type="timestamp(3)"), decimals="precise"
    )
    found = contract_findings(wrong, feed, counting)
    assert (found["scale"].level, found["scale"].fix) == (Level.REFUSE, "Write physicalType: numeric(12,2).")
    assert (found["unit"].level, found["unit"].fix) == (Level.REFUSE, "Write physicalType: timestamp(6).")
    assert "counts microseconds" in found["unit"].says
    written = a_contract(replace(TOTAL, physical_type=None), replace(PLACED, physical_type="timestamp(3)"))
    assert contract_findings(written, feed) == {}


def test_columns_and_values_that_one_side_alone_knows_are_told() -> None:
    statuses = a_column("status st", family="e", enum_values=("new", "paid", "lost"))
    database = a_database(a_table("orders", "id bigint", statuses))
    status = Column("status", pl.String(), "string", source="status", allowed_values=("new", "paid"))
    gone = Column("notes", pl.String(), "string", source="notes")

    found = contract_findings(a_contract(status, gone), a_feed("aura.public.orders"), CONFIG, database)
    assert found["enum"].says == "the database also knows lost: such rows will wait in quarantine."
    assert found["columns"].says == "the table has no notes."
    events = a_contract(replace(status, source="after.status"), kind=Kind.EVENTS)
    assert list(contract_findings(events, a_feed("aura.public.orders"), CONFIG, database)) == ["enum"]
