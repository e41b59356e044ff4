"""A schema as a registry gives it, with everything it refers to beside it.

A record in Confluent's framing begins with a zero byte and the schema's id, four bytes, big-endian; the
rest is the body. (Confluent, "Formats, Serializers, and Deserializers", "Wire format".)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

#: A frame's length; the body begins behind it.
HEADER_BYTES = 5

AVRO, JSON_SCHEMA = "AVRO", "JSON"


@dataclass(frozen=True)
class Reference:
    """Another schema that a schema names: an Avro type by its full name, a JSON Schema by its `$ref`."""

    name: str
    text: str


@dataclass(frozen=True)
class WireSchema:
    """`kind` is the registry's schemaType (AVRO, JSON, PROTOBUF); `references` stand in an order in which
    each comes after those it refers to itself."""

    kind: str
    text: str
    references: tuple[Reference, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """The schema as plain JSON values."""
        references = [{"name": reference.name, "text": reference.text} for reference in self.references]
        return {"kind": self.kind, "text": self.text, "references": references}

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> WireSchema:
        """The schema that `as_document` described. KeyError where it is not one."""
        references = tuple(Reference(entry["name"], entry["text"]) for entry in document["references"])
        return WireSchema(document["kind"], document["text"], references)


#: Schemas by id; None for an id that nobody knows. Raises where nobody can be asked.
SchemasOf = Callable[[Collection[int]], Mapping[int, WireSchema | None]]
