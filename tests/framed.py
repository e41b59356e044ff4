"""Framed values for tests: made by fastavro, which reads and writes Avro without us, and landed without a broker."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

from aura_lake.cdc.wire_schema import AVRO, JSON_SCHEMA, Reference, WireSchema
from aura_lake.contracts.contract import KAFKA, Contract, Feed, Format, Shop
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.outside.topic_chunk import Headers, Lane, chunk_of
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.topic_batch import commit_chunks
from tests.small_lake import SmallLake

LANE = Lane("things", "id-of-things", 0)


def frame(id_: int, body: bytes) -> bytes:
    """A body behind the id of its schema."""
    return b"\x00" + id_.to_bytes(4, "big") + body


def avro(schema: Any, value: Any, *references: Any) -> bytes:
    """The value as Avro, written by fastavro. Decimals and times are given as what the schema says they mean."""
    names: dict[str, Any] = {}
    for reference in references:
        fastavro.parse_schema(reference, named_schemas=names)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema, named_schemas=names), value)
    return body.getvalue()


def avro_schema(schema: Any, **references: Any) -> WireSchema:
    """An Avro schema as a registry gives it."""
    named = tuple(Reference(name, json.dumps(text)) for name, text in references.items())
    return WireSchema(AVRO, json.dumps(schema), named)


def json_schema(schema: Any, **references: Any) -> WireSchema:
    """A JSON Schema as a registry gives it."""
    named = tuple(Reference(name, json.dumps(text)) for name, text in references.items())
    return WireSchema(JSON_SCHEMA, json.dumps(schema), named)


class Known:
    """Schemas by id, as a registry that always answers; `asked` holds every question."""

    def __init__(self, schemas: Mapping[int, WireSchema]) -> None:
        self.schemas = dict(schemas)
        self.asked: list[list[int]] = []

    def __call__(self, ids: Collection[int]) -> Mapping[int, WireSchema | None]:
        self.asked.append(sorted(ids))
        return {id_: self.schemas.get(id_) for id_ in ids}


class _Message(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = None
    headers: Headers = ()


class FramedLake(SmallLake):
    """A lake whose one feed is a topic with a registry. `send` puts values behind those that stand in bronze, as
    a broker's messages are landed; `run` judges and folds them."""

    def __init__(self, folder: Path, contract: Contract, registry: str, format: Format = Format.AVRO) -> None:
        super().__init__(folder, contract)
        self.feed = Feed(contract.feed, KAFKA + "nobody:9092", format, topics=(LANE.topic,), registry=registry)
        tables, feeds = {contract.table: contract}, {self.feed.name: self.feed}
        self.lake = Lake(self.lake.settings, Shop(id="test", path=folder, contracts=tables, feeds=feeds))
        self._next = 0

    def send(self, *values: bytes | None) -> FramedLake:
        """Land these values, each a message."""
        self.lake.claim(self.lake.hash_key)
        bronze = self.lake.bronze(self.feed.name).create()
        at = int(time.time() * 1000)
        messages = [_Message(self._next + number, value, at) for number, value in enumerate(values)]
        read_to = {LANE: self._next - 1}
        commit_chunks(bronze, [chunk_of(LANE, self._next, self._next + len(values), messages)], read_to)
        self._next = read_to[LANE] + 1
        return self

    def run(self) -> FramedLake:
        """Judge and fold what was sent."""
        self.judged = judge(self.lake, self.contract)
        if is_folded(self.contract):
            self.folded = fold(self.lake, self.contract)
        return self

    def reopened(self) -> FramedLake:
        """The same lake, as another process finds it."""
        again = FramedLake(self.root, self.contract, self.feed.registry or "", self.feed.format)
        again._next = self._next
        return again
