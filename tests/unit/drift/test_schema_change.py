"""What a schema registry says of two versions."""

from __future__ import annotations

import json

from aura_lake.drift.schema_change import schema_change


def avro(*fields: dict[str, object]) -> str:
    return json.dumps({"type": "record", "name": "click", "fields": list(fields)})


def test_aliases_of_avro_name_what_a_field_was_called() -> None:
    before = avro({"name": "device_os", "type": "string"}, {"name": "at", "type": "long"})
    after = avro({"name": "platform_os", "type": "string", "aliases": ["device_os"]}, {"name": "at", "type": "long"})
    change = schema_change(before, after)
    assert (change.removed, change.added) == (frozenset({"device_os"}), frozenset({"platform_os"}))
    assert change.aliases == {"platform_os": frozenset({"device_os"})}


def test_fields_of_a_nested_record_and_of_an_envelope_have_their_paths() -> None:
    inner = {"type": "record", "name": "ctx", "fields": [{"name": "os", "type": ["null", "string"]}]}
    row = {"type": "record", "name": "row", "fields": [{"name": "ctx", "type": ["null", inner]}]}
    envelope = avro({"name": "before", "type": ["null", row]}, {"name": "after", "type": ["null", "row"]})
    nothing = {"type": "record", "name": "row", "fields": []}
    bare = avro({"name": "before", "type": ["null", nothing]}, {"name": "after", "type": "row"})
    assert schema_change(envelope, avro({"name": "x", "type": "int"})).removed == {"ctx.os"}
    assert schema_change(bare, envelope).added == frozenset()  # a schema without fields says nothing


def test_json_schema_and_unreadable_text() -> None:
    one = json.dumps({"type": "object", "properties": {"a": {"type": "string"}}})
    two = json.dumps({"type": "object", "properties": {"b": {"type": "string"}}})
    assert (schema_change(one, two).removed, schema_change(one, two).added) == ({"a"}, {"b"})
    assert schema_change("{", two).added == frozenset()
