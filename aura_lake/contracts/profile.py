"""Guesses from sampled records: kind, columns with types, key, time, and what looks personal."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aura_lake.contracts.contract import Format, Kind
from aura_lake.contracts.names import RESERVED_COLUMNS
from aura_lake.contracts.sampling import Sample, plain_name

#: Columns beyond this are left in bronze.
MOST_COLUMNS = 120

#: Of a field's values so many must look alike.
SHARE = 0.98

_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?", re.IGNORECASE
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?\d{1,14}(?:\.\d+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PERSONAL = re.compile(
    r"(?:^|_)(?:e_?mail|phone|mobile|fax|first_name|last_name|full_name|surname|customer_name|name_on_card|address"
    r"|address_?line_?\d?|street|birth(?:day|date)?|date_of_birth|ssn|passport|iban|card_number|ip|ip_address|user_agent)"
    r"(?:$|_\d$)"
)
_ID = re.compile(r"(?:^|_)(?:id|uuid|guid|key|code|sku|no|number)$")
_STRONG_ID = re.compile(r"(?:^|_)(?:id|uuid|guid)$")
_LINE = re.compile(r"(?:^|_)(?:line|line_?number|number|position|sequential|seq|index|item_id|no)$")
_TIMES = ("occurred_at", "event_time", "event_timestamp", "timestamp", "created_at", "time", "ts", "date")
_CHANGED = ("updated_at", "modified_at", "last_modified", "last_modified_at", "updated", "updated_on")
_EPOCHS = {10: ("epoch_seconds", None), 13: ("epoch_millis", "timestamp(3)"), 16: ("epoch_micros", "timestamp(6)")}
_TIME_NAME = re.compile(r"(?:_at|_ts|_on|_time|timestamp|^ts|^time|_date|^date)$")

Record = Mapping[str, Any]


@dataclass
class Guess:
    """One column to be; `note` says why, where somebody should look."""

    name: str
    source: str
    logical_type: str
    physical_type: str | None = None
    is_key: bool = False
    is_personal: bool = False
    note: str = ""
    required: bool = False


@dataclass(frozen=True)
class Observed:
    """What held for a column in every record that was looked at, as a rule that only warns."""

    name: str
    expression: str
    says: str


@dataclass
class Profile:
    """One table to be. Without columns it is a feed alone, whose records stay in bronze."""

    kind: Kind
    columns: list[Guess]
    notes: list[str] = field(default_factory=list)
    event_id: str | None = None
    event_time: str | None = None
    ordering: str | None = None
    decimals: str | None = None
    array: str | None = None
    observed: list[Observed] = field(default_factory=list)

    def column(self, name: str) -> Guess | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


def looks_personal(name: str) -> bool:
    """Whether a column of that name is likely about a person: to be hashed, until somebody says otherwise."""
    return _PERSONAL.search(name) is not None


def names_a_row(name: str) -> bool:
    """Whether a column of that name holds ids, which are text."""
    return _STRONG_ID.search(name) is not None


def time_of_event(times: Sequence[str]) -> str | None:
    """Of these time columns the one that says when an event happened: by its name, else the first."""
    return next((name for name in _TIMES if name in times), times[0] if times else None)


def profile_of(sample: Sample) -> Profile:
    """What the records of a sample look like."""
    if sample.format is Format.CSV:
        rows = _csv_rows(sample)
        return _profile(rows, Kind.ROWS, has_types=False)
    loaded = [value for value in map(_loaded, sample.records) if value is not None]
    lists = [value for value in loaded if isinstance(value, list)]
    if len(lists) > len(loaded) / 2:
        elements = [element for value in lists for element in value if isinstance(element, dict)]
        profile = _profile(elements, Kind.ROWS, has_types=True)
        profile.array = "$"
        return profile
    values = [value for value in loaded if isinstance(value, dict)]
    changes = [row for value in values if (row := _changed_row(value)) is not None]
    if values and len(changes) > len(values) / 2:
        return _profile(changes, Kind.CDC, has_types=True, wire=_wire_types(values))
    return _profile(values, Kind.ROWS, has_types=True)


def _loaded(record: bytes) -> Any:
    try:
        return json.loads(record, parse_float=_Number)
    except (ValueError, RecursionError):
        return None  # such records are what quarantine is for


class _Number(str):
    """A JSON number with a point, by its digits."""


def _changed_row(value: Record) -> Record | None:
    """The row of a Debezium envelope, whole or flattened, in a schema's payload or bare."""
    payload = value.get("payload") if "payload" in value and "schema" in value else value
    if not isinstance(payload, dict):
        return None
    if "op" in payload and ("after" in payload or "before" in payload):
        row = payload.get("after") or payload.get("before")
        return row if isinstance(row, dict) else None
    if "__op" in payload or "__deleted" in payload:
        return {name: v for name, v in payload.items() if not name.startswith("__")}
    return None


