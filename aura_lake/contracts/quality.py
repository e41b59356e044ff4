"""Read what must hold: `quality`, `logicalTypeOptions`, `unique`, `relationships`, SLAs.

Row rules come from `type: custom, engine: aura`, from the limits of logicalTypeOptions
and from the metrics that look at one value; table rules from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Column, RowRule, Severity, TableRule
from aura_lake.contracts.custom_properties import SEVERITY, CustomProperties
from aura_lake.contracts.element import Element
from aura_lake.contracts.names import check_rule_name
from aura_lake.contracts.problems import did_you_mean

_HOURS = {"h": 1.0, "hour": 1.0, "hours": 1.0, "d": 24.0, "day": 24.0, "days": 24.0}
_HOURS |= {"m": 1 / 60, "min": 1 / 60, "minute": 1 / 60, "minutes": 1 / 60}

#: Limits of logicalTypeOptions: the rule's name, and its expression over column and value.
_LIMITS: dict[str, tuple[str, str]] = {
    "minimum": ("is_at_least_its_minimum", "{column} >= {value}"),
    "maximum": ("is_at_most_its_maximum", "{column} <= {value}"),
    "exclusiveMinimum": ("is_above_its_minimum", "{column} > {value}"),
    "exclusiveMaximum": ("is_below_its_maximum", "{column} < {value}"),
    "minLength": ("is_long_enough", "length({column}) >= {value}"),
    "maxLength": ("is_short_enough", "length({column}) <= {value}"),
    "pattern": ("matches_its_pattern", "regexp_matches({column}, {value})"),
}
#: Rules that every column has by itself, or may have.
_OWN_ENDINGS = ("is_present", "is_in_the_record", "is_an_allowed_value", "is_infinite")
_DESCRIPTIVE = ("format", "timezone", "defaultTimezone")


@dataclass(frozen=True)
class PlacedRule:
    """A row rule and the element it stands in, for the message if it is wrong."""

    rule: RowRule
    element: Element
    key: str


def read_rules(table: Element, columns: Sequence[Column]) -> tuple[list[PlacedRule], list[TableRule]]:
    """The rules of a table, of each of its columns, and of the contract's SLAs."""
    rows: list[PlacedRule] = []
    tables: list[TableRule] = []
    by_name = {column.name: column for column in columns}
    for quality in table.children("quality"):
        _read_quality(quality, None, by_name, rows, tables)
    for relationship in table.children("relationships"):
        column = relationship.text("from")
        if column is None:
            relationship.problem(
                "a relationship of several columns is not checked.",
                "Name one column in from and one in to.",
            )
            continue
        _read_relationship(relationship, column.rpartition(".")[2], by_name, tables)
    for element in table.children("properties"):
        owner = by_name.get(str(element.value.get("name")))
        if owner is None:
            continue
        _read_limits(element, owner, rows)
        if element.flag("unique"):
            name = f"{owner.name}_is_unique"
            tables.append(TableRule(name, "unique", (owner.silver_name,)))
        for relationship in element.children("relationships"):
            _read_relationship(relationship, owner.name, by_name, tables)
        for quality in element.children("quality"):
            _read_quality(quality, owner, by_name, rows, tables)
    _refuse_repeated(table, rows, tables, columns)
    return rows, tables


def read_freshness(contract: Element, table: str, columns: Sequence[Column]) -> list[TableRule]:
    """Freshness rules from the contract's `slaProperties` (property: freshness)."""
    rules = []
    times = {c.name: c for c in columns if isinstance(c.dtype, pl.Datetime)}
    for sla in contract.children("slaProperties"):
        if sla.value.get("property") != "freshness":
            continue
        column = (sla.text("element") or "").removeprefix(f"{table}.")
        hours = _HOURS.get((sla.text("unit") or "h").lower())
        value = sla.value.get("value")
        if column not in times:
            sla.problem(
                f"the freshness of {column!r} cannot be told.",
                f"{did_you_mean(column, times)} Name a timestamp column in element.",
                key="element",
            )
        elif hours is None or not isinstance(value, (int, float)) or value <= 0:
            sla.problem(
                "the freshness is not a length of time.",
                "Write e.g. value: 24, unit: h.",
                key="value",
            )
        else:
            rule = TableRule(
                name=f"{column}_is_fresh",
                kind="freshness",
                columns=(times[column].silver_name,),
                severity=_custom_severity(sla),
                max_age_hours=float(value) * hours,
                description=sla.text("description") or "",
            )
            rules.append(rule)
    return rules


