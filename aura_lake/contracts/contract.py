"""What a contract says, as plain values.

A contract is one ODCS 3 file; `aura_lake.contracts.load` reads it into these. Nothing
here reads files, knows a wire format or touches a table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import polars as pl

#: How the location of a feed of topics begins.
KAFKA = "kafka://"

#: A later change whose LSN is lower by more bytes shows that the source's log began anew. Within one life of a log
#: only a transaction that was open over so much of it does that.
LSN_FENCE = 1 << 30


class Kind(StrEnum):
    """What a record of the table means."""

    CDC = "cdc"  #: a Debezium change envelope; the change with the highest LSN stands
    EVENTS = "events"  #: each record happened once
    ROWS = "rows"  #: the last record of a key stands


class Severity(StrEnum):
    """What a broken rule does."""

    WARN = "warn"  #: counted, the row passes
    QUARANTINE = "quarantine"  #: the row is diverted
    BLOCK = "block"  #: the row is diverted and publication of the table stops


class Format(StrEnum):
    """How the bytes of an object are cut into records."""

    JSONL = "jsonl"  #: one JSON value a line
    JSON = "json"  #: JSON values one after the other, with or without white space (Firehose)
    CSV = "csv"  #: RFC 4180 with a header line
    AVRO = "avro"  #: topics only: Avro behind Confluent's five bytes, the schema in a registry


@dataclass(frozen=True)
class Feed:
    """One stream of records from outside: the objects under one folder or S3 prefix, or Kafka topics."""

    name: str
    location: str  #: absolute folder, s3://bucket/prefix, or kafka://host:port[,…]; variables expanded
    format: Format
    delimiter: str = ","  #: CSV only
    endpoint_url: str | None = None  #: S3 only
    layout: str | None = None  #: strftime pattern of time prefixes, e.g. "%Y/%m/%d/%H"
    include: str | None = None  #: glob on the name relative to the location
    topics: tuple[str, ...] = ()  #: Kafka only: names; one that begins with ^ is a regular expression
    registry: str | None = None  #: Kafka only: URL of the schema registry that framed values name
    decimals: str | None = None  #: changes only: Debezium's decimal.handling.mode here, where not the table's
    notifications: str | None = None  #: S3 only: URL of the SQS queue that hears of its objects
    description: str = ""
    owner: str | None = None

    @property
    def is_topics(self) -> bool:
        """Whether its records come from Kafka, else from objects."""
        return bool(self.topics)

    @property
    def brokers(self) -> str:
        """Kafka: the bootstrap servers."""
        return self.location.removeprefix(KAFKA)


@dataclass(frozen=True)
class Exchange:
    """Two fields whose values some records carry under each other's name.

    A record is one of these where neither value fits its own pattern and each fits the other's; so the patterns
    alone decide, whenever and however often the record comes."""

    one: str
    other: str
    one_pattern: str  #: what values of `one` look like
    other_pattern: str  #: what values of `other` look like


@dataclass(frozen=True)
class Column:
    """One column of a silver table and where its value comes from."""

    name: str  #: the contract's name; `silver_name` is what stands in silver
    dtype: pl.DataType  #: type in silver (personal columns: the type before hashing)
    logical_type: str  #: ODCS logicalType: string, integer, number, boolean, date, timestamp, object, array
    physical_type: str | None = None  #: the source's type, e.g. numeric(12,2), timestamp(6)
    source: str = ""  #: producer's field, a dotted path for a nested one
    synonyms: tuple[str, ...] = ()  #: other producer's names, tried in order
    transform: str | None = None  #: rule-language expression over the producer's fields
    required: bool = False
    key_position: int | None = None  #: 1-based position in the primary key
    personal: bool = False  #: hashed before silver
    allowed_values: tuple[str, ...] | None = None
    time_zone: str | None = None  #: of naive timestamps; None: the shop's
    description: str = ""
    readings: tuple[str, ...] = ()  #: further forms of its values, tried where the type rule breaks (`readings`)
    respelled: tuple[tuple[str, str], ...] = ()  #: values that are written otherwise here, and what they mean

    @property
    def silver_name(self) -> str:
        """Name in silver: personal columns stand hashed, with the suffix `_hash`."""
        return f"{self.name}_hash" if self.personal else self.name

    @property
    def silver_dtype(self) -> pl.DataType:
        """Type in silver: a hash is text."""
        return pl.String() if self.personal else self.dtype


@dataclass(frozen=True)
class RowRule:
    """A boolean expression over the table's columns that every row must satisfy."""

    name: str  #: a sentence, `order_amount_is_positive`
    expression: str
    severity: Severity = Severity.QUARANTINE
    description: str = ""


