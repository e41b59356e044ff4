"""Deletes that nobody sent: a key is gone from its source, and the change that said so was lost.

What stands in for it is a Debezium envelope with `op` d, made from the last record that told the row: the key's fields
are those of that record, as the producer wrote them, so that they are read, cast and hashed as they were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

#: The topic under which such records stand in bronze; no broker has one of this name.
ABSENCE_TOPIC = "aura.absence"


class NoRow(ValueError):
    """A record that tells no row, so that no key can be taken from it."""


def delete_like(value: bytes, key_fields: Sequence[Sequence[str]], lsn: int, at: datetime) -> bytes:
    """The delete of the row that a record told.

    In: the record's value in JSON, an envelope, wrapped (`schema`, `payload`) or flattened; for each field of the
    key the names it may have in it; the place in the source's log, and the time, at which it was not there any more.
    Raises NoRow.
    """
    document = json.loads(value)
    is_wrapped = isinstance(document, dict) and document.keys() == {"schema", "payload"}
    payload = document["payload"] if is_wrapped else document
    row = _row(payload)
    key = {}
    for names in key_fields:
        name = next((name for name in names if name in row), None)
        if name is None:
            raise NoRow(f"its row has no {' or '.join(names)}")
        key[name] = row[name]
    clocks = {"ts_ms": int(at.timestamp() * 1000)}
    told = {
        "op": "d",
        "before": key,
        "after": None,
        "source": {"lsn": lsn, "snapshot": "false", "ts_us": int(at.timestamp() * 1_000_000), **clocks},
        **clocks,
    }
    # The envelope's schema says how the key's fields are encoded; a flattened row has one of another shape.
    keep_schema = is_wrapped and "op" in payload
    return json.dumps({"schema": document["schema"], "payload": told} if keep_schema else told).encode()


def _row(payload: Any) -> Mapping[str, Any]:
    """The row that an envelope or a flattened change tells."""
    if not isinstance(payload, dict):
        raise NoRow("it is no change")
    if "op" not in payload:
        return payload
    row = payload.get("before") if payload["op"] == "d" else payload.get("after")
    if not isinstance(row, dict):
        raise NoRow("it tells no row")
    return row
