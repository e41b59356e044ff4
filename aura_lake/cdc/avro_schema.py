"""An Avro schema as a tree whose names are resolved. (Avro 1.12 specification, "Schema Declaration", "Names".)

Only what reading needs is kept: defaults and aliases serve readers with a schema of their own, and a
record is always read by the schema it was written with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: A schema is at most so deep, and has at most so many types when each name is written out: what is read by it
#: is bounded by both, also where types of no byte multiply.
MAX_DEPTH, MAX_TYPES = 64, 100_000

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


class UnreadableSchema(ValueError):
    """The text is not an Avro schema. The message says where and why."""


@dataclass(eq=False)
class AvroType:
    """One type, equal to itself alone. `kind` is a primitive's name, or record, enum, fixed, array, map, union.

    `extra` holds what producers say beside the type: logicalType, scale, connect.name, connect.parameters.
    A recursive record contains itself: its own object stands among its descendants.
    """

    kind: str
    name: str = ""  #: full name of a record, enum or fixed
    fields: list[tuple[str, AvroType]] = field(default_factory=list)  #: record
    symbols: Sequence[str] = ()  #: enum
    size: int = 0  #: fixed
    items: AvroType | None = None  #: array and map
    branches: list[AvroType] = field(default_factory=list)  #: union
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_schema(text: str, references: Sequence[str] = ()) -> AvroType:
    """The type that `text` declares; `references` are schemas it may name, each after those it names itself.

    Raises UnreadableSchema."""
    names: dict[str, AvroType] = {}
    try:
        for reference in references:
            _read(json.loads(reference), "", names)
        schema = _read(json.loads(text), "", names)
    except UnreadableSchema:
        raise
    except (ValueError, RecursionError) as error:
        raise UnreadableSchema(f"no JSON, or nested too deeply: {error}") from error
    sizes: dict[AvroType, tuple[int, int]] = {}
    depth, count = _size(schema, sizes)
    if depth > MAX_DEPTH or count > MAX_TYPES:
        raise UnreadableSchema(f"{depth} levels and {count} types; {MAX_DEPTH} and {MAX_TYPES} are read")
    return schema


def _size(type_: AvroType, known: dict[AvroType, tuple[int, int]]) -> tuple[int, int]:
    """Levels and types below and with `type_`; where it stands inside itself it counts as one."""
    if type_ not in known:
        known[type_] = (1, 1)
        inner = [field for _, field in type_.fields] + type_.branches + ([type_.items] if type_.items else [])
        sizes = [_size(each, known) for each in inner]
        known[type_] = (1 + max((d for d, _ in sizes), default=0), 1 + sum(count for _, count in sizes))
    return known[type_]


def _read(schema: Any, namespace: str, names: dict[str, AvroType]) -> AvroType:
    if isinstance(schema, str):
        return _named(schema, namespace, names)
    if isinstance(schema, list):
        return AvroType("union", branches=[_read(branch, namespace, names) for branch in schema])
    if not isinstance(schema, dict):
        raise UnreadableSchema(f"a type is text, a list or an object, and here stands {type(schema).__name__}")
    kind = schema.get("type")
    if kind in ("record", "error", "enum", "fixed"):
        return _definition(schema, namespace, names)
    if kind == "array":
        return AvroType("array", items=_read(schema.get("items"), namespace, names), extra=schema)
    if kind == "map":
        return AvroType("map", items=_read(schema.get("values"), namespace, names), extra=schema)
    if isinstance(kind, str) and kind in PRIMITIVES:
        return AvroType(kind, extra=schema)
    return _read(kind, namespace, names)  # {"type": {…}} says no more than {…}


def _definition(schema: Mapping[str, Any], namespace: str, names: dict[str, AvroType]) -> AvroType:
    name = schema.get("name")
    if not isinstance(name, str) or not name:
        raise UnreadableSchema(f"a type of kind {schema['type']!r} has no name")
    within = schema.get("namespace", namespace) or ""
    full = name if "." in name or not within else f"{within}.{name}"
    inside = full.rpartition(".")[0]
    kind = "record" if schema["type"] == "error" else str(schema["type"])
    known = AvroType(kind, full, extra=schema)
    names[full] = known
    if kind == "enum":
        known.symbols = [str(symbol) for symbol in _list_of(schema, "symbols")]
    elif kind == "fixed":
        size = schema.get("size")
        if not isinstance(size, int) or size < 0:
            raise UnreadableSchema(f"{full}: a fixed type of size {size!r}")
        known.size = size
    else:
        for entry in _list_of(schema, "fields"):
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise UnreadableSchema(f"{full}: a field has no name")
            known.fields.append((entry["name"], _read(entry.get("type"), inside, names)))
    return known


def _named(name: str, namespace: str, names: Mapping[str, AvroType]) -> AvroType:
    if name in PRIMITIVES:
        return AvroType(name)
    # A name without dots belongs to the namespace around it; older writers meant the empty one.
    for candidate in (f"{namespace}.{name}" if namespace and "." not in name else name, name):
        if candidate in names:
            return names[candidate]
    raise UnreadableSchema(f"the type {name!r} is neither declared nor among the references")


def _list_of(schema: Mapping[str, Any], key: str) -> list[Any]:
    found = schema.get(key)
    if not isinstance(found, list):
        raise UnreadableSchema(f"{schema.get('name')}: {key!r} is no list")
    return found
