"""Records that JsonConverter wrote with their schema, as Connect's Avro converter would have written them.

The way back from what is decoded: fastavro writes the bytes, and nothing here knows how we read them.
"""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import fastavro

from aura_lake.cdc.wire_schema import AVRO, WireSchema

_PLAIN = {
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "long",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "string": "string",
    "bytes": "bytes",
}
_LOGICAL = {
    "org.apache.kafka.connect.data.Decimal": "decimal",
    "org.apache.kafka.connect.data.Date": "date",
    "org.apache.kafka.connect.data.Timestamp": "timestamp-millis",
}


def as_avro(schema: dict[str, Any]) -> dict[str, Any]:
    """The Avro schema of a Connect schema, with Connect's names beside the types."""
    made = _avro(schema, set(), "Connect")
    assert isinstance(made, dict)
    return made


def _avro(schema: dict[str, Any], declared: set[str], otherwise: str) -> Any:
    kind, name = schema["type"], schema.get("name")
    beside: dict[str, Any] = {}
    if name:
        beside["connect.name"] = name
    if schema.get("parameters"):
        beside["connect.parameters"] = schema["parameters"]
    if name in _LOGICAL:
        beside["logicalType"] = _LOGICAL[name]
        if name.endswith("Decimal"):
            beside |= {"scale": int(schema["parameters"]["scale"]), "precision": 64}
    if kind == "struct":
        full = re.sub(r"[^A-Za-z0-9_.]", "_", name or otherwise)
        if full in declared:
            return full
        declared.add(full)
        fields = [_field(field, declared, f"{full}_{field['field']}") for field in schema["fields"]]
        return {"type": "record", "name": full, "fields": fields, **beside}
    if kind == "array":
        return {"type": "array", "items": _avro_or_null(schema["items"], declared, f"{otherwise}_item"), **beside}
    if kind == "map":
        return {"type": "map", "values": _avro_or_null(schema["values"], declared, f"{otherwise}_value"), **beside}
    return {"type": _PLAIN[kind], **beside} if beside else _PLAIN[kind]


def _avro_or_null(schema: dict[str, Any], declared: set[str], otherwise: str) -> Any:
    made = _avro(schema, declared, otherwise)
    return ["null", made] if schema.get("optional") else made


def _field(field: dict[str, Any], declared: set[str], otherwise: str) -> dict[str, Any]:
    return {"name": field["field"], "type": _avro_or_null(field, declared, otherwise)}


def _value(schema: dict[str, Any], value: Any) -> Any:
    """A payload's value as fastavro takes it."""
    kind = schema["type"]
    if value is None:
        return None
    if kind == "struct":
        return {field["field"]: _value(field, value.get(field["field"])) for field in schema["fields"]}
    if kind == "array":
        return [_value(schema["items"], item) for item in value]
    if kind == "map":
        return {key: _value(schema["values"], item) for key, item in value.items()}
    if kind == "bytes":
        return base64.b64decode(value)
    return float(value) if kind in ("float", "double") else value


def _without_meaning(schema: Any) -> Any:
    """The schema without logical types: fastavro then writes bytes and numbers as they are given."""
    if isinstance(schema, dict):
        return {key: _without_meaning(value) for key, value in schema.items() if key != "logicalType"}
    return [_without_meaning(each) for each in schema] if isinstance(schema, list) else schema


class AvroConverter:
    """Frames records of `{"schema": …, "payload": …}`; `schemas` are those it would have registered, by id."""

    def __init__(self) -> None:
        self.schemas: dict[int, WireSchema] = {}
        self._known: dict[str, tuple[int, Any]] = {}

    def __call__(self, record: dict[str, Any]) -> bytes:
        """The framed twin of a record."""
        text = json.dumps(record["schema"], sort_keys=True)
        if text not in self._known:
            id_, schema = len(self._known) + 1, as_avro(record["schema"])
            self.schemas[id_] = WireSchema(AVRO, json.dumps(schema))
            self._known[text] = id_, fastavro.parse_schema(_without_meaning(schema))
        id_, parsed = self._known[text]
        body = io.BytesIO()
        fastavro.schemaless_writer(body, parsed, _value(record["schema"], record["payload"]))
        return b"\x00" + id_.to_bytes(4, "big") + body.getvalue()
