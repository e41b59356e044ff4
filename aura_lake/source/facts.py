"""What a PostgreSQL server and a Kafka Connect worker say of themselves, as plain values.

`aura_lake.outside` reads them; everything else in this room is a function of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

#: A position in PostgreSQL's log, in bytes.
Lsn = NewType("Lsn", int)


@dataclass(frozen=True, order=True)
class TableName:
    """A table of a database; `str()` is what Debezium and people call it: `public.orders`."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The name as SQL: quoted, so that capitals, blanks and reserved words are safe."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True)
class ColumnFacts:
    """One column. Domains are resolved: `type` is what the value is made of."""

    name: str
    type: str  #: as people write it: `numeric(12,2)`, `timestamp(6)`, `timestamptz`, `text[]`
    base: str  #: the catalog's name of the type without sizes: `numeric`, `timestamptz`, `_text` for an array
    family: str = "b"  #: pg_type.typtype: b base, c composite, e enum, r range, m multirange
    element_family: str = ""  #: the same, of an array's elements
    is_nullable: bool = True
    enum_values: tuple[str, ...] = ()
    dimensions: int = 0  #: of an array, as declared
    is_generated: bool = False
    comment: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that name a row of another."""

    columns: tuple[str, ...]
    target: TableName
    target_columns: tuple[str, ...]


@dataclass(frozen=True)
class TableFacts:
    """One relation of the catalog."""

    table: TableName
    columns: tuple[ColumnFacts, ...] = ()
    kind: str = "r"  #: pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table
    persistence: str = "p"  #: p logged, u unlogged, t temporary
    partition_of: TableName | None = None  #: the root, where this is a partition of a partitioned table
    partitions: tuple[TableName, ...] = ()  #: the leaves of a partitioned table
    children: tuple[TableName, ...] = ()  #: tables that inherit from this one and are no partitions
    primary_key: tuple[str, ...] = ()
    key_is_deferrable: bool = False
    identity: str = "default"  #: replica identity: default, full, nothing, index
    identity_columns: tuple[str, ...] = ()  #: what a delete carries
    uniques: tuple[tuple[str, ...], ...] = ()  #: whole, immediate unique indexes beside the key
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str = ""
    estimated_rows: int = 0
    changed_rows: int = 0  #: updates and deletes since the statistics began
    may_read: bool = True
    is_owned: bool = True  #: by the user or a role of hers
    hides_rows: bool = False  #: row level security holds for the user

    def column(self, name: str) -> ColumnFacts:
        """The column of that name; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True)
class ServerFacts:
    """The server, the database and the user."""

    host: str
    port: int
    database: str
    user: str
    version: int  #: server_version_num, 150018
    wal_level: str = "logical"
    is_replica: bool = False
    is_encrypted: bool = True
    slots: int = 0
    most_slots: int = 10
    senders: int = 0
    most_senders: int = 10
    kept_for_slots: int | None = None  #: max_slot_wal_keep_size in bytes; None: no end
    may_replicate: bool = True
    may_create: bool = True  #: publications: CREATE on the database
    may_create_in: frozenset[str] = frozenset()  #: schemas where the user may make tables
    flavour: str = ""  #: Aurora, RDS, Cloud SQL, Azure; empty where nothing tells
    time_zone: str = "UTC"
    lsn: Lsn = Lsn(0)  #: how far the log is written

    @property
    def major(self) -> int:
        """The version people speak of."""
        return self.version // 10_000

    @property
    def address(self) -> str:
        """Where it is, without any secret."""
        return f"{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class PublicationFacts:
    """One publication of the database."""

    name: str
    tables: frozenset[TableName] = frozenset()  #: as pg_publication_tables lists them: roots or leaves
    all_tables: bool = False
    operations: frozenset[str] = frozenset({"insert", "update", "delete", "truncate"})
    via_root: bool = True
    filtered: frozenset[TableName] = frozenset()  #: tables with a row filter
    narrowed: frozenset[TableName] = frozenset()  #: tables with a column list
    is_owned: bool = True