def _read_quality(
    quality: Element,
    owner: Column | None,
    columns: Mapping[str, Column],
    rows: list[PlacedRule],
    tables: list[TableRule],
) -> None:
    kind = quality.text("type") or "library"
    if kind == "text":
        return
    if kind == "sql":
        quality.problem(
            "SQL queries are not run as rules.",
            "Write type: custom, engine: aura and an expression over one row in implementation.",
            key="type",
        )
    elif kind == "custom":
        _read_expression(quality, rows)
    else:
        _read_metric(quality, owner, columns, rows, tables)


def _read_expression(quality: Element, rows: list[PlacedRule]) -> None:
    engine = quality.text("engine")
    if engine != "aura":
        quality.problem(
            f"rules of the engine {engine!r} are not run.",
            "Write engine: aura; rules of other tools belong into their own files.",
            key="engine",
        )
        return
    name = quality.text("name")
    expression = quality.text("implementation")
    if check_rule_name(quality, name) and name is not None and expression is not None:
        rule = RowRule(name, expression, _severity(quality), quality.text("description") or "")
        rows.append(PlacedRule(rule, quality, "implementation"))


def _read_metric(
    quality: Element,
    owner: Column | None,
    columns: Mapping[str, Column],
    rows: list[PlacedRule],
    tables: list[TableRule],
) -> None:
    metric = quality.text("metric")
    description = quality.text("description") or ""
    if metric == "rowCount" and owner is None:
        tables.append(
            TableRule(
                name=_rule_name(quality, "table_has_enough_rows"),
                kind="volume",
                columns=(),
                severity=_table_severity(quality),
                minimum=_minimum(quality),
                description=description,
            )
        )
        return
    if quality.value.get("mustBe") != 0 or quality.value.get("unit", "rows") != "rows":
        quality.problem(
            f"the metric {metric!r} is judged row by row: none may break it.",
            "Write mustBe: 0. For a share of bad rows there is the custom property errorBudget.",
            key="metric",
        )
        return
    if metric == "duplicateValues":
        names = [owner.name] if owner else _texts(quality, "properties")
        unknown = [name for name in names if name not in columns]
        if unknown or not names:
            quality.problem(
                f"duplicateValues names no column of the table ({', '.join(unknown) or 'none'}).",
                "Write arguments: {properties: [column]}, or put the rule under its column.",
            )
            return
        tables.append(
            TableRule(
                name=_rule_name(quality, f"{'_and_'.join(names)}_is_unique"),
                kind="unique",
                columns=tuple(columns[name].silver_name for name in names),
                severity=_table_severity(quality),
                description=description,
            )
        )
        return
    expression = _value_expression(quality, metric, owner)
    if expression is None or owner is None:
        quality.problem(
            f"the metric {metric!r} cannot be judged here.",
            "Of one column: nullValues, missingValues, invalidValues with "
            "arguments: {validValues: […]}, duplicateValues. Of a table: rowCount, "
            "duplicateValues.",
            key="metric",
        )
        return
    name = _rule_name(quality, f"{owner.name}_has_no_{_snake(metric or '')}")
    rows.append(PlacedRule(RowRule(name, expression, _severity(quality), description), quality, "metric"))


