"""Every type of Avro as JSON, against what fastavro wrote; and bytes that are no value of their schema."""

from __future__ import annotations

import json
from base64 import b64encode
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.cdc.avro_json import AvroReader
from aura_lake.cdc.avro_schema import UnreadableSchema, read_schema
from aura_lake.cdc.avro_values import CUT_SHORT, ENDS, FITS, SHALLOW, UTF8, Undecodable
from tests.framed import avro


def text_of(schema: Any, body: bytes, *references: Any) -> str:
    """The body as JSON text."""
    read = read_schema(json.dumps(schema), [json.dumps(reference) for reference in references])
    return AvroReader(read)(b"head" + body, 4)


def read(schema: Any, value: Any) -> Any:
    """What became of a value that fastavro wrote."""
    return json.loads(text_of(schema, avro(schema, value)))


def broken(schema: Any, body: bytes) -> str:
    """The rule that a body breaks."""
    with pytest.raises(Undecodable) as found:
        text_of(schema, body)
    return found.value.rule


def record(*fields: tuple[str, Any], name: str = "Thing", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields], **more}


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 4}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("null", None),
        ("boolean", True),
        ("boolean", False),
        ("int", -(2**31)),
        ("int", 2**31 - 1),
        ("long", 2**63 - 1),
        ("long", -(2**63)),
        ("double", 0.1),
        ("double", 1e300),
        ("double", -0.0),
        ("string", 'Zoë \U0001f600 "quoted" \\ \n \x01'),
        ("string", ""),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B"),
        ({"type": "array", "items": "long"}, []),
        ({"type": "array", "items": ["null", "string"]}, ["a", None, "b"]),
        ({"type": "map", "values": {"type": "array", "items": "int"}}, {"a": [1], 'b"': []}),
        ({"type": "map", "values": "int"}, {}),
        (record(), {}),
        (record(("a", "int"), ("b", record(("c", "string"), name="Inner"))), {"a": 1, "b": {"c": "x"}}),
        (["null", "int", "string"], "x"),
        (["null", "int", "string"], None),
        ([record(("a", "int"), name="A"), record(("b", "int"), name="B")], {"b": 1}),
        (["null", *({"type": "fixed", "name": f"F{n}", "size": n + 1} for n in range(80)), "int"], 7),
    ],
)
def test_a_value_comes_back_as_it_was_written(schema: Any, value: Any) -> None:
    assert read(schema, value) == value


def test_a_long_keeps_every_digit() -> None:
    assert text_of("long", avro("long", 9_007_199_254_740_993)) == "9007199254740993"


def test_a_float_has_the_shortest_digits_of_its_32_bits() -> None:
    assert [text_of("float", avro("float", number)) for number in (0.1, 3.0, -2.5, 1e20)] == [
        "0.1",
        "3.0",
        "-2.5",
        "1e+20",
    ]


@pytest.mark.parametrize("kind", ["float", "double"])
def test_what_is_no_number_is_text_as_json_converter_writes_it(kind: str) -> None:
    numbers = [float("nan"), float("inf"), float("-inf")]
    assert [read(kind, number) for number in numbers] == ["NaN", "Infinity", "-Infinity"]


def test_bytes_and_fixed_are_base64() -> None:
    assert read("bytes", b"\x00\xff") == b64encode(b"\x00\xff").decode()
    assert read({"type": "fixed", "name": "F", "size": 3}, b"abc") == b64encode(b"abc").decode()


@pytest.mark.parametrize("number", ["0", "-0.0001", "12.3400", "1234567890123456789012345678901234.5678", "-128"])
def test_a_decimal_is_text_by_its_digits_wherever_it_stands(number: str) -> None:
    value = Decimal(number)
    fixed = {"type": "fixed", "name": "F", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 4}
    schema = record(("a", DECIMAL), ("b", ["null", fixed]), ("c", {"type": "array", "items": DECIMAL}))
    found = json.loads(text_of(schema, avro(schema, {"a": value, "b": value, "c": [value]})))
    assert found == {"a": f"{value:.4f}", "b": f"{value:.4f}", "c": [f"{value:.4f}"]}


def test_a_decimal_may_have_no_scale_or_a_negative_one() -> None:
    without = {"type": "bytes", "logicalType": "decimal", "precision": 4}
    assert text_of(without, avro("bytes", b"\x7b")) == '"123"'
    assert text_of({**without, "scale": -2}, avro("bytes", b"\x85")) == '"-12300"'


