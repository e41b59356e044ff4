"""Framed Avro and JSON Schema, and what a registry may do meanwhile (cases 31 to 46 in their framed form)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract, Format, Kind
from aura_lake.contracts.digest import digest_of
from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.watermarks import LOG, of_feed
from aura_lake.errors import FeedError, FeedUnavailable, LakeError
from aura_lake.ledger.count import count
from aura_lake.ledger.inbox import Inbox
from aura_lake.query.reader import Reader
from aura_lake.steps import schemas
from tests.changes import change, column, things
from tests.framed import FramedLake, avro, frame
from tests.registry_server import RegistryServer, registry_server

UTC_MICROS = pl.Datetime("us", "UTC")
ROW = [("id", "string"), ("word", ["null", "string"]), ("size", ["null", "long"])]


def record(name: str, fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields]}


def envelope(row: list[tuple[str, Any]] = ROW) -> dict[str, Any]:
    """The schema of a change of rows with these fields."""
    source = record(
        "Source", [("lsn", ["null", "long"]), ("ts_ms", "long"), ("snapshot", "string"), ("table", "string")]
    )
    return record(
        "Envelope",
        [
            ("before", ["null", record("Row", row)]),
            ("after", ["null", "Row"]),
            ("source", source),
            ("op", "string"),
            ("ts_ms", "long"),
        ],
    )


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server() as server:
        server.add(1, envelope())
        yield server


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that nobody knows are asked for again at once."""
    monkeypatch.setattr(schemas, "ASK_AGAIN_AFTER", (0.0, 0.0, 0.0))


def framed(id_: int, *told: Any, row: list[tuple[str, Any]] = ROW, **more: Any) -> bytes:
    """A change as `tests.changes.change` has it, framed."""
    return frame(id_, avro(envelope(row), change(*told, **more)))


def lake_of(folder: Path, registry: RegistryServer, contract: Contract | None = None, **more: Any) -> FramedLake:
    return FramedLake(folder, contract or things(), registry.url, **more)


def created(value: Any, kind: Any, id_: int) -> bytes:
    """A created row of `id` "1" whose `value` has the Avro type `kind`."""
    after = {"id": "1", "value": value}
    source = {"lsn": 1, "ts_ms": 0, "snapshot": "false", "table": "things"}
    schema = envelope([("id", "string"), ("value", kind)])
    return frame(id_, avro(schema, {"before": None, "after": after, "source": source, "op": "c", "ts_ms": 0}))


def value_of(folder: Path, registry: RegistryServer, value: Any, kind: Any, into: Column, **more: Any) -> FramedLake:
    """A lake of one row with this value."""
    registry.add(7, envelope([("id", "string"), ("value", kind)]))
    contract = things(columns=(column("id", key_position=1), into), **more)
    return lake_of(folder, registry, contract).send(created(value, kind, 7)).run()


def money(scale: int, **more: Any) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": scale, **more}


VARIABLE = {
    **record("VariableScaleDecimal", [("scale", "int"), ("value", "bytes")]),
    "namespace": "io.debezium.data",
    "connect.name": "io.debezium.data.VariableScaleDecimal",
}


def variable(unscaled: int, scale: int) -> dict[str, Any]:
    return {"scale": scale, "value": unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)}


@pytest.mark.parametrize("number", ["12345678901234567890123456789012345678", "-1", "0.0001", "-0.1000"])
def test_case_031_a_decimal_in_avro_is_exact_with_the_schemas_scale(
    tmp_path: Path, registry: RegistryServer, number: str
) -> None:
    value = Decimal(number) if "." in number else Decimal(number).scaleb(-4)
    into = column("value", pl.Decimal(38, 4), "number")
    lake = value_of(tmp_path, registry, value, ["null", money(4)], into)
    assert lake.rows() == [("1", value)]


def test_case_031_a_decimal_in_avro_is_as_exact_in_text_in_a_whole_number_and_in_a_double(
    tmp_path: Path, registry: RegistryServer
) -> None:
    text = value_of(tmp_path / "1", registry, Decimal("-0.0000100"), money(7), column("value", physical_type="numeric"))
    assert text.rows() == [("1", "-0.0000100")]
    whole = value_of(tmp_path / "2", registry, Decimal(12), money(0), column("value", pl.Int64(), "integer"))
    assert whole.rows() == [("1", 12)]
    double = value_of(tmp_path / "3", registry, Decimal("1.5"), money(1), column("value", pl.Float64(), "number"))
    assert double.rows() == [("1", 1.5)]


