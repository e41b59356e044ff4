"""The schemas that records of a feed were read with, kept in the lake: what was decoded once can be decoded
again, also when the registry is gone.

`schemas/<feed>/<id>.json` is written once and never changed. `schemas/<feed>/unknown.json` names the ids that
the registry did not know when their records were judged.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from aura_lake.cdc.wire_schema import WireSchema
from aura_lake.delta.documents import read_document, write_document
from aura_lake.errors import FeedError, LakeError

if TYPE_CHECKING:
    from aura_lake.lake import Lake


class KeptSchemas:
    """The schemas of one feed that stand in the lake. Those read once are remembered: they do not change."""

    def __init__(self, lake: Lake, feed: str) -> None:
        self._lake, self._feed = lake, feed
        self._read: dict[int, WireSchema] = {}

    def __call__(self, ids: Collection[int]) -> Mapping[int, WireSchema | None]:
        """The kept schemas of these ids, None for those that are not."""
        return {id_: self.get(id_) for id_ in ids}

    def get(self, id_: int) -> WireSchema | None:
        """The kept schema of an id. Raises LakeError where its document is damaged."""
        if id_ not in self._read:
            name = self._name(id_)
            document = read_document(self._lake, name)
            if document is None:
                return None
            try:
                self._read[id_] = WireSchema.from_document(document)
            except (KeyError, TypeError) as error:
                raise LakeError(
                    f"{self._lake.settings.uri(name)}: not a schema.",
                    fix="Restore it from a copy, or remove it while the registry still has this schema.",
                ) from error
        return self._read[id_]

    def keep(self, id_: int, schema: WireSchema) -> None:
        """Keep the schema of an id. Raises FeedError where another one is kept under it."""
        kept = self.get(id_)
        if kept is None:
            write_document(self._lake, self._name(id_), {"id": id_, **schema.as_document()})
            self._read[id_] = schema
        elif not same_schema(kept, schema):
            raise FeedError(
                f"Feed {self._feed}: the registry has another schema under id {id_} than the one its records were "
                f"read with ({self._lake.settings.uri(self._name(id_))}).",
                fix="A registry that was set up anew counts from the beginning: give it back its ids (import the old "
                "subjects), or read the topic as a feed with another server name.",
            )

    def unknown(self) -> frozenset[int]:
        """The ids that nobody knew when records with them were judged."""
        document = read_document(self._lake, self._name("unknown")) or {}
        return frozenset(document.get("ids", ()))

    def set_unknown(self, ids: Collection[int]) -> None:
        """Keep which ids nobody knows."""
        if frozenset(ids) != self.unknown():
            write_document(self._lake, self._name("unknown"), {"ids": sorted(ids)})

    def _name(self, document: int | str) -> str:
        return f"schemas/{self._feed}/{document}.json"


def same_schema(one: WireSchema, other: WireSchema) -> bool:
    """Whether two schemas say the same, however they are written out."""
    return _meaning(one) == _meaning(other)


def _meaning(schema: WireSchema) -> tuple[str, Any, dict[str, Any]]:
    return schema.kind, _parsed(schema.text), {each.name: _parsed(each.text) for each in schema.references}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # Protobuf is no JSON
        return text
