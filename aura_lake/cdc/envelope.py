"""What kind of message a record of a change feed is, told from the names it carries.

Formats: Debezium's PostgreSQL connector page ("Data change events", "Transaction metadata",
"Heartbeats"), its ExtractNewRecordState transform ("flattened"), and Kafka Connect's JsonConverter
(`schema` and `payload` around the value).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

#: Operations of an envelope. `m` (a logical decoding message) and anything unknown never touch a row.
CREATE, UPDATE, DELETE, READ, TRUNCATE, MESSAGE = "c", "u", "d", "r", "t", "m"
ROW_OPERATIONS = frozenset({CREATE, UPDATE, DELETE, READ, TRUNCATE})

IS_ENVELOPE = "record_is_a_change_envelope"
KNOWN_OPERATION = "change_operation_is_known"
HAS_ROW = "change_carries_a_row"

#: What a transaction's begin and end messages, schema changes and heartbeats carry.
_TRANSACTION = {"status", "id"}
_SCHEMA_CHANGE = {"ddl", "tableChanges"}
_CLOCKS = {"ts_ms", "ts_us", "ts_ns"}
_FLAT_MARKS = {"__deleted", "__op"}


class Form(StrEnum):
    """How a record is to be read."""

    ENVELOPE = "envelope"  #: before, after, source, op
    FLAT = "flat"  #: the row itself, with `__deleted` or `__op` beside it
    ROW = "row"  #: the row itself
    IGNORED = "ignored"  #: a control message; `reason` says which
    BROKEN = "broken"  #: breaks the rule named by `reason`


@dataclass(frozen=True)
class Shape:
    """The form of a record; `prefix` leads from the record to its envelope or row."""

    form: Form
    prefix: tuple[str, ...] = ()
    reason: str | None = None


TOMBSTONE = Shape(Form.IGNORED, reason="tombstone")


def is_wrapped(keys: Set[str]) -> bool:
    """Whether a JsonConverter with schemas put `schema` and `payload` around the value."""
    return keys == {"schema", "payload"}


def shape_of_change(keys: Set[str], prefix: tuple[str, ...] = ()) -> Shape:
    """The shape of an object with these member names in a feed of changes."""
    if "op" in keys and keys & {"before", "after", "source"}:
        return Shape(Form.ENVELOPE, prefix)
    if keys & _FLAT_MARKS:
        return Shape(Form.FLAT, prefix)
    if keys and keys <= _CLOCKS:
        return Shape(Form.IGNORED, prefix, "heartbeat")
    if keys >= _TRANSACTION and keys <= _TRANSACTION | _CLOCKS | {"event_count", "data_collections"}:
        return Shape(Form.IGNORED, prefix, "transaction_metadata")
    if keys & _SCHEMA_CHANGE:
        return Shape(Form.IGNORED, prefix, "schema_change")
    return Shape(Form.BROKEN, prefix, IS_ENVELOPE)
