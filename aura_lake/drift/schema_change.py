"""What a schema registry says of a change: the difference of two versions of a record's schema.

Avro names what a field was called before in its `aliases` (Avro specification, "Aliases"); JSON Schema does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SchemaChange:
    """Fields that one version has and the other lacks, and what the new ones say they were called."""

    removed: frozenset[str]
    added: frozenset[str]
    aliases: Mapping[str, frozenset[str]]


def schema_change(before: str, after: str) -> SchemaChange:
    """The difference of two schemas, Avro or JSON Schema, as text; nothing where one cannot be read."""
    old, new = dict(_fields(_loaded(before), "")), dict(_fields(_loaded(after), ""))
    aliases = {path: frozenset(names) for path, names in new.items() if names and path not in old}
    if not old or not new:
        return SchemaChange(frozenset(), frozenset(), {})
    return SchemaChange(frozenset(old.keys() - new.keys()), frozenset(new.keys() - old.keys()), aliases)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _fields(schema: Any, prefix: str) -> Iterator[tuple[str, list[str]]]:
    """The paths of a schema's leaves with their aliases, as full paths; of an envelope those of its row."""
    if isinstance(schema, list):  # a union: null and something
        for branch in schema:
            yield from _fields(branch, prefix)
        return
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("type"), (dict, list)) and "fields" not in schema:
        yield from _fields(schema["type"], prefix)
        return
    members = _members(schema)
    if not prefix and {"before", "after"} <= members.keys():
        # the type of `before` is often only named in `after`
        for image in ("before", "after"):
            inner = list(_fields(members[image][0], ""))
            if inner:
                yield from inner
                return
        return
    for name, (inner_schema, names) in members.items():
        path = f"{prefix}{name}"
        inner = list(_fields(inner_schema, f"{path}."))
        yield from inner or [(path, [f"{prefix}{alias}" for alias in names])]


def _members(schema: Mapping[str, Any]) -> dict[str, tuple[Any, list[str]]]:
    fields = schema.get("fields")
    if isinstance(fields, list):
        return {str(f["name"]): (f.get("type"), list(f.get("aliases", ()))) for f in fields if isinstance(f, dict)}
    properties = schema.get("properties")
    return {str(n): (inner, []) for n, inner in properties.items()} if isinstance(properties, dict) else {}
