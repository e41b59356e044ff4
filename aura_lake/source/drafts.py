"""Drafts of contracts for the tables of a database, from its own catalog.

What the catalog knows stands in them: types, keys, not null, enums, uniqueness, references, comments. What is a
person's choice (what is personal, how a table maps onto the commerce model) is said beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.contracts.model import commerce_model
from aura_lake.contracts.names import RESERVED_COLUMNS
from aura_lake.contracts.profile import looks_personal, names_a_row, time_of_event
from aura_lake.contracts.sampling import plain_name
from aura_lake.source.draft_text import DraftedColumn, printable, property_lines, quoted_yaml, uniqueness_lines
from aura_lake.source.facts import TableFacts, TableName
from aura_lake.source.plan import PlannedTable
from aura_lake.source.wire_types import Wire, wire_of

#: Endings of the tables kept beside each table.
_ENDINGS = ("_log", "_history", "_quarantine", "_restatements")

#: Of a table without a key inserts and snapshot reads are events; both carry their row in `after`.
_EVENT_FILTER = "op in ('c', 'r')"


@dataclass(frozen=True)
class TableDraft:
    """One contract to be: `text` is the file's content, `notes` what somebody should look at."""

    table: str
    feed: str
    source: TableName
    kind: str
    key: tuple[str, ...]
    columns: int
    text: str
    notes: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of the file in the shop's folder."""
        return f"{self.table}.odcs.yaml"


def draft_contracts(
    shop: str,
    planned: Sequence[PlannedTable],
    catalog: Mapping[TableName, TableFacts],
    *,
    source: str,
    standing: Mapping[TableName, Contract] | None = None,
    format: str = "json",
    registry: str | None = None,
) -> list[TableDraft]:
    """One draft a table, in their order. `shop`: the shop's id; `source`: where the catalog was read, without
    secrets; `standing`: contracts of other tables, which foreign keys may name."""
    drafting = _Drafting(shop, planned, catalog, source, standing or {}, format, registry)
    return [drafting.draft(one) for one in planned]


def silver_names(tables: Collection[TableName]) -> dict[TableName, tuple[str, str]]:
    """What each table is called in silver, and its feed: its own name, with its schema where two share one."""
    plain = [plain_name(table.name) for table in tables]
    model = commerce_model()
    names = {}
    for table in tables:
        name = plain_name(table.name)
        if plain.count(name) > 1:
            name = plain_name(f"{table.schema}_{table.name}")
        silver = f"raw_{name}" if name in model else name
        names[table] = (f"{silver}_rows" if silver.endswith(_ENDINGS) else silver, name)
    return names