def test_case_031_a_decimal_in_avro_of_another_size_is_quarantined_and_never_rounded(
    tmp_path: Path, registry: RegistryServer
) -> None:
    into = column("value", pl.Decimal(12, 2), "number")
    lake = value_of(tmp_path, registry, Decimal("1.005"), money(3), into)
    assert lake.broken_rules() == ["value_is_a_number"]


def test_case_031_expressions_and_nested_fields_see_the_digits(tmp_path: Path, registry: RegistryServer) -> None:
    line = record("Line", [("price", money(2)), ("note", record("Note", [("tax", money(3))]))])
    event = record("Event", [("id", "string"), ("at", "long"), ("lines", {"type": "array", "items": line})])
    registry.add(3, event)
    columns = (
        column("id", source="$.id"),
        column("price", pl.Decimal(18, 4), "number"),
        column("tax", pl.Decimal(18, 4), "number", source="note.tax"),
        column("twice", pl.Decimal(18, 4), "number", transform="cast(price as decimal(18,4)) * 2"),
    )
    contract = Contract(
        "sales", Kind.EVENTS, "things", columns, array="lines", filter="cast(price as decimal(18,4)) > 1"
    )
    value = {
        "id": "a",
        "at": 5,
        "lines": [{"price": Decimal(p), "note": {"tax": Decimal("0.125")}} for p in ("0.50", "2.25")],
    }
    lake = lake_of(tmp_path, registry, contract).send(frame(3, avro(event, value))).run()
    assert lake.rows() == [("a", Decimal("2.25"), Decimal("0.125"), Decimal("4.5"))]
    assert lake.verdicts() == {"valid": 1, "ignored": 1}
    assert count(lake.lake).problems() == []


@pytest.mark.parametrize(
    ("unscaled", "scale", "read"),
    [(12345, 2, "123.45"), (-5, 0, "-5"), (7, -3, "7000"), (10**38 - 1, 4, str(Decimal(10**38 - 1) / 10**4))],
)
def test_case_033_a_decimal_of_variable_scale_in_avro_is_exact(
    tmp_path: Path, registry: RegistryServer, unscaled: int, scale: int, read: str
) -> None:
    into = column("value", physical_type="numeric")
    lake = value_of(tmp_path, registry, variable(unscaled, scale), ["null", VARIABLE], into)
    exact = f"{unscaled // 10**scale}.{unscaled % 10**scale:04}" if scale == 4 else read
    assert lake.rows() == [("1", exact)]