def test_connects_decimal_is_told_by_its_name_and_its_parameters() -> None:
    named = {"type": "bytes", "connect.name": "org.apache.kafka.connect.data.Decimal"}
    assert text_of({**named, "connect.parameters": {"scale": "2"}}, avro("bytes", b"\x7b")) == '"1.23"'
    assert text_of(named, avro("bytes", b"{")) == '"ew=="', "without a scale the digits say nothing"


def test_a_decimal_may_have_more_digits_than_a_column() -> None:
    assert text_of(DECIMAL, avro("bytes", (10**40).to_bytes(18, "big"))) == f'"1{"0" * 36}.0000"'


@pytest.mark.parametrize(("raw", "scale"), [(b"\x01" * 2000, 4), (b"{", 16_384), (b"{", -16_384)])
def test_a_decimal_beyond_all_bounds_stays_in_its_parts(raw: bytes, scale: int) -> None:
    found = json.loads(text_of({**DECIMAL, "scale": scale}, avro("bytes", raw)))
    assert found == {"scale": scale, "value": b64encode(raw).decode()}


def test_debeziums_variable_scale_is_written_by_its_digits() -> None:
    schema = record(("scale", "int"), ("value", "bytes"), name="VariableScaleDecimal", namespace="io.debezium.data")
    assert text_of(schema, avro(schema, {"scale": 3, "value": b"\x85"})) == '"-0.123"'
    huge = avro(schema, {"scale": 10**9, "value": b"{"})
    assert json.loads(text_of(schema, huge)) == {"scale": 10**9, "value": "ew=="}


def test_a_uuid_may_be_text_or_sixteen_bytes() -> None:
    one = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
    fixed = {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}
    assert json.loads(text_of(fixed, one.bytes)) == str(one)
    assert read({"type": "string", "logicalType": "uuid"}, str(one)) == str(one)


def test_times_are_the_numbers_they_count() -> None:
    schema = record(
        ("d", {"type": "int", "logicalType": "date"}), ("t", {"type": "long", "logicalType": "time-micros"})
    )
    raw = avro(record(("d", "int"), ("t", "long")), {"d": 20_000, "t": 86_399_999_999})
    assert json.loads(text_of(schema, raw)) == {"d": 20_000, "t": 86_399_999_999}


def test_names_are_found_in_their_namespace_and_among_the_references() -> None:
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "cents", "type": "long"}]}
    pair = record(("one", "Money"), ("two", "shop.Money"), name="Pair", namespace="shop")
    body = avro(pair, {"one": {"cents": 1}, "two": {"cents": 2}}, money)
    assert json.loads(text_of(pair, body, money)) == {"one": {"cents": 1}, "two": {"cents": 2}}


def test_blocks_with_their_size_in_front_are_read() -> None:
    # a negative count, then the bytes of the block; twice
    longs = text_of({"type": "array", "items": "long"}, b"\x03\x04\x02\x04" + b"\x02\x06" + b"\x00")
    assert json.loads(longs) == [1, 2, 3]
    assert json.loads(text_of({"type": "map", "values": "long"}, b"\x01\x06\x02a\x02" + b"\x00")) == {"a": 1}


TREE = record(("name", "string"), ("next", ["null", "Thing"]))


def test_a_recursive_type_is_read_to_a_hundred_levels() -> None:
    value: Any = None
    for number in range(100):
        value = {"name": str(number), "next": value}
    assert read(TREE, value) == value


@pytest.mark.parametrize("levels", [102, 5_000, 1_000_000])
def test_a_recursive_type_that_goes_on_and_on_is_refused_and_ends_no_process(levels: int) -> None:
    assert broken(record(("next", ["null", "Thing"])), b"\x02" * levels + b"\x00") == SHALLOW


def test_a_record_that_contains_itself_without_an_end_is_refused() -> None:
    assert broken(record(("again", "Thing")), b"\x00") == SHALLOW