class _Drafting:
    """All drafts of one database, which refer to each other."""

    def __init__(
        self,
        shop: str,
        planned: Sequence[PlannedTable],
        catalog: Mapping[TableName, TableFacts],
        source: str,
        standing: Mapping[TableName, Contract],
        format: str,
        registry: str | None,
    ) -> None:
        self._shop, self._catalog, self._source, self._standing = shop, catalog, source, standing
        self._format, self._registry = format, registry
        self._names = silver_names([one.table for one in planned])
        self._kinds = {one.table: one.kind for one in planned}
        self._columns = {one.table: _column_names(catalog[one.table]) for one in planned}
        self._ids = _id_columns(catalog)

    def draft(self, planned: PlannedTable) -> TableDraft:
        """The contract of one table."""
        facts = self._catalog[planned.table]
        silver, feed = self._names[planned.table]
        columns, left_out = self._table_columns(facts, planned.kind)
        notes = [*left_out, *(f"{column.name}: {note}" for column in columns for note in column.notes)]
        if planned.kind == "events":
            notes.append(
                "No primary key: inserts are appended, updates and deletes are ignored, and a record that the "
                "connector sends again stands twice."
            )
        lines = [*self._head(planned, facts, silver, feed), "    properties:"]
        for column in columns:
            lines += property_lines(column, planned.kind)
        lines += uniqueness_lines(facts, self._columns[planned.table], columns)
        lines += [f"    # {note}" for note in left_out]
        key = tuple(column.name for column in sorted(columns, key=lambda c: c.key_position) if column.key_position)
        text = "\n".join(lines) + "\n"
        return TableDraft(silver, feed, planned.table, planned.kind, key, len(columns), text, tuple(notes))

    def _head(self, planned: PlannedTable, facts: TableFacts, silver: str, feed: str) -> list[str]:
        """Everything above the columns."""
        lines = [
            f"# Drafted from PostgreSQL's catalog: {printable(str(planned.table))} of {self._source}.",
            "apiVersion: v3.2.0",
            "kind: DataContract",
            f"id: {self._shop}-{silver}".replace("_", "-"),
            "version: 0.1.0",
            "status: draft",
            "servers:",
            f"  - server: {feed}",
            "    type: kafka",
            '    host: "${KAFKA_BROKERS:-127.0.0.1:19092}"',
            f"    format: {self._format}",
            "    customProperties:",
            "      - property: topics",
            f"        value: [{quoted_yaml(planned.topic)}]",
        ]
        if self._registry:
            default = quoted_yaml(f"${{SCHEMA_REGISTRY_URL:-{self._registry}}}")
            lines += ["      - property: registry", f"        value: {default}"]
        lines += ["schema:", f"  - name: {silver}"]
        if facts.comment:
            lines.append(f"    description: {quoted_yaml(facts.comment)}")
        lines += ["    customProperties:", "      - property: kind", f"        value: {planned.kind}"]
        if planned.kind == "cdc":
            return [*lines, "      - property: decimals", "        value: string"]
        lines += ["      - property: filter", f"        value: {quoted_yaml(_EVENT_FILTER)}"]
        names = self._columns[planned.table]
        times = [names[c.name] for c in facts.columns if c.name in names and wire_of(c).logical_type == "timestamp"]
        if (time := time_of_event(times)) is not None:
            lines += ["      - property: eventTime", f"        value: {time}"]
        return lines

    def _table_columns(self, facts: TableFacts, kind: str) -> tuple[list[DraftedColumn], list[str]]:
        """The columns of a draft, and what is said of those that are left out."""
        columns, left_out = [], []
        names = self._columns[facts.table]
        refers = {
            key.columns[0]: target
            for key in facts.foreign_keys
            if len(key.columns) == 1 and (target := self._target(key.target, key.target_columns[0])) is not None
        }
        unique = {columns[0] for columns in facts.uniques if len(columns) == 1}
        for column in facts.columns:
            wire = wire_of(column)
            if column.name not in names:
                left_out.append(f"{printable(column.name)}: a field with a dot in its name cannot be read; left out.")
                continue
            if not wire.travels:
                left_out.append(f"{printable(column.name)} {wire.note}; left out.")
                continue
            is_id = (facts.table, column.name) in self._ids or names_a_row(names[column.name])
            if is_id and wire.logical_type == "integer":
                wire = Wire("string", wire.physical_type, wire.note)
            notes = [wire.note] if wire.note else []
            if looks_personal(names[column.name]):
                notes.append("looks personal: hashed before silver")
            position = facts.primary_key.index(column.name) + 1 if column.name in facts.primary_key else 0
            columns.append(
                DraftedColumn(
                    column,
                    names[column.name],
                    wire,
                    position if kind == "cdc" else 0,
                    column.name in unique and kind == "cdc",
                    refers.get(column.name),
                    tuple(notes),
                )
            )
        return columns, left_out

    def _target(self, table: TableName, column: str) -> str | None:
        """What a foreign key points at, by its name in silver; None where no contract has that table as rows."""
        if (contract := self._standing.get(table)) is not None:
            named = (one.name for one in contract.columns if one.source == column and not one.transform)
            name = None if contract.kind is Kind.EVENTS else next(named, None)
            return None if name is None else f"{contract.table}.{name}"
        if self._kinds.get(table) != "cdc" or column not in self._columns[table]:
            return None
        return f"{self._names[table][0]}.{self._columns[table][column]}"


def _column_names(facts: TableFacts) -> dict[str, str]:
    """Names in silver by the source's; one whose name holds a dot has none."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for column in facts.columns:
        if "." in column.name:
            continue
        name = plain_name(column.name)
        if name in RESERVED_COLUMNS:
            name = f"{name}_value"
        number = 2
        base = name
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names[column.name] = name
    return names


def _id_columns(catalog: Mapping[TableName, TableFacts]) -> set[tuple[TableName, str]]:
    """Columns that name a row: keys, and what refers to them, however far. Ids are text."""
    ids = {(facts.table, column) for facts in catalog.values() for column in facts.primary_key}
    references = [
        ((facts.table, own), (key.target, theirs))
        for facts in catalog.values()
        for key in facts.foreign_keys
        for own, theirs in zip(key.columns, key.target_columns, strict=True)
    ]
    while True:
        more = {own for own, theirs in references if theirs in ids} - ids
        if not more:
            return ids
        ids |= more
