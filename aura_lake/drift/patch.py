"""A patch: what changes in the contracts of one feed, as data.

Its hash is that of its canonical JSON (keys sorted, no white space, UTF-8), so that an approval names one patch
and no other. The evidence for it and the rows that wait are not in it: they may grow while it stays the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aura_lake.errors import ContractError

#: Raised when the form of a patch changes.
VERSION = 1


class Operation(StrEnum):
    """What one operation of a patch does. Fields are paths in a record, dotted where nested, columns those of a
    contract; `table` names the contract."""

    SYNONYM = "synonym"  #: `field` is also read under the name `also`, by every contract of the feed
    CAST = "cast"  #: `column` also takes values in the form `reading`
    RESPELL = "respell"  #: `values`: how values of `column` are written now, and what they mean
    ALLOW = "allow"  #: `values` that `column` may hold too
    WIDEN = "widen"  #: `column` is of the wider type `logical_type`, with `physical_type`
    OPTIONAL = "optional"  #: `column` may be null
    COLUMN = "column"  #: a new optional column that reads `field`
    EXCHANGE = "exchange"  #: `fields` carry each other's values where these fit `patterns` crosswise


#: The members of each operation, beside `op`.
MEMBERS: Mapping[Operation, frozenset[str]] = {
    Operation.SYNONYM: frozenset({"field", "also"}),
    Operation.CAST: frozenset({"table", "column", "reading"}),
    Operation.RESPELL: frozenset({"table", "column", "values"}),
    Operation.ALLOW: frozenset({"table", "column", "values"}),
    Operation.WIDEN: frozenset({"table", "column", "logical_type", "physical_type"}),
    Operation.OPTIONAL: frozenset({"table", "column"}),
    Operation.COLUMN: frozenset({"table", "column", "field", "logical_type", "personal"}),
    Operation.EXCHANGE: frozenset({"fields", "patterns"}),
}


class PatchRefused(ContractError):
    """A patch contradicts itself or the contracts, or is not the one that was approved."""


@dataclass(frozen=True)
class Patch:
    """The operations on the contracts of a feed, in order."""

    feed: str
    operations: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """The patch as JSON."""
        return {"version": VERSION, "feed": self.feed, "operations": [dict(o) for o in self.operations]}

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields whose reading it changes, new ones included, each once."""
        found: list[str] = []
        for operation in self.operations:
            found += [operation[name] for name in ("field", "also") if name in operation]
            found += operation.get("fields", ())
        return tuple(dict.fromkeys(found))

    @property
    def tables(self) -> frozenset[str]:
        """The tables that operations name; those on fields concern every table that reads them."""
        return frozenset(operation["table"] for operation in self.operations if "table" in operation)


def read_patch(document: Mapping[str, Any]) -> Patch:
    """The patch in a document that `to_json` made. Raises PatchRefused where it is not one."""
    if document.get("version") != VERSION:
        raise PatchRefused(
            f"The patch has the version {document.get('version')!r}, and this program reads {VERSION}.",
            fix="Use the version of Aura Lake that proposed it.",
        )
    operations = document.get("operations")
    if not isinstance(operations, Sequence) or not operations or not isinstance(document.get("feed"), str):
        raise PatchRefused("The patch names no feed or no operation.", fix="Let `aura run` propose it again.")
    return Patch(document["feed"], tuple(_read_operation(operation) for operation in operations))


def _read_operation(operation: Any) -> Mapping[str, Any]:
    try:
        name = Operation(operation["op"])
    except (KeyError, TypeError, ValueError):
        known = ", ".join(Operation)
        raise PatchRefused("The patch has an operation that nobody knows.", fix=f"There are: {known}.") from None
    missing = MEMBERS[name] ^ (operation.keys() - {"op"})
    if missing:
        raise PatchRefused(
            f"The operation {name.value} of the patch is not whole: {', '.join(sorted(missing))}.",
            fix=f"It has exactly: {', '.join(sorted(MEMBERS[name]))}.",
        )
    return dict(operation)