@dataclass(frozen=True)
class TableRule:
    """A rule that looks beyond one record; judged on the current table after each batch."""

    name: str
    kind: str  #: unique, foreign_key, freshness, volume
    columns: tuple[str, ...]
    severity: Severity = Severity.WARN
    references: str | None = None  #: foreign_key: "table.column"
    minimum: int | None = None  #: volume: rows at least
    max_age_hours: float | None = None  #: freshness: hours since the newest value of the column
    description: str = ""


@dataclass(frozen=True)
class Contract:
    """One silver table: its columns, rules, and the records it takes."""

    table: str
    kind: Kind
    feed: str
    columns: tuple[Column, ...]
    row_rules: tuple[RowRule, ...] = ()
    table_rules: tuple[TableRule, ...] = ()
    filter: str | None = None  #: rule-language expression over the producer's fields; others are ignored
    array: str | None = None  #: dotted path of an array: one row per element
    ordering: str | None = None  #: rows: column whose highest value stands
    period: str | None = None  #: immutable time column that partitions the state by month
    event_id: tuple[str, ...] = ()  #: events: columns that identify an event; empty: never duplicates
    event_time: str | None = None  #: events: the time the event happened
    decimals: str = "precise"  #: cdc: Debezium's decimal.handling.mode, precise, string or double
    placeholder: str = "__debezium_unavailable_value"  #: cdc: unavailable.value.placeholder
    lsn_fence: int = LSN_FENCE  #: cdc: bytes by which a later change's LSN may be lower
    is_enforced: bool = False  #: values of another type, and records without a required field, block too
    error_budget: float | None = None  #: share of a day's records in quarantine that blocks
    aliases: tuple[tuple[str, str], ...] = ()  #: (field, the name it came to have): read for it wherever it stands
    exchanges: tuple[Exchange, ...] = ()  #: fields that changed places
    version: str = "1.0.0"
    owner: str | None = None
    description: str = ""
    path: Path = Path()

    @property
    def key(self) -> tuple[str, ...]:
        """Key columns in order, by silver name; empty for events."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(c.silver_name for c in sorted(keyed, key=lambda c: c.key_position or 0))

    def column(self, silver_name: str) -> Column:
        """The column that stands under `silver_name`; KeyError where there is none."""
        for column in self.columns:
            if column.silver_name == silver_name:
                return column
        raise KeyError(silver_name)


@dataclass(frozen=True)
class Discovery:
    """What is done about topics and prefixes that no contract names."""

    is_on: bool = True  #: they are noticed at all
    lands: bool = True  #: they land raw in bronze until somebody decides
    topics: str | None = None  #: regular expression that a topic has to match as a whole; None: any
    roots: tuple[str, ...] = ()  #: folders and prefixes to look under, beside those that the feeds share


@dataclass(frozen=True)
class Shop:
    """A folder of contracts and what holds for all of them."""

    id: str
    path: Path
    contracts: dict[str, Contract]  #: by table
    feeds: dict[str, Feed]  #: by server name; also those that no table reads
    time_zone: str = "UTC"
    currency: str | None = None
    allowed_lateness_hours: float = 72.0
    owners: dict[str, str] = field(default_factory=dict)
    approvers: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: by table, feed, owner, or `default`
    discovery: Discovery = Discovery()

    def readers(self, feed: str) -> tuple[Contract, ...]:
        """The contracts that read `feed`, by table name."""
        return tuple(c for _, c in sorted(self.contracts.items()) if c.feed == feed)