def _value_expression(quality: Element, metric: str | None, owner: Column | None) -> str | None:
    if owner is None:
        return None
    column = f'"{owner.name}"'
    if metric == "nullValues":
        return f"{column} is not null"
    if metric == "missingValues":
        return f"{column} is not null" + (f" and trim({column}) <> ''" if isinstance(owner.dtype, pl.String) else "")
    values = _arguments(quality).get("validValues")
    if metric == "invalidValues" and isinstance(values, list) and values:
        return f"{column} in ({', '.join(_literal(value) for value in values)})"
    return None


def _read_limits(element: Element, owner: Column, rows: list[PlacedRule]) -> None:
    options = element.child("logicalTypeOptions")
    for option, value in (options.value if options else {}).items():
        limit = _LIMITS.get(option)
        if options is None or option in _DESCRIPTIVE:
            continue
        if limit is None:
            options.problem(
                f"the limit {option!r} is not judged.",
                "Write it as a rule: quality with type: custom, engine: aura.",
                key=option,
            )
            continue
        ending, expression = limit
        written = expression.format(column=f'"{owner.name}"', value=_literal(value))
        rule = RowRule(f"{owner.name}_{ending}", written)
        rows.append(PlacedRule(rule, options, option))


def _read_relationship(
    relationship: Element, column: str, columns: Mapping[str, Column], tables: list[TableRule]
) -> None:
    target = relationship.text("to")
    parts = (target or "").split(".")
    if column not in columns or len(parts) != 2:
        relationship.problem(
            f"the relationship from {column!r} to {target!r} names no two columns.",
            "Write to: table.column, e.g. users.user_id.",
        )
        return
    tables.append(
        TableRule(
            name=f"{column}_is_known_in_{parts[0]}",
            kind="foreign_key",
            columns=(columns[column].silver_name,),
            severity=_custom_severity(relationship),
            references=".".join(parts),
        )
    )


def _refuse_repeated(
    table: Element, rows: Sequence[PlacedRule], tables: Sequence[TableRule], columns: Sequence[Column]
) -> None:
    """A verdict names rules, so a name means one rule; reading a column has names of its own."""
    seen = {f"{column.name}_{ending}" for column in columns for ending in _OWN_ENDINGS}
    for name in [*(placed.rule.name for placed in rows), *(rule.name for rule in tables)]:
        if name in seen:
            table.problem(f"two rules are named {name!r}.", "Give each rule a name of its own.")
        seen.add(name)


def _severity(quality: Element) -> Severity:
    options = tuple(option.value for option in Severity)
    return _chosen_severity(quality, options, Severity.QUARANTINE)


def _table_severity(quality: Element) -> Severity:
    return _chosen_severity(quality, ("warn", "block"), Severity.WARN)


def _chosen_severity(quality: Element, options: tuple[str, ...], default: Severity) -> Severity:
    given = quality.text("severity")
    if given is None:
        return default
    if given not in options:
        quality.problem(
            f"the severity {given!r} is not known here.",
            f"{did_you_mean(given, options)} The severities are {', '.join(options)}.",
            key="severity",
        )
        return default
    return Severity(given)


def _custom_severity(element: Element) -> Severity:
    given = CustomProperties(element, SEVERITY).choice("severity", ("warn", "block"))
    return Severity(given) if given else Severity.WARN


def _minimum(quality: Element) -> int | None:
    at_least = quality.value.get("mustBeGreaterOrEqualTo")
    more_than = quality.value.get("mustBeGreaterThan")
    for limit, extra in ((at_least, 0), (more_than, 1)):
        if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:
            return limit + extra
    quality.problem(
        "rowCount says no smallest number of rows.",
        "Write mustBeGreaterOrEqualTo: 1000.",
        key="metric",
    )
    return None


def _rule_name(quality: Element, default: str) -> str:
    given = quality.text("name")
    return given if given is not None and check_rule_name(quality, given) else default


def _arguments(quality: Element) -> Mapping[str, Any]:
    arguments = quality.child("arguments")
    return arguments.value if arguments else {}


def _texts(quality: Element, name: str) -> list[str]:
    values = _arguments(quality).get(name)
    return [str(value) for value in values] if isinstance(values, list) else []


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