@dataclass(frozen=True)
class SlotFacts:
    """One replication slot of the server. LSNs are null until the slot is made, or after it is lost."""

    name: str
    plugin: str | None
    database: str | None
    is_active: bool
    wal_status: str | None  #: reserved, extended, unreserved, lost
    restart_lsn: Lsn | None
    confirmed_lsn: Lsn | None
    room: int | None = None  #: bytes that may be written before it is in danger; None: no limit


@dataclass(frozen=True)
class SignalFacts:
    """The table that signals are written into."""

    table: TableName
    exists: bool
    has_shape: bool = True  #: id, type and data, in this order, as text
    may_write: bool = True


@dataclass(frozen=True)
class DatabaseFacts:
    """All that was read of a database for some tables, with one look."""

    server: ServerFacts
    tables: Mapping[TableName, TableFacts] = field(default_factory=dict)
    publication: PublicationFacts | None = None
    slot: SlotFacts | None = None
    signal: SignalFacts | None = None


@dataclass(frozen=True)
class ConnectorFacts:
    """What the Connect worker says of a connector. `state` is empty where it has none."""

    name: str
    state: str = ""  #: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, RESTARTING
    task_state: str = ""  #: the same, of its one task; empty without a task
    trouble: str = ""  #: the first line of a failed task's trace
    config: Mapping[str, str] = field(default_factory=dict)
    read_lsn: Lsn | None = None  #: how far it has read by its own stored offset
    is_in_snapshot: bool = False  #: whether that offset is of a snapshot that is still being read

    @property
    def exists(self) -> bool:
        """Whether the worker has it."""
        return bool(self.config)


def quoted(identifier: str) -> str:
    """An identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant of SQL (standard_conforming_strings)."""
    return "'" + text.replace("'", "''") + "'"


def parse_lsn(text: str | None) -> Lsn | None:
    """`0/16B3748` as bytes."""
    if text is None:
        return None
    high, _, low = text.partition("/")
    return Lsn((int(high, 16) << 32) + int(low, 16))


def lsn_text(lsn: int) -> str:
    """Bytes as PostgreSQL writes them: `0/16B3748`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def bytes_text(size: int) -> str:
    """A size as people read it: `812 MiB`."""
    amount, units = float(size), ("bytes", "KiB", "MiB", "GiB", "TiB")
    at = 0
    while amount >= 1024 and at < len(units) - 1:
        amount, at = amount / 1024, at + 1
    return f"{amount:.0f} {units[at]}" if at == 0 or amount >= 10 else f"{amount:.1f} {units[at]}"


_SIZES = (
    (re.compile(r"character varying"), "varchar"),
    (re.compile(r"^character\b"), "char"),
    (re.compile(r"bit varying"), "varbit"),
    (re.compile(r"^(timestamp|time)(\(\d\))? without time zone"), r"\1\2"),
    (re.compile(r"^(timestamp|time)(\(\d\))? with time zone"), r"\1tz\2"),
)


def plain_type(text: str) -> str:
    """`format_type`'s words as people write them: `timestamp(6) without time zone` is `timestamp(6)`."""
    for pattern, short in _SIZES:
        text = pattern.sub(short, text)
    return text


def topic_part(name: str) -> str:
    """A name as Debezium puts it into a topic's: what Kafka does not take becomes `_`."""
    return re.sub(r"[^a-zA-Z0-9._-]", "_", name)


def topic_of(prefix: str, table: TableName) -> str:
    """The topic that a table's changes are written to (Debezium's SchemaTopicNamingStrategy)."""
    return topic_part(f"{prefix}.{table}")


def as_config(values: Mapping[str, Any]) -> dict[str, str]:
    """A connector's configuration as the REST interface knows it: all text."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
