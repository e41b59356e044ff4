"""What a schema says of its fields' meaning, as the Connect schema that JsonConverter would have put beside
the value: one description, from which `semantics` takes units and scales, whatever the wire format.

Confluent's Avro converter writes Connect's names and parameters as `connect.name` and `connect.parameters`;
its JSON Schema converter writes the name as `title`. Avro's own logical types keep their names here: they
mean the same as Connect's but for times, which in Avro are instants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aura_lake.cdc.avro_json import decimal_scale, is_variable_decimal
from aura_lake.cdc.avro_schema import MAX_DEPTH, MAX_TYPES, AvroType
from aura_lake.cdc.wire_schema import WireSchema


def of_avro(schema: AvroType) -> str:
    """The Connect schema, as JSON, of values of an Avro type; a type inside itself is described once."""
    return json.dumps(_avro(schema, ()))


def _avro(type_: AvroType, around: tuple[AvroType, ...]) -> dict[str, Any]:
    if type_ in around:
        return {}
    inside = (*around, type_)
    if type_.kind == "union":
        branches = [branch for branch in type_.branches if branch.kind != "null"]
        return _avro(branches[0], inside) if len(branches) == 1 else {}
    if decimal_scale(type_) is not None or is_variable_decimal(type_):
        return {"type": "string", "name": "decimal"}
    described: dict[str, Any] = {"type": type_.kind}
    name = type_.extra.get("connect.name") or type_.extra.get("logicalType")
    if isinstance(name, str):
        described["name"] = name
    if type_.kind == "record":
        described |= {"type": "struct", "fields": [{**_avro(f, inside), "field": n} for n, f in type_.fields]}
    elif type_.kind == "array" and type_.items is not None:
        described["items"] = _avro(type_.items, inside)
    return described


def of_json_schema(schema: WireSchema) -> str | None:
    """The Connect schema, as JSON, that a JSON Schema stands for; None where it is no JSON object."""
    try:
        whole = json.loads(schema.text)
        others = {reference.name: json.loads(reference.text) for reference in schema.references}
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict):
        return None
    return json.dumps(_JsonSchema(whole, others).described(whole, whole, ()))


class _JsonSchema:
    """One JSON Schema with those it refers to."""

    def __init__(self, whole: dict[str, Any], others: Mapping[str, Any]) -> None:
        self._whole, self._others = whole, others
        self._left = MAX_TYPES

    def described(self, node: Any, root: Any, around: tuple[int, ...]) -> dict[str, Any]:
        """The Connect schema of `node`, whose local references are of `root`. Inside itself it says nothing."""
        node, root = self._followed(node, root)
        self._left -= 1
        if not isinstance(node, dict) or id(node) in around or len(around) > MAX_DEPTH or self._left < 0:
            return {}
        inside = (*around, id(node))
        for choice in ("oneOf", "anyOf"):
            if isinstance(node.get(choice), list):
                real = [branch for branch in node[choice] if branch != {"type": "null"}]
                return self.described(real[0], root, inside) if len(real) == 1 else {}
        described: dict[str, Any] = {}
        name = node.get("connect.name", node.get("title"))
        if isinstance(name, str):
            described["name"] = name
        if isinstance(node.get("connect.parameters"), dict):
            described["parameters"] = node["connect.parameters"]
        if isinstance(node.get("properties"), dict):
            inner = node["properties"].items()
            described["fields"] = [{**self.described(value, root, inside), "field": key} for key, value in inner]
        if isinstance(node.get("items"), dict):
            described["items"] = self.described(node["items"], root, inside)
        return described

    def _followed(self, node: Any, root: Any) -> tuple[Any, Any]:
        """What a `$ref` leads to, and the document it is in."""
        for _ in range(MAX_DEPTH):
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
                return node, root
            name, _, place = node["$ref"].partition("#")
            root = self._others.get(name) if name else root
            node = root
            for step in place.split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                node = node.get(step) if isinstance(node, dict) else None
        return None, root
