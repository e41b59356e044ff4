"""A lake held against the servers it was read from: rows against PostgreSQL's, bronze against the broker's offsets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
from kafka import KafkaConsumer, TopicPartition

from aura_lake.contracts.contract import Contract
from aura_lake.delta.watermarks import LANE, LOG, of_feed
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from tests.recorded_values import held, told

#: Differences that are worth reading.
NAMED = 5


def rows_in_postgres(url: str, table: str, columns: Mapping[str, str], key: Sequence[str]) -> dict[Any, dict[str, Any]]:
    """Key -> row of a table, every value brought to what both sides can be compared by."""
    names = ", ".join(f"{name}::text" for name in columns)
    with psycopg.connect(url) as connection:
        found = connection.execute(f"select {names} from {table}".encode()).fetchall()
    rows = [{name: _told(text, kind) for (name, kind), text in zip(columns.items(), row, strict=True)} for row in found]
    return {tuple(row[name] for name in key): row for row in rows}


def rows_in_silver(lake: Lake, table: str, columns: Mapping[str, str], key: Sequence[str]) -> dict[Any, dict[str, Any]]:
    """The same of the lake's current rows, under the source's names of the columns."""
    contract = lake.contract(table)
    silver_name = {column.source: column.silver_name for column in contract.columns}
    assert silver_name.keys() >= columns.keys(), f"{table}: the contract leaves out {columns.keys() - silver_name}"
    rows = [
        {name: _held(row[silver_name[name]], kind) for name, kind in columns.items()}
        for row in lake.table(table).collect().iter_rows(named=True)
    ]
    found = {tuple(row[name] for name in key): row for row in rows}
    assert len(found) == len(rows), f"{table}: {len(rows)} rows of {len(found)} keys"
    return found


def _told(text: str | None, kind: str) -> Hashable:
    return text == "true" if kind == "boolean" and text is not None else told(text, kind)


def _held(value: Any, kind: str) -> Hashable:
    return value if kind == "boolean" else held(value, kind)


def differences(found: Mapping[Any, Mapping[str, Any]], wanted: Mapping[Any, Mapping[str, Any]]) -> list[str]:
    """The first differing rows, as a person reads them: silver's value, and PostgreSQL's."""
    lines = [f"{key}: silver lacks the row" for key in sorted(wanted.keys() - found.keys(), key=repr)]
    lines += [f"{key}: silver has a row that is gone" for key in sorted(found.keys() - wanted.keys(), key=repr)]
    for key in sorted(found.keys() & wanted.keys(), key=repr):
        for name, value in wanted[key].items():
            if found[key][name] != value:
                lines.append(f"{key}: {name} is {_short(found[key][name])} in silver, and {_short(value)}")
    return lines[:NAMED] + ([f"… and {len(lines) - NAMED} more"] if len(lines) > NAMED else [])


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:60]}… ({len(text)} characters)"


def is_through(lake: Lake) -> bool:
    """Whether all that bronze holds is in silver."""
    return all(_is_through(lake, contract) for contract in lake.shop.contracts.values())


def _is_through(lake: Lake, contract: Contract) -> bool:
    log = lake.log(contract)
    if log.watermark(of_feed(contract.feed)) < lake.bronze(contract.feed).watermark(LANE):
        return False
    return not is_folded(contract) or lake.current(contract).watermark(LOG) == log.watermark(LOG)


class Broker:
    """What a broker holds of some topics; remembers to where it has been held against bronze."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._bootstrap, self._topics = bootstrap, topics
        self._read_to: dict[tuple[str, int], int] = {}

    def extents(self) -> dict[tuple[str, int], tuple[int, int]]:
        """(topic, partition) -> offsets `[first, end)`."""
        consumer = self._consumer()
        try:
            parts = [
                TopicPartition(topic, n) for topic in self._topics for n in consumer.partitions_for_topic(topic) or ()
            ]
            first, end = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
        finally:
            consumer.close()
        return {(part.topic, part.partition): (first[part], end[part]) for part in parts}

    def is_landed(self, lake: Lake) -> bool:
        """Whether bronze has read every topic to its end."""
        ends: dict[tuple[str, int], int] = {}
        for feed in lake.shop.feeds:
            rows = lake.bronze(feed).scan().filter(pl.col("row_kind") == "range")
            for topic, partition, end in (
                rows.group_by("topic", "partition").agg(pl.col("next_offset").max()).collect().iter_rows()
            ):
                ends[topic, partition] = end
        return all(ends.get(part, first) == end for part, (first, end) in self.extents().items())

    def unlike_bronze(self, lake: Lake) -> list[str]:
        """Where bronze does not hold each offset of each partition exactly once, with the broker's own bytes."""
        extents = self.extents()
        bronze = pl.concat(
            lake.bronze(feed)
            .scan()
            .filter(pl.col("row_kind") == "record")
            .select("topic", "partition", "offset", "value")
            for feed in lake.shop.feeds
        )
        wrong: list[str] = []
        counted = bronze.group_by("topic", "partition").agg(
            rows=pl.len(), distinct=pl.col("offset").n_unique(), low=pl.col("offset").min(), high=pl.col("offset").max()
        )
        standing = {(row["topic"], row["partition"]): row for row in counted.collect().iter_rows(named=True)}
        for part, (first, end) in extents.items():
            row = standing.get(
                part, {"rows": 0, "distinct": 0, "low": first, "high": end - 1 if end == first else None}
            )
            if (row["rows"], row["distinct"], row["low"], row["high"]) != (end - first, end - first, first, end - 1):
                wrong.append(f"{part}: the broker has [{first}, {end}), bronze {row}")
        wrong += [f"{part}: the broker has no such partition" for part in standing.keys() - extents.keys()]
        return wrong or self._other_bytes(bronze, extents)

    def _other_bytes(self, bronze: pl.LazyFrame, extents: Mapping[tuple[str, int], tuple[int, int]]) -> list[str]:
        """Records since the last look whose bytes differ."""
        fresh = {part: max(first, self._read_to.get(part, 0)) for part, (first, _) in extents.items()}
        is_fresh = pl.any_horizontal(
            (pl.col("topic") == topic) & (pl.col("partition") == number) & (pl.col("offset") >= offset)
            for (topic, number), offset in fresh.items()
        )
        landed = {
            (topic, number, offset): value
            for topic, number, offset, value in bronze.filter(is_fresh).collect().iter_rows()
        }
        wrong = []
        for at, value in self._records(fresh, extents):
            if at not in landed or landed[at] != value:
                wrong.append(f"{at}: bronze has other bytes than the broker")
        self._read_to = {part: end for part, (_, end) in extents.items()}
        return wrong[:NAMED]

    def _records(
        self, fresh: Mapping[tuple[str, int], int], extents: Mapping[tuple[str, int], tuple[int, int]]
    ) -> list[tuple[tuple[str, int, int], bytes | None]]:
        consumer = self._consumer()
        found: list[tuple[tuple[str, int, int], bytes | None]] = []
        try:
            parts = [TopicPartition(*part) for part, offset in fresh.items() if offset < extents[part][1]]
            consumer.assign(parts)
            for part in parts:
                consumer.seek(part, fresh[part.topic, part.partition])
            while any(consumer.position(part) < extents[part.topic, part.partition][1] for part in parts):
                for records in consumer.poll(timeout_ms=500).values():
                    found += [((record.topic, record.partition, record.offset), record.value) for record in records]
        finally:
            consumer.close()
        return found

    def _consumer(self) -> Any:
        return KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None, enable_auto_commit=False)
