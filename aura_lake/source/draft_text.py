"""Columns of a drafted contract as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aura_lake.contracts.profile import looks_personal
from aura_lake.source.facts import ColumnFacts, TableFacts
from aura_lake.source.wire_types import Wire

#: A local time of an event is written with a Z, which it does not mean.
_LOCAL_TIME = "replace({field}, 'Z', '')"


@dataclass(frozen=True)
class DraftedColumn:
    """One column of a draft: what the catalog says, what it is called, and how it arrives."""

    facts: ColumnFacts
    name: str
    wire: Wire
    key_position: int = 0
    is_unique: bool = False
    refers_to: str | None = None
    notes: tuple[str, ...] = field(default=())


def property_lines(column: DraftedColumn, kind: str) -> list[str]:
    """One entry of `properties`."""
    facts, wire = column.facts, column.wire
    lines = [f"      - name: {column.name}" + (f"  # {'; '.join(column.notes)}" if column.notes else "")]
    if kind == "events" and facts.base == "timestamp":
        lines.append(f"        transformLogic: {quoted_yaml(_LOCAL_TIME.format(field=_field(facts.name)))}")
    elif kind == "events":
        lines.append(f"        physicalName: {quoted_yaml(f'after.{facts.name}')}")
    elif facts.name != column.name:
        lines.append(f"        physicalName: {quoted_yaml(facts.name)}")
    lines.append(f"        logicalType: {wire.logical_type}")
    if wire.physical_type:
        lines.append(f"        physicalType: {quoted_yaml(wire.physical_type)}")
    if column.key_position:
        lines += ["        primaryKey: true", f"        primaryKeyPosition: {column.key_position}"]
    elif not facts.is_nullable:
        lines.append("        required: true")
    if facts.enum_values:
        lines += ["        enum:", *(f"          - value: {quoted_yaml(value)}" for value in facts.enum_values)]
    if column.is_unique and not column.key_position:
        lines.append("        unique: true")
    if column.refers_to:
        lines += ["        relationships:", f"          - to: {column.refers_to}"]
    if looks_personal(column.name):
        lines.append("        classification: personal")
    if facts.comment:
        lines.append(f"        description: {quoted_yaml(facts.comment)}")
    return lines


def _field(name: str) -> str:
    """A field of the inserted row in the rule language."""
    return f"after.{name}" if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'after."{name}"'


def uniqueness_lines(facts: TableFacts, names: Mapping[str, str], columns: Sequence[DraftedColumn]) -> list[str]:
    """Uniqueness of several columns, as table rules."""
    present = {column.facts.name for column in columns}
    groups = [group for group in facts.uniques if len(group) > 1 and set(group) <= present]
    lines = ["    quality:"] if groups and any(column.key_position for column in columns) else []
    for group in groups if lines else []:
        listed = [names[column] for column in group]
        lines += [
            f"      - name: {('_and_'.join(listed) + '_are_unique')[:100]}",
            "        type: library",
            "        metric: duplicateValues",
            "        mustBe: 0",
            "        arguments:",
            f"          properties: [{', '.join(listed)}]",
        ]
    return lines


_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def quoted_yaml(text: str) -> str:
    """Text as YAML reads it back to the letter; JSON's form, with what YAML would refuse escaped."""
    written = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\U{ord(match.group()):08x}", written)


def printable(text: str) -> str:
    """Text for a comment: on one line."""
    return _UNPRINTABLE.sub(" ", text).strip()