def _wire_types(values: Sequence[Record]) -> dict[str, str]:
    """Fields whose type a Connect schema beside the value names."""
    for value in values:
        schema = value.get("schema")
        if isinstance(schema, dict):
            images = [f for f in schema.get("fields", []) if f.get("field") == "after"] or [schema]
            fields = images[0].get("fields", [])
            return {str(f.get("field")): str(f.get("name") or "") for f in fields if isinstance(f, dict)}
    return {}


def _csv_rows(sample: Sample) -> list[Record]:
    header = (sample.header or b"").decode("utf-8-sig", errors="replace")
    names = next(csv.reader(io.StringIO(header), delimiter=sample.delimiter), [])
    text = "\n".join(record.decode("utf-8", errors="replace") for record in sample.records)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=sample.delimiter)
    return [{n: (v or None) for n, v in zip(names, row, strict=True)} for row in rows if len(row) == len(names)]


def _profile(rows: Sequence[Record], kind: Kind, *, has_types: bool, wire: Mapping[str, str] | None = None) -> Profile:
    fields: dict[str, list[Any]] = {}
    for at, row in enumerate(rows):
        for path, value in _leaves(row):
            fields.setdefault(path, [None] * at).extend([None] * (at - len(fields[path])) + [value])
    opened = {path.rpartition(".")[0] for path in fields}
    fields = {path: values for path, values in fields.items() if path not in opened}  # its members are columns
    taken: set[str] = set()
    columns = []
    for path, values in list(fields.items())[:MOST_COLUMNS]:
        values.extend([None] * (len(rows) - len(values)))
        column = _column(_free_name(path, taken), path, values, kind, has_types, (wire or {}).get(path, ""))
        taken.add(column.name)
        columns.append(column)
    profile = Profile(kind, columns)
    if len(fields) > MOST_COLUMNS:
        profile.notes.append(f"{len(fields) - MOST_COLUMNS} more fields were seen and stay in bronze.")
    _choose_key(profile, fields, len(rows))
    _choose_times(profile)
    if kind is Kind.CDC:
        profile.decimals = _decimals(profile, fields)
    return profile


def _leaves(row: Record, prefix: str = "", depth: int = 0) -> Iterable[tuple[str, Any]]:
    """Fields by dotted path; objects are opened three deep, lists stay whole."""
    for name, value in row.items():
        if isinstance(value, dict) and value and depth < 3 and "." not in name:
            yield from _leaves(value, f"{prefix}{name}.", depth + 1)
        elif "." not in name:
            yield f"{prefix}{name}", value


def _free_name(path: str, taken: set[str]) -> str:
    name = plain_name(path)
    if name in RESERVED_COLUMNS:
        name = f"{name}_value"
    while name in taken:
        name = f"{name}_2"
    return name


def _column(name: str, path: str, values: Sequence[Any], kind: Kind, has_types: bool, wire: str) -> Guess:
    seen = [value for value in values if value is not None]
    guess = Guess(name, path, "string")
    if wire.endswith("connect.data.Decimal") or wire.endswith("VariableScaleDecimal"):
        guess.logical_type = "number"
    elif "Timestamp" in wire:
        guess.logical_type = "timestamp"
    elif wire.endswith(".Date"):
        guess.logical_type = "date"
    elif has_types:
        _type_json(guess, seen, kind)
    else:
        _type_text(guess, seen)
    texts = [value for value in seen if isinstance(value, str)]
    if looks_personal(name) or (texts and _share(texts, _EMAIL) > 0.5):
        guess.is_personal, guess.note = True, "looks personal: hashed before silver"
    return guess


def _type_json(guess: Guess, seen: Sequence[Any], kind: Kind) -> None:
    kinds = {type(value) for value in seen}
    if kinds & {dict, list}:
        guess.logical_type = "array" if kinds == {list} else "object"
    elif kinds == {bool}:
        guess.logical_type = "boolean"
    elif kinds and kinds <= {int, _Number}:
        _type_number(guess, seen, kind)
    elif kinds == {str}:
        _type_time(guess, seen)