@pytest.mark.parametrize(("power", "scale"), [(38, 4), (0, 5), (6000, 0), (0, 2**30), (0, -(2**30))])
def test_case_033_a_variable_scale_in_avro_that_does_not_fit_is_quarantined(
    tmp_path: Path, registry: RegistryServer, power: int, scale: int
) -> None:
    into = column("value", pl.Decimal(38, 4), "number", physical_type="numeric")
    lake = value_of(tmp_path, registry, variable(10**power, scale), VARIABLE, into)
    assert lake.broken_rules() == ["value_is_a_number"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_case_035_a_double_in_avro_that_is_no_number_waits_alone(
    tmp_path: Path, registry: RegistryServer, number: float
) -> None:
    lake = value_of(tmp_path, registry, number, "double", column("value", pl.Float64(), "number"))
    assert lake.broken_rules() == ["value_is_a_number"]


@pytest.mark.parametrize(
    ("kind", "value", "utc"),
    [
        ({"type": "long", "connect.name": "io.debezium.time.Timestamp"}, 1_700_000_000_123, "21:13:20.123000"),
        ({"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}, 1_700_000_000_123_456, "21:13:20.123456"),
        (
            {"type": "long", "connect.name": "io.debezium.time.NanoTimestamp"},
            1_700_000_000_123_456_000,
            "21:13:20.123456",
        ),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, 1_700_000_000_123, "21:13:20.123000"),
        ({"type": "long", "logicalType": "timestamp-micros"}, 1_700_000_000_123_456, "22:13:20.123456"),
        ({"type": "long", "logicalType": "timestamp-millis"}, 1_700_000_000_123, "22:13:20.123000"),
        ("string", "2023-11-14T22:13:20.123456Z", "22:13:20.123456"),
    ],
)
def test_case_036_the_unit_of_a_time_is_the_schemas_and_a_local_one_is_in_the_shops_zone(
    tmp_path: Path, registry: RegistryServer, kind: Any, value: Any, utc: str
) -> None:
    into = column("value", UTC_MICROS, "timestamp", time_zone="Europe/Paris")
    registry.add(7, envelope([("id", "string"), ("value", kind)]))
    plain = "string" if kind == "string" else "long"
    body = created(value, plain, 7)
    lake = lake_of(tmp_path, registry, things(columns=(column("id", key_position=1), into))).send(body).run()
    assert lake.rows() == [("1", datetime.fromisoformat(f"2023-11-14T{utc}+00:00"))]


def test_case_036_days_are_days(tmp_path: Path, registry: RegistryServer) -> None:
    kind = {"type": "int", "connect.name": "io.debezium.time.Date"}
    lake = value_of(tmp_path, registry, 19_675, kind, column("value", pl.Date(), "date"))
    assert lake.rows() == [("1", date(2023, 11, 14))]


def test_case_023_an_unchanged_toast_in_avro_keeps_the_prior_value(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry)
    lake.send(framed(1, "c", 1, "a", "long text", 1)).run()
    lake.send(framed(1, "u", 2, "a", "__debezium_unavailable_value", 2)).run()
    assert lake.rows() == [("a", "long text", 2)]


def test_case_016_a_tombstone_beside_framed_changes_is_skipped(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1), framed(1, "d", 2, "a"), None).run()
    assert lake.rows() == []
    assert lake.reasons() == ["tombstone"]


def test_case_043_schemas_change_in_mid_topic_and_each_change_is_read_by_its_own(
    tmp_path: Path, registry: RegistryServer
) -> None:
    wider = [("id", "string"), ("size", ["null", "int"]), ("colour", ["null", "string"]), ("word", "string")]
    registry.add(2, envelope(wider))
    new = {"id": "b", "size": 5, "colour": "red", "word": "new"}
    body = {**change("c", 3, "b"), "after": new}
    lake = lake_of(tmp_path, registry)
    lake.send(
        framed(1, "c", 1, "a", "old", 1), frame(2, avro(envelope(wider), body)), framed(1, "u", 4, "a", "late", 2)
    ).run()
    assert lake.rows() == [("a", "late", 2), ("b", "new", 5)]
    assert [names for names in lake.log()["_unknown_fields"].to_list() if names] == [["colour"]]


def test_case_045_framed_and_plain_json_in_one_topic_are_both_read(tmp_path: Path, registry: RegistryServer) -> None:
    registry.add(2, {"type": "object", "properties": {"after": {"type": "object"}}}, "JSON")
    as_json = [json.dumps(change("c", n, key, key, n)).encode() for n, key in ((2, "b"), (3, "c"))]
    wrapped = json.dumps({"schema": None, "payload": change("c", 4, "d", "d", 4)}).encode()
    lake = lake_of(tmp_path, registry, format=Format.JSON)
    lake.send(framed(1, "c", 1, "a", "a", 1), frame(2, as_json[0]), as_json[1], wrapped, b"\x00{}").run()
    assert lake.rows() == [(key, key, n) for n, key in enumerate("abcd", start=1)]
    assert lake.broken_rules() == ["record_is_framed_with_a_schema_id"]


def test_case_045_on_a_feed_of_avro_plain_json_has_an_error_of_its_own(
    tmp_path: Path, registry: RegistryServer
) -> None:
    lake = lake_of(tmp_path, registry).send(json.dumps(change("c", 1, "a")).encode(), framed(1, "c", 1, "a")).run()
    assert lake.rows() == [("a", None, None)]
    assert lake.broken_rules() == ["record_is_framed_with_a_schema_id"]


def test_case_046_a_schema_that_a_replica_learns_late_is_asked_for_again(
    tmp_path: Path, registry: RegistryServer
) -> None:
    registry.lag[1] = 3
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1)).run()
    assert lake.rows() == [("a", "x", 1)]
    assert registry.asked["/schemas/ids/1"] == 4


