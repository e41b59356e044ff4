"""Fingerprints of a contract: whether what a table's rows were judged by is still what holds.

Only what can change a verdict or a value is in them; an owner, a description, a table rule or the severity of a
rule that diverts anyway is not.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aura_lake.contracts.contract import Column, Contract, Severity, Shop

#: Bits of a fingerprint; it is kept as a number in the log's own commit log.
BITS = 52


def contract_fingerprint(contract: Contract, shop: Shop) -> int:
    """A number that changes where a verdict or a value of the table may change."""
    feed = shop.feeds[contract.feed]
    return _digest(
        {
            "shape": _shape(contract),
            "columns": [_column(column) for column in contract.columns],
            "rules": [[rule.name, rule.expression, rule.severity is Severity.WARN] for rule in contract.row_rules],
            "filter": contract.filter,
            "decimals": contract.decimals,
            "placeholder": contract.placeholder,
            "feed": [feed.format.value, feed.delimiter, feed.decimals],
            "time_zone": shop.time_zone,
        }
    )


def shape_fingerprint(contract: Contract) -> int:
    """A number that changes where columns, types, the key, or the partitions of a table's log or state change."""
    return _digest(_shape(contract))


def _shape(contract: Contract) -> dict[str, Any]:
    return {
        "kind": contract.kind.value,
        "feed": contract.feed,
        "columns": [[c.silver_name, str(c.silver_dtype), c.key_position] for c in contract.columns],
        "array": contract.array,
        "ordering": contract.ordering,
        "period": contract.period,
        "event_id": contract.event_id,
        "event_time": contract.event_time,
    }


def _column(column: Column) -> list[Any]:
    return [
        column.name,
        str(column.dtype),
        column.logical_type,
        column.physical_type,
        column.source,
        column.synonyms,
        column.transform,
        column.required,
        column.personal,
        column.allowed_values,
        column.time_zone,
    ]


def _digest(said: Any) -> int:
    text = json.dumps(said, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - BITS)