def test_five_bytes_do_not_make_a_quintillion_of_nothing() -> None:
    nothing = {"type": "array", "items": "null"}
    assert read(nothing, [None, None]) == [None, None]
    assert broken(nothing, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00") == FITS
    assert broken({"type": "array", "items": record()}, b"\x80\x89\x7a\x00") == FITS


@pytest.mark.parametrize(
    ("schema", "body", "rule"),
    [
        ("long", b"", CUT_SHORT),
        ("long", b"\xff\xff", CUT_SHORT),
        ("string", b"\x06ab", CUT_SHORT),
        ("string", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", CUT_SHORT),
        ("bytes", b"\x06ab", CUT_SHORT),
        ("float", b"\x00\x00\x00", CUT_SHORT),
        ("double", b"\x00" * 7, CUT_SHORT),
        ({"type": "fixed", "name": "F", "size": 3}, b"ab", CUT_SHORT),
        ({"type": "array", "items": "long"}, b"\x04\x02", CUT_SHORT),
        ("long", b"\x02\x02", ENDS),
        ("null", b"\x00", ENDS),
        ("string", b"\x01", FITS),
        ("boolean", b"\x02", FITS),
        ("int", b"\xfe\xff\xff\xff\x1f", FITS),
        ("long", b"\xff" * 9 + b"\x7f", FITS),
        ("long", b"\xff" * 20, FITS),
        (["null", "int"], b"\x04", FITS),
        (["null", "int"], b"\x01", FITS),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", FITS),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x01", FITS),
        ("string", b"\x04\xff\xfe", UTF8),
        ({"type": "map", "values": "int"}, b"\x02\x02\xff\x00\x00", UTF8),
    ],
)
def test_bytes_that_are_no_value_break_a_rule_by_name(schema: Any, body: bytes, rule: str) -> None:
    assert broken(schema, body) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        '"Unheard"',
        '{"type": "record", "fields": []}',
        '{"type": "record", "name": "A"}',
        '{"type": "record", "name": "A", "fields": [{"type": "int"}]}',
        '{"type": "fixed", "name": "F"}',
        '{"type": "array"}',
        "[" * 100_000,
        '{"type": "array", "items": ' * 70 + '"int"' + "}" * 70,
        json.dumps(
            [
                {"type": "record", "name": "R0", "fields": []},
                *(
                    {
                        "type": "record",
                        "name": f"R{n}",
                        "fields": [{"name": name, "type": f"R{n - 1}"} for name in ("a", "b")],
                    }
                    for n in range(1, 40)
                ),
            ]
        ),
    ],
    ids=range(12),
)
def test_a_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(UnreadableSchema):
        read_schema(text)


FIELDS = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "string": st.text(),
}
NAMES = [f"f{number}" for number in range(6)]


@st.composite
def schemas_and_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """A record of some fields, some of them optional, in arrays or in maps, and a value of it."""
    fields, value = [], {}
    for name in NAMES[: draw(st.integers(0, 6))]:
        kind = draw(st.sampled_from(sorted(FIELDS)))
        strategy: Any = FIELDS[kind]
        wrapped: Any = kind
        match draw(st.sampled_from(["plain", "optional", "array", "map"])):
            case "optional":
                wrapped, strategy = ["null", kind], st.none() | strategy
            case "array":
                wrapped, strategy = {"type": "array", "items": kind}, st.lists(strategy, max_size=5)
            case "map":
                wrapped, strategy = {"type": "map", "values": kind}, st.dictionaries(st.text(), strategy, max_size=4)
        fields.append((name, wrapped))
        value[name] = draw(strategy)
    return record(*fields), value


@given(schemas_and_values())
@settings(max_examples=150, deadline=None)
def test_any_value_comes_back_as_fastavro_wrote_it(example: tuple[Any, Any]) -> None:
    schema, value = example
    assert read(schema, value) == value


@given(schemas_and_values(), st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise_anything_but_a_broken_rule(example: tuple[Any, Any], noise: bytes) -> None:
    schema, _ = example
    rule = None
    try:
        json.loads(text_of(schema, noise))
    except Undecodable as error:
        rule = error.rule
    assert rule in (None, CUT_SHORT, ENDS, FITS, UTF8)


@given(schemas_and_values(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_body_without_its_last_bytes_is_never_taken_for_another_value(
    example: tuple[Any, Any], data: st.DataObject
) -> None:
    schema, value = example
    body = avro(schema, value)
    if body:
        cut = body[: data.draw(st.integers(0, len(body) - 1))]
        with pytest.raises(Undecodable):
            text_of(schema, cut)