def test_case_046_a_schema_that_nobody_knows_is_waited_for_a_while_and_then_its_records_are_quarantined(
    tmp_path: Path, registry: RegistryServer
) -> None:
    body = avro(envelope(), change("c", 2, "b", "y", 2))
    lake = lake_of(tmp_path, registry)
    lake.send(framed(1, "c", 1, "a", "x", 1), frame(8, body), frame(9, body), frame(2**32 - 1, body)).run()
    assert lake.rows() == [("a", "x", 1)]
    assert lake.broken_rules() == ["record_schema_is_known_to_the_registry"] * 3
    waiting = lake.log().filter(pl.col("verdict") == "quarantined")
    assert waiting["offset"].to_list() == [1, 2, 3]
    asked = {f"/schemas/ids/{id_}": count for id_, count in ((1, 1), (8, 4), (9, 4))}
    assert registry.asked == asked, "and for what is no id nobody is asked"
    lake.send(frame(9, body)).run()
    assert registry.asked == {**asked, "/schemas/ids/9": 5}, "it is not waited for again"
    assert count(lake.lake).problems() == []


def test_case_046_a_rebuild_reads_what_waited_for_its_schema(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1), framed(2, "c", 2, "b", "y", 2)).run()
    assert lake.rows() == [("a", "x", 1)]
    assert lake.rebuild_is_equal(), "nobody knows it yet"
    registry.add(2, envelope())
    lake.send(framed(2, "u", 3, "c", "z", 3)).run()
    assert lake.rows() == [("a", "x", 1), ("c", "z", 3)]
    assert not lake.rebuild_is_equal(), "what waited has entered"
    assert lake.rows() == [("a", "x", 1), ("b", "y", 2), ("c", "z", 3)]
    assert lake.verdicts() == {"valid": 3}
    assert lake.rebuild_is_equal()


def test_case_046_a_registry_that_is_away_stops_judging_and_quarantines_nothing(
    tmp_path: Path, registry: RegistryServer
) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1)).run()
    lake.send(framed(1, "c", 2, "b", "y", 2), framed(2, "c", 3, "c", "z", 3))
    port = registry.port
    registry.stop()
    log = lake.lake.log(lake.contract)
    before = log.watermark(LOG), log.watermark(of_feed("things"))
    with pytest.raises(FeedUnavailable, match=rf"127.0.0.1:{port}: the schema registry did not answer .* start it, or"):
        lake.run()
    log = lake.lake.log(lake.contract)
    assert (log.watermark(LOG), log.watermark(of_feed("things"))) == before
    assert lake.rows() == [("a", "x", 1)]
    with registry_server(port) as back:
        back.add(1, envelope())
        back.add(2, envelope())
        lake.run()
    assert lake.rows() == [("a", "x", 1), ("b", "y", 2), ("c", "z", 3)]
    assert lake.verdicts() == {"valid": 3}


def test_case_046_with_the_registry_gone_known_schemas_go_on_and_a_rebuild_is_equal(
    tmp_path: Path, registry: RegistryServer
) -> None:
    money_schema = record("Money", [("cents", "long")])
    registry.add_subject("money", 1, money_schema)
    row = [("id", "string"), ("word", "string"), ("size", "Money")]
    registry.add(2, envelope(row), None, ("Money", "money", 1))
    value = {**change("c", 2, "b", "y"), "after": {"id": "b", "word": "y", "size": {"cents": 5}}}
    priced = frame(2, avro(envelope(row), value, money_schema))
    columns = (column("id", key_position=1), column("word"), column("size", pl.Int64(), "integer", source="size.cents"))
    lake = lake_of(tmp_path, registry, things(columns=columns))
    flat = avro(envelope(), change("c", 1, "a", "x"))
    lake.send(frame(1, flat), priced, frame(3, flat), b"junk").run()
    registry.stop()
    standing, verdicts = lake.rows(), lake.verdicts()
    assert standing == [("a", "x", None), ("b", "y", 5)]
    again = lake.reopened()
    assert again.rebuild_is_equal(), "with an id among them that nobody knew"
    assert (again.rows(), again.verdicts()) == (standing, verdicts)
    again.send(frame(1, avro(envelope(), change("u", 4, "a", "later")))).run()
    assert again.rows() == [("a", "later", None), ("b", "y", 5)]


