"""Values of rows as people outside the lake may see them: their shape, and only what the contract says is no secret.

A row in quarantine has broken a rule, so nothing in it can be trusted to be what its column promises: an address
may stand in the column of the order's status. What is shown as it stands is what cannot be a person's: values
that the contract enumerates, truth values, times, and numbers of few digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

#: Longer texts are cut: their length tells nothing more.
SHOWN_CHARACTERS = 24

#: Numbers of more digits may be a telephone's, a card's or a person's.
SHOWN_DIGITS = 6

#: Characters of a hash that tell two apart in a list of three.
SHOWN_HASH = 8


@dataclass(frozen=True)
class MaskedRow:
    """One row: where it lies, the rules it broke, and its values, masked."""

    place: str
    broken: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


def mask_row(
    row: Mapping[str, Any], *, hashed: Iterable[str] = (), allowed: Mapping[str, Sequence[str]] | None = None
) -> dict[str, str]:
    """The values of a row that are there, masked. `hashed`: columns that stand as keyed hashes; `allowed`: the values
    that the contract enumerates, by column."""
    keyed, listed = set(hashed), allowed or {}
    return {
        name: mask_hash(value) if name in keyed else mask_value(value, listed.get(name, ()))
        for name, value in row.items()
        if value is not None
    }


def mask_value(value: Any, allowed: Sequence[str] = ()) -> str:
    """One value: as it stands where it cannot be a person's, else its shape."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime, date, time, timedelta)):
        return str(value)
    if isinstance(value, (int, Decimal)):
        return _number(str(value))
    if isinstance(value, float):
        return _number(repr(value)) if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return value if value in allowed else _shape(value)
    if isinstance(value, (list, tuple)):
        return f"{len(value)} elements"
    if isinstance(value, Mapping):
        return f"{len(value)} fields"
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    return type(value).__name__


def mask_hash(value: Any) -> str:
    """A keyed hash, cut: enough to see that two rows are of one person."""
    key, _, digest = str(value).rpartition(":")
    if not key or not digest.isalnum():
        return _shape(str(value))
    return f"hash {digest[:SHOWN_HASH]}…"


def _number(text: str) -> str:
    digits = sum(character.isdigit() for character in text)
    return text if digits <= SHOWN_DIGITS else _shape(text)


def _shape(text: str) -> str:
    """Letters as `a` or `A`, digits as `9`, all else that could be read in any script as `x`; a few marks stay."""
    shown = "".join(_mark(character) for character in text[:SHOWN_CHARACTERS])
    return f"{shown}…" if len(text) > SHOWN_CHARACTERS else shown


def _mark(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character in " .,:;-_/@+()[]{}\"'#%" else "x"
