"""Framed values taken out of their frames, each by the schema it was written with."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from aura_lake.cdc.avro_values import CUT_SHORT, ENDS, FITS
from aura_lake.cdc.framed import IS_FRAMED, KNOWN_SCHEMA, READABLE_SCHEMA, Unframed, unframe
from aura_lake.cdc.semantics import Semantic, from_schema
from aura_lake.cdc.wire_schema import WireSchema
from aura_lake.errors import FeedUnavailable
from tests.framed import Known, avro, avro_schema, frame, json_schema


def thing(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Thing", "fields": [{"name": n, "type": t} for n, t in fields]}


FIRST = thing(("id", "string"))
SECOND = thing(("id", "string"), ("size", ["null", "long"]))


def unframed(known: Known, *values: bytes | None, all_framed: bool = True) -> Unframed:
    records = pl.DataFrame({"row": range(len(values)), "value": values}, {"row": pl.Int64, "value": pl.Binary})
    return unframe(records, known, all_framed=all_framed)


def values(of: Unframed) -> list[tuple[int, Any]]:
    return [
        (row, None if value is None else json.loads(value)) for row, value in of.records["row", "value"].iter_rows()
    ]


def test_schemas_may_change_within_a_batch_and_each_is_asked_for_once() -> None:
    known = Known({1: avro_schema(FIRST), 2: avro_schema(SECOND)})
    one, two = frame(1, avro(FIRST, {"id": "a"})), frame(2, avro(SECOND, {"id": "b", "size": 5}))
    result = unframed(known, one, two, one)
    assert values(result) == [(0, {"id": "a"}), (1, {"id": "b", "size": 5}), (2, {"id": "a"})]
    assert known.asked == [[1, 2]]
    assert result.records["schema_id"].to_list() == [1, 2, 1]
    assert not result.broken


def test_what_the_fields_mean_is_told_by_their_schema() -> None:
    schema = thing(
        ("amount", ["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}]),
        ("at", {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}),
        ("seen", {"type": "long", "logicalType": "timestamp-millis"}),
        ("noted", {"type": "long", "logicalType": "local-timestamp-micros"}),
        ("day", {"type": "int", "connect.name": "org.apache.kafka.connect.data.Date", "logicalType": "date"}),
        (
            "inner",
            {
                "type": "record",
                "name": "Inner",
                "fields": [{"name": "day", "type": {"type": "int", "logicalType": "date"}}],
            },
        ),
        (
            "lines",
            {
                "type": "array",
                "items": thing(("at", {"type": "long", "logicalType": "timestamp-nanos"})) | {"name": "Line"},
            },
        ),
    )
    body = avro(thing(), {})
    meaning = unframed(Known({3: avro_schema(schema)}), frame(3, body)).meanings[3]
    assert from_schema(meaning) == {
        "amount": Semantic(encoding="string"),
        "at": Semantic(unit="micros"),
        "seen": Semantic(unit="millis", is_instant=True),
        "noted": Semantic(unit="micros"),
        "day": Semantic(unit="days"),
        "inner.day": Semantic(unit="days"),
    }
    assert from_schema(meaning, ["lines"]) == {"at": Semantic(unit="nanos", is_instant=True)}


def test_a_schema_finds_the_types_it_refers_to() -> None:
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "cents", "type": "long"}]}
    order = {"type": "record", "name": "shop.Order", "fields": [{"name": "total", "type": "Money"}]}
    known = Known({1: avro_schema(order, **{"shop.Money": money})})
    assert values(unframed(known, frame(1, avro(order, {"total": {"cents": 12}}, money)))) == [
        (0, {"total": {"cents": 12}})
    ]


def test_the_body_of_a_json_schema_is_taken_as_it_is() -> None:
    result = unframed(Known({1: json_schema({"type": "object"})}), frame(1, b'{"id": 1.10}'))
    assert result.records["value"].to_list() == [b'{"id": 1.10}']


def test_a_json_schema_says_what_its_fields_mean() -> None:
    amount = {
        "oneOf": [
            {"type": "null"},
            {
                "type": "number",
                "title": "org.apache.kafka.connect.data.Decimal",
                "connect.type": "bytes",
                "connect.parameters": {"scale": "2"},
            },
        ]
    }
    row = {"type": "object", "properties": {"amount": amount, "at": {"$ref": "times.json#/definitions/micros"}}}
    schema = {
        "type": "object",
        "definitions": {"Row": row},
        "properties": {"after": {"oneOf": [{"type": "null"}, {"$ref": "#/definitions/Row"}]}, "self": {"$ref": "#"}},
    }
    times = {"definitions": {"micros": {"type": "integer", "title": "io.debezium.time.MicroTimestamp"}}}
    known = Known({1: json_schema(schema, **{"times.json": times})})
    meaning = unframed(known, frame(1, b"{}")).meanings[1]
    assert from_schema(meaning, ["after"]) == {
        "amount": Semantic(encoding="base64", scale=2),
        "at": Semantic(unit="micros"),
    }


def test_a_json_schema_that_branches_into_itself_is_described() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "on": {"$ref": "nowhere"}}}
    result = unframed(Known({1: json_schema(tree), 2: WireSchema("JSON", "true")}), frame(1, b"{}"), frame(2, b"{}"))
    assert values(result) == [(0, {}), (1, {})]
    assert from_schema(result.meanings[1]) == {}


def test_each_broken_record_has_a_rule_and_the_others_stand() -> None:
    known = Known({1: avro_schema(SECOND), 2: WireSchema("PROTOBUF", "message A {}"), 3: WireSchema("AVRO", "{")})
    good = avro(SECOND, {"id": "a", "size": 5})
    result = unframed(
        known,
        frame(1, good),
        frame(1, good[:-1]),
        frame(1, good + b"\x00"),
        frame(1, b"\x02a\x08"),
        frame(9, good),
        frame(2, good),
        frame(3, good),
        b'{"id": "plain"}',
        b"\x00\x00\x00",
        b"",
        frame(1, good),
    )
    assert values(result) == [(0, {"id": "a", "size": 5}), (10, {"id": "a", "size": 5})]
    assert result.broken == {
        1: CUT_SHORT,
        2: ENDS,
        3: FITS,
        4: KNOWN_SCHEMA,
        5: READABLE_SCHEMA,
        6: READABLE_SCHEMA,
        7: IS_FRAMED,
        8: IS_FRAMED,
        9: IS_FRAMED,
    }


def test_plain_json_stands_beside_framed_values_where_the_feed_allows_it() -> None:
    known = Known({1: avro_schema(FIRST)})
    result = unframed(known, b'{"id": "plain"}', frame(1, avro(FIRST, {"id": "a"})), b"\x00\x01", all_framed=False)
    assert values(result) == [(0, {"id": "plain"}), (1, {"id": "a"})]
    assert result.records["schema_id"].to_list() == [None, 1]
    assert result.broken == {2: IS_FRAMED}


def test_a_value_over_the_cap_is_left_to_its_own_rule() -> None:
    known = Known({})
    assert values(unframed(known, None)) == [(0, None)]
    assert known.asked == []


def test_an_id_is_read_as_four_bytes_without_a_sign() -> None:
    known = Known({2**32 - 1: avro_schema(FIRST)})
    assert values(unframed(known, frame(2**32 - 1, avro(FIRST, {"id": "a"})))) == [(0, {"id": "a"})]


def test_where_nobody_can_be_asked_nothing_is_decided() -> None:
    def away(_: Any) -> Any:
        raise FeedUnavailable("nobody answers")

    records = pl.DataFrame({"row": [0], "value": [frame(1, b"")]}, {"row": pl.Int64, "value": pl.Binary})
    with pytest.raises(FeedUnavailable, match="nobody answers"):
        unframe(records, away, all_framed=True)