def test_case_046_another_schema_under_a_known_id_is_refused(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1)).run()
    other = [("id", "string"), ("size", ["null", "long"]), ("word", ["null", "string"])]
    registry.add(1, envelope(other))
    again = lake.reopened().send(framed(1, "c", 2, "b", "y", 2, row=other))
    with pytest.raises(
        FeedError, match=r"Feed things: the registry has another schema under id 1 .*schemas/things/1.json"
    ):
        again.run()
    assert again.rows() == [("a", "x", 1)]


def test_case_046_a_schema_that_the_registry_forgot_is_read_from_the_lake(
    tmp_path: Path, registry: RegistryServer
) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1)).run()
    registry.schemas.clear()
    again = lake.reopened().send(framed(1, "c", 2, "b", "y", 2)).run()
    assert again.rows() == [("a", "x", 1), ("b", "y", 2)]


def test_case_046_a_schema_written_out_differently_is_the_same(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1)).run()
    registry.schemas[1]["schema"] = json.dumps(envelope(), indent=4, sort_keys=True)
    lake.reopened().send(framed(1, "c", 2, "b", "y", 2)).run()
    assert lake.rows() == [("a", "x", 1), ("b", "y", 2)]


def test_case_046_a_damaged_schema_in_the_lake_is_named(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1)).run()
    kept = read_document(lake.lake, "schemas/things/1.json")
    assert kept is not None
    assert json.loads(kept["text"]) == envelope()
    write_document(lake.lake, "schemas/things/1.json", {"id": 1})
    with pytest.raises(LakeError, match=r"schemas/things/1.json: not a schema. Restore it"):
        lake.reopened().send(framed(1, "c", 2, "b")).run()


def test_case_046_framed_values_on_a_feed_without_a_registry_keep_their_own_error(
    tmp_path: Path, registry: RegistryServer
) -> None:
    lake = lake_of(tmp_path, registry, format=Format.JSON)
    plain = replace(lake.feed, registry=None)
    lake.lake.shop.feeds["things"] = plain
    lake.send(framed(1, "c", 1, "a", "x", 1)).run()
    assert lake.broken_rules() == ["record_is_json_and_not_framed_avro"]
    assert not registry.asked


def test_personal_values_of_framed_records_stand_hashed_alone(tmp_path: Path, registry: RegistryServer) -> None:
    columns = (column("id", key_position=1), column("word", personal=True))
    lake = lake_of(tmp_path, registry, things(columns=columns)).send(framed(1, "c", 1, "a", "secret words", 1)).run()
    ((key, hashed),) = lake.rows()
    assert key == "a"
    assert len(hashed.partition(":")[2]) == 64
    assert "secret" not in str(lake.log().to_dicts())


def test_times_of_the_commit_come_from_avro_too(tmp_path: Path, registry: RegistryServer) -> None:
    lake = lake_of(tmp_path, registry).send(framed(1, "c", 1, "a", "x", 1, at=60), framed(1, "d", 2, "a", at=90)).run()
    assert lake.history() == [("a", "x", 1, 60, 90)]
    assert lake.log()["_committed_at"].to_list()[0] == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def test_a_framed_record_that_waits_is_shown_in_base64_and_any_other_as_text(
    tmp_path: Path, registry: RegistryServer
) -> None:
    cut = framed(1, "c", 1, "a", "x", 1)[:-1]
    lake = lake_of(tmp_path, registry).send(cut, b'{"id": 1}').run()
    rows = Inbox(Reader(lake.lake.settings, digest_of(lake.lake.shop))).rows("things", raw=True)
    assert [row.place for row in rows] == ["things[0]@0", "things[0]@1"]
    assert [row.raw_text for row in rows] == [f"base64 {b64encode(cut).decode()}", '{"id": 1}']
