"""How a value is encoded on the wire, from a schema beside it or from the contract.

Debezium names encodings in a Connect schema (`io.debezium.time.MicroTimestamp`,
`org.apache.kafka.connect.data.Decimal`); with schemas off, only the source's type tells, and the
contract's physicalType says it. Units are never guessed from the size of a number.
(Debezium PostgreSQL connector page, "Data type mappings".)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Column


@dataclass(frozen=True)
class Semantic:
    """`unit` of times (days, seconds, millis, micros, nanos; iso: written out); `encoding` and `scale` of
    decimals (base64, variable, string, double); `is_instant`: the time is UTC, else it is a local one."""

    unit: str | None = None
    encoding: str | None = None
    scale: int | None = None
    is_instant: bool = False


#: Connect and Debezium schema names. Times without zone count as if the local clock were UTC.
_NAMED: Mapping[str, Semantic] = {
    "io.debezium.time.Date": Semantic(unit="days"),
    "org.apache.kafka.connect.data.Date": Semantic(unit="days"),
    "io.debezium.time.Timestamp": Semantic(unit="millis"),
    "org.apache.kafka.connect.data.Timestamp": Semantic(unit="millis"),
    "io.debezium.time.MicroTimestamp": Semantic(unit="micros"),
    "io.debezium.time.NanoTimestamp": Semantic(unit="nanos"),
    "io.debezium.time.IsoTimestamp": Semantic(unit="iso"),
    "io.debezium.data.VariableScaleDecimal": Semantic(encoding="variable"),
    # Avro's logical types, where no Connect name stands beside them: there a timestamp is an instant. Its decimals
    # were written out by their digits when the record was decoded.
    "decimal": Semantic(encoding="string"),
    "date": Semantic(unit="days"),
    "timestamp-millis": Semantic(unit="millis", is_instant=True),
    "timestamp-micros": Semantic(unit="micros", is_instant=True),
    "timestamp-nanos": Semantic(unit="nanos", is_instant=True),
    "local-timestamp-millis": Semantic(unit="millis"),
    "local-timestamp-micros": Semantic(unit="micros"),
    "local-timestamp-nanos": Semantic(unit="nanos"),
}


def from_schema(schema_text: str, place: Sequence[str] = ()) -> dict[str, Semantic]:
    """The semantics of the fields at `place` (the value's own, those of `before` or `after`, or of the elements
    of an array) in a Connect schema as JSON; a nested field under its dotted path. Fields without a special
    meaning are absent. An unreadable schema gives none."""
    try:
        schema = json.loads(schema_text)
    except ValueError:
        return {}
    for step in place:
        schema = next((field for field in _fields(schema) if field.get("field") == step), {})
    if isinstance(schema, dict) and isinstance(schema.get("items"), dict):
        schema = schema["items"]
    found: dict[str, Semantic] = {}
    _collect(schema, "", found)
    return found


def _collect(schema: Any, prefix: str, found: dict[str, Semantic]) -> None:
    for field in _fields(schema):
        path = f"{prefix}{field.get('field')}"
        semantic = _of_field(field)
        if semantic is None:
            _collect(field, f"{path}.", found)
        else:
            found[path] = semantic


def _fields(schema: Any) -> list[dict[str, Any]]:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []


def _of_field(field: Mapping[str, Any]) -> Semantic | None:
    if field.get("type") == "array" and isinstance(field.get("items"), dict):
        of_items = _of_field(field["items"])
        return of_items if of_items is not None and of_items.encoding is not None else None
    name = field.get("name")
    if name == "org.apache.kafka.connect.data.Decimal":
        scale = str((field.get("parameters") or {}).get("scale", ""))
        return Semantic(encoding="base64", scale=int(scale) if re.fullmatch(r"-?[0-9]{1,4}", scale) else None)
    return _NAMED.get(str(name))


def from_contract(column: Column, decimals: str, *, is_change: bool) -> Semantic | None:
    """The semantics that physicalType gives a column: `timestamp(3)` counts milliseconds, `timestamp(6)` and
    `timestamp` microseconds, `date` days, `epoch_seconds`, `epoch_millis`, `epoch_micros` what they say.

    `decimals` is Debezium's decimal.handling.mode, and matters for changes only.
    """
    physical = (column.physical_type or "").lower().replace(" ", "")
    numeric = re.fullmatch(r"(?:numeric|decimal)(?:\(([0-9]+)(?:,(-?[0-9]+))?\))?(?:\[\])*", physical)
    # A text column may hold a numeric: more digits than a decimal has, by their digits.
    if column.dtype.is_decimal() or (numeric and column.dtype == pl.String()):
        if not is_change:
            return None
        if decimals != "precise":
            return Semantic(encoding=decimals)
        if numeric and numeric[1]:
            return Semantic(encoding="base64", scale=int(numeric[2] or 0))
        return Semantic(encoding="variable" if numeric else "base64")
    if epoch := re.fullmatch(r"epoch_(seconds|millis|micros|nanos)", physical):
        return Semantic(unit=epoch[1], is_instant=True)
    if physical == "date" and is_change:
        return Semantic(unit="days")
    if stamp := re.fullmatch(r"timestamp(?:\(([0-9])\))?(?:withouttimezone)?", physical):
        return Semantic(unit="millis" if int(stamp[1] or 6) <= 3 else "micros") if is_change else None
    return None