def _type_number(guess: Guess, seen: Sequence[Any], kind: Kind) -> None:
    whole = [value for value in seen if isinstance(value, int)]
    if len(whole) == len(seen):
        digits = {len(str(abs(value))) for value in whole if value}
        if _TIME_NAME.search(guess.name) and len(digits) == 1 and (unit := _EPOCHS.get(digits.pop())):
            written = unit[1] if kind is Kind.CDC and unit[1] else unit[0]
            guess.logical_type, guess.physical_type = "timestamp", written
            guess.note = "the unit is guessed from the number of digits: check it"
        elif not _ID.search(guess.name):
            guess.logical_type = "integer"
        return
    scale = max(len(str(value).partition(".")[2]) for value in seen)
    exponent = any("e" in str(value).lower() for value in seen)
    guess.logical_type = "number"
    if exponent or scale > 12:
        guess.physical_type = "double"
    elif scale > 4:
        guess.physical_type = f"numeric(38,{scale})"


def _type_text(guess: Guess, seen: Sequence[str]) -> None:
    if not seen:
        return
    if not _ID.search(guess.name):
        if _share(seen, _WHOLE) == 1:
            guess.logical_type = "integer"
            return
        if _share(seen, _NUMBER) >= SHARE and any("." in value for value in seen):
            scale = max(len(value.partition(".")[2]) for value in seen if _NUMBER.fullmatch(value))
            guess.logical_type = "number"
            guess.physical_type = "double" if scale > 12 else f"numeric(38,{scale})" if scale > 4 else None
            return
        if {value.lower() for value in seen} <= {"true", "false"}:
            guess.logical_type = "boolean"
            return
    _type_time(guess, seen)


def _type_time(guess: Guess, seen: Sequence[str]) -> None:
    if _share(seen, _TIMESTAMP) >= SHARE:
        guess.logical_type = "timestamp"
    elif _share(seen, _DATE) >= SHARE:
        guess.logical_type = "date"


def _share(values: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.fullmatch(value) is not None for value in values) / len(values) if values else 0.0


def _choose_key(profile: Profile, fields: Mapping[str, Sequence[Any]], rows: int) -> None:
    """The key, or the kind that needs none. Changes repeat their key, so there a full id is enough."""

    def whole(column: Guess) -> bool:
        return all(value is not None for value in fields[column.source])

    def unique(*columns: Guess) -> bool:
        return len(set(zip(*(map(str, fields[c.source]) for c in columns), strict=True))) == rows

    full = [c for c in profile.columns if whole(c) and not c.is_personal and c.logical_type in ("string", "integer")]
    ids = [c for c in full if _STRONG_ID.search(c.name)]
    lines = [c for c in full if _LINE.search(c.name) and c not in ids[:1]]
    if profile.kind is Kind.CDC:
        key = ids[:1]
        if key and lines and len({str(v) for v in fields[lines[0].source]}) > 1 and lines[0].name != "number":
            key = [key[0], lines[0]]
        if not key:
            profile.columns.clear()
            profile.notes.append("No id was found to be the key: records stay in bronze until one is named.")
            return
    else:
        alone = [c for c in (*ids, *full) if _ID.search(c.name) and unique(c)]
        pairs = [[a, b] for a in ids for b in (*lines, *ids) if a is not b and unique(a, b)]
        key = alone[:1] or (pairs[0] if pairs else [])
    times = [c for c in profile.columns if c.logical_type == "timestamp"]
    is_event = len(key) == 1 and bool(times) and re.search(r"event|message|click|hit|request", key[0].name)
    if profile.kind is not Kind.CDC and (not key or is_event):
        profile.kind = Kind.EVENTS
        profile.event_id = key[0].name if key else None
        return
    for column in key:
        column.is_key, column.logical_type = True, "string"
        column.note = "the first full id" if profile.kind is Kind.CDC else f"unique in {rows:,} sampled records"


def _choose_times(profile: Profile) -> None:
    times = [c.name for c in profile.columns if c.logical_type == "timestamp" and not c.is_personal]
    if profile.kind is Kind.EVENTS:
        profile.event_time = time_of_event(times)
    if profile.kind is Kind.ROWS:
        profile.ordering = next((name for name in _CHANGED if name in times), None)


def _decimals(profile: Profile, fields: Mapping[str, Sequence[Any]]) -> str | None:
    """Debezium's way of writing decimals, where the records show it."""
    seen = {type(v) for c in profile.columns if c.logical_type == "number" for v in fields[c.source] if v is not None}
    return "double" if _Number in seen else None
