"""Whether what the contracts expect is what the connector writes: findings from both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from aura_lake.contracts.contract import Column, Contract, Feed, Format, Kind
from aura_lake.source.facts import ColumnFacts, ConnectorFacts, TableFacts, TableName, topic_of
from aura_lake.source.findings import Finding, ok, refuse, warn

_SCALE = re.compile(r"numeric\(\d+,\s*(\d+)\)")
_PRECISION = re.compile(r"timestamp(?:\((\d)\))?")


def reads(feed: Feed, topic: str) -> bool:
    """Whether a feed reads the topic. A name that begins with ^ is a pattern."""
    return any(re.fullmatch(name, topic) if name.startswith("^") else name == topic for name in feed.topics)


def tables_of(feed: Feed, prefix: str, tables: Sequence[TableName]) -> list[TableName]:
    """The captured tables whose topics a feed reads."""
    return [table for table in tables if reads(feed, topic_of(prefix, table))]


def look_at_contracts(
    contracts: Sequence[tuple[Contract, Feed]],
    connector: ConnectorFacts,
    tables: Mapping[TableName, TableFacts],
) -> Iterator[Finding]:
    """Each contract of topics against the connector and the catalog; and each captured table without one."""
    prefix = connector.config.get("topic.prefix", "")
    read: set[TableName] = set()
    for contract, feed in contracts:
        mine = tables_of(feed, prefix, sorted(tables))
        read.update(mine)
        if not mine:
            yield refuse(
                contract.table,
                "topics",
                f"it reads {', '.join(feed.topics)}; the connector writes {prefix}.<schema>.<table> of other tables.",
                "Correct the server's topics in the contract, or capture the table: aura source connect postgres.",
            )
            continue
        yield ok(contract.table, "topics", ", ".join(topic_of(prefix, table) for table in mine))
        yield from _wire(contract, feed, connector.config)
        if len(mine) == 1:
            yield from _columns(contract, tables[mine[0]], connector.config)
    for table in sorted(tables.keys() - read):
        yield warn(
            table,
            "contract",
            f"no contract reads {topic_of(prefix, table)}.",
            f"aura source connect postgres --tables {table} drafts one.",
        )


def _wire(contract: Contract, feed: Feed, config: Mapping[str, str]) -> Iterator[Finding]:
    """How values are written, of the whole table."""
    has_decimals = any(column.dtype.is_decimal() for column in contract.columns)
    decimals = config.get("decimal.handling.mode", "precise")
    if contract.kind is Kind.CDC and has_decimals:
        if decimals != contract.decimals:
            yield refuse(
                contract.table,
                "decimals",
                f"the contract says {contract.decimals} and the connector writes {decimals}.",
                f"Write the custom property decimals: {decimals} in the contract.",
            )
        else:
            yield ok(contract.table, "decimals", decimals)
    placeholder = config.get("unavailable.value.placeholder", "__debezium_unavailable_value")
    if contract.kind is Kind.CDC and placeholder != contract.placeholder:
        yield refuse(
            contract.table,
            "placeholder",
            "the connector's unavailable.value.placeholder is another than the contract's: what was left out would be "
            "taken for a value.",
            "Write it as the custom property placeholder of the contract.",
        )
    writes = Format.AVRO if "avro" in config.get("value.converter", "").lower() else Format.JSON
    if feed.format is not writes:
        yield refuse(
            contract.table,
            "format",
            f"the contract reads {feed.format.value} and the connector writes {writes.value}.",
            f"Write format: {writes.value} in the contract's server.",
        )


def _columns(contract: Contract, facts: TableFacts, config: Mapping[str, str]) -> Iterator[Finding]:
    """Each column that the contract reads from a field of the table."""
    known = {column.name: column for column in facts.columns}
    image = "" if contract.kind is Kind.CDC else "after."
    missing = []
    for column in contract.columns:
        if column.transform or not column.source.startswith(image):
            continue
        names = [name.removeprefix(image) for name in (column.source, *column.synonyms)]
        told = next((known[name] for name in names if name in known), None)
        if told is None:
            missing.append(column.name)
        else:
            yield from _column(contract, column, told, config)
    if missing:
        yield warn(
            contract.table,
            "columns",
            f"the table has no {', '.join(missing)}.",
            "Name the field in physicalName or synonyms, or remove the column.",
        )


def _column(contract: Contract, column: Column, told: ColumnFacts, config: Mapping[str, str]) -> Iterator[Finding]:
    subject = f"{contract.table}.{column.name}"
    physical = (column.physical_type or "").lower().replace(" ", "")
    if config.get("decimal.handling.mode", "precise") == "precise" and (sized := _SCALE.fullmatch(told.type)):
        given = _SCALE.fullmatch(physical)
        if given is None or given[1] != sized[1]:
            yield refuse(
                subject,
                "scale",
                f"it is {told.type} in the database and {column.physical_type or 'nothing'} in the contract: its "
                "point would stand elsewhere.",
                f"Write physicalType: {told.type}.",
            )
    if config.get("time.precision.mode", "adaptive").startswith("adaptive") and told.base == "timestamp":
        given_unit, told_unit = _unit(physical), _unit(told.type)
        if given_unit != told_unit:
            yield refuse(
                subject,
                "unit",
                f"the connector counts {told_unit}; the contract says {column.physical_type or 'nothing'}.",
                f"Write physicalType: {told.type}.",
            )
    if column.allowed_values is not None and told.enum_values:
        unknown = [value for value in told.enum_values if value not in column.allowed_values]
        if unknown and not column.transform:
            yield warn(
                subject,
                "enum",
                f"the database also knows {', '.join(unknown)}: such rows will wait in quarantine.",
                "Add them to the column's enum.",
            )


def _unit(written: str) -> str | None:
    """What a connector in an adaptive mode counts for a type."""
    sized = _PRECISION.fullmatch(written)
    if sized is None:
        return None
    return "milliseconds" if int(sized[1] or 6) <= 3 else "microseconds"
