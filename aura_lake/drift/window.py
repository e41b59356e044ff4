"""What a stretch of a feed holds, field by field: records before, records after, and the field's values in each.

Values stand as keyed hashes and shapes; texts are kept, in memory alone and to try a reading on, of fields that
no contract calls personal. Nothing of a window is ever written down.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aura_lake.drift.reads import ELEMENT
from aura_lake.drift.shapes import canonical, number, shape

#: Fields beyond this many are not looked at.
MOST_FIELDS = 400

#: Values are nested at most so deep.
DEEPEST = 6

#: Kinds of values, whole numbers and others being one.
KINDS = ("number", "string", "text", "boolean", "array", "object")

#: So many values show whether a new shape is the common one now.
NEXT = 20

#: Longer texts are compared by their beginning.
TEXT = 200


class Digits(str):
    """A JSON number by its digits."""

    __slots__ = ()


def load(text: str | bytes) -> Any:
    """A JSON value, numbers by their digits; None where it is none."""
    try:
        return json.loads(text, parse_float=Digits, parse_int=Digits, parse_constant=Digits)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class Cell:
    """One value of a field. `value`: a hash that tells equal ones, within this process; null where it is null."""

    kind: str
    value: int | None
    shape: str
    number: float | None = None
    text: str | None = None

    @property
    def is_null(self) -> bool:
        """Whether the field was there and empty."""
        return self.value is None


NULL = Cell("null", None, "null")


@dataclass
class FieldSeen:
    """One field: its cell in each record that carries it, by the record's number."""

    path: str
    cells: dict[int, Cell] = field(default_factory=dict)

    def between(self, first: int, last: int) -> dict[int, Cell]:
        """The cells of the records [first, last)."""
        return {row: cell for row, cell in self.cells.items() if first <= row < last}

    def changes_after(self, least: int, records: int) -> int:
        """The first record from `least` on, of so many, where the field comes up, or stays away after it always came,
        or another kind of its values comes up, or another shape that from there on is the commoner one; no record's
        number where it stays what it is."""
        rows: dict[str, list[int]] = {}
        told = [(row, cell) for row, cell in sorted(self.cells.items())]
        for row, cell in told:
            groups = ["present"] if cell.is_null else ["present", _group(cell.kind), cell.shape.partition(":")[0]]
            for group in groups:
                rows.setdefault(group, []).append(row)
        first = sys.maxsize
        last = max(self.cells, default=0) + 1
        if least <= last <= records - NEXT and sum(row < least for row in self.cells) >= 0.95 * least:
            first = last
        for group, found in rows.items():
            if found[0] < least or len(found) < 5:
                continue
            next_ones = [cell for row, cell in told if row >= found[0] and not cell.is_null][:NEXT]
            is_shape = group not in ("present", *KINDS)
            if is_shape and sum(cell.shape.partition(":")[0] == group for cell in next_ones) < len(next_ones) / 2:
                continue
            first = min(first, found[0])
        return first

    def told(self, rows: Collection[int] | range) -> list[Cell]:
        """The cells that are not null, of these records, in order."""
        found = ((row, self.cells.get(row)) for row in rows)
        return [cell for _, cell in found if cell is not None and cell.value is not None]


@dataclass
class Window:
    """`rows` records in the order in which their producer wrote them; those before number `split` are known to be
    as the feed always was (None: nobody knows, they are all new)."""

    rows: int
    split: int | None
    fields: dict[str, FieldSeen]
    batches: Sequence[int] = ()  #: the bronze batch of each record

    @cached_property
    def begins(self) -> int:
        """The number of the first record that may be another: where the first new field, type or shape comes up, but
        not in the first tenth, and at the latest in the middle."""
        if self.split is not None:
            return self.split
        least, most = max(self.rows // 10, min(30, self.rows // 2)), self.rows // 2
        return max(least, min([most, *(seen.changes_after(least, self.rows) for seen in self.fields.values())]))

    @property
    def before(self) -> range:
        """The records before."""
        return range(self.begins)

    @property
    def after(self) -> range:
        """The records after."""
        return range(self.begins, self.rows)


def _group(kind: str) -> str:
    return "number" if kind == "integer" else kind


def window_of(
    records: Sequence[Mapping[str, Any]],
    split: int | None,
    *,
    personal: Collection[str] = (),
    arrays: Collection[str] = (),
    has_types: bool = True,
    batches: Sequence[int] = (),
) -> Window:
    """The window of these records.

    In: records as `load` reads them, or rows of text where the format has no types (`has_types`; "" is null).
    `personal`: paths whose texts are not kept; `arrays`: paths of arrays whose elements are records.
    """
    fields: dict[str, FieldSeen] = {}
    hidden = frozenset(personal)
    for row, record in enumerate(records):
        for path, value in _leaves(record, "", frozenset(arrays), 0):
            seen = fields.get(path)
            if seen is None:
                if len(fields) >= MOST_FIELDS:
                    continue
                seen = fields[path] = FieldSeen(path)
            seen.cells[row] = _cell(value, has_types=has_types, is_hidden=path in hidden)
    return Window(len(records), split, fields, batches)


def _leaves(value: Any, path: str, arrays: frozenset[str], depth: int) -> Iterator[tuple[str, Any]]:
    """The values of a record with their paths; an object is its members, an array is one value."""
    if isinstance(value, dict) and value and depth < DEEPEST:
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name, arrays, depth + 1)
    elif isinstance(value, list) and path in arrays:
        for element in value[:1]:  # the elements of an array change together
            yield from _leaves(element, f"{path}{ELEMENT}", arrays, depth + 1)
    elif path:
        yield path, value


def _cell(value: Any, *, has_types: bool, is_hidden: bool) -> Cell:
    if value is None or (not has_types and value == ""):
        return NULL
    if isinstance(value, bool):
        kind, text = "boolean", "true" if value else "false"
    elif isinstance(value, Digits) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        text = str(value)
        kind = "integer" if text.lstrip("-").isdigit() else "number"
    elif isinstance(value, str):
        kind, text = "string" if has_types else "text", value
    else:
        kind, text = "array" if isinstance(value, list) else "object", _json(value)
    short = text[:TEXT]
    return Cell(kind, hash(canonical(short)), shape(short), number(short), None if is_hidden else short)


def _json(value: Any) -> str:
    """A value as JSON again, numbers by their digits."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(element) for element in value) + "]"
    return json.dumps(value, ensure_ascii=False)
