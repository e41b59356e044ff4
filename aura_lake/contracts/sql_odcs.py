"""A contract written in SQL as an ODCS document.

Where a contract of the table stands already, its servers, kind and spellings stay, and so does whatever the statement
says nothing about: the statement is laid over it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import yaml

from aura_lake.contracts.model import commerce_model
from aura_lake.contracts.sql_contract import Mode, SqlColumn, SqlContract

_UUID = "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_ORDERS = {">": "is_more_than", ">=": "is_at_least", "<": "is_less_than", "<=": "is_at_most", "=": "is", "<>": "is_not"}
_PLAIN = re.compile(r"(\w+)\s*(>=|<=|<>|!=|>|<|=)\s*(-?\d+(?:\.\d+)?)")


def table_of(contract: SqlContract) -> str:
    """The silver table that a statement is about: `silver.stg_orders` is the staging view of `orders`."""
    bare = contract.table.rpartition(".")[2]
    short = bare.removeprefix("stg_")
    return short if contract.table.startswith("silver.") or short in commerce_model() else bare


def to_odcs(contract: SqlContract, shop: str, standing: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document. `standing`: the one that the table has, as YAML reads it."""
    table = table_of(contract)
    document: dict[str, Any] = copy.deepcopy(dict(standing)) if standing else _head(contract, table, shop)
    schema = document["schema"][0]
    names = {column.name: _name_in(column.name, table, schema) for column in contract.columns}
    is_modelled = table in commerce_model()
    properties: list[dict[str, Any]] = schema.setdefault("properties", [])
    by_name = {each["name"]: each for each in properties}
    has_key = is_modelled or any(column.is_key for column in contract.columns)
    has_key = has_key or any(each.get("primaryKey") for each in properties)
    rules: list[dict[str, Any]] = []
    for column in contract.columns:
        name = names[column.name]
        known = name in by_name
        element = by_name.setdefault(name, {"name": name})
        if not known:
            properties.append(element)
            _describe(element, column, is_modelled and name in {c.name for c in commerce_model()[table].columns})
        if column.is_key or (not has_key and column.required and column.unique):
            position = 1 + sum(bool(each.get("primaryKey")) for each in properties if each is not element)
            element |= {"primaryKey": True, "primaryKeyPosition": element.get("primaryKeyPosition", position)}
            has_key = True
        rules += _column_rules(element, column, name, contract.mode, _is_key(element, table))
    severity = "warn" if contract.mode is Mode.WARN else "quarantine"
    for at, (_, given, text) in enumerate(contract.checks, 1):
        rule = given if given and "_" in given else f"{given or f'check_{at}'}_of_{table}_holds"
        rules.append(_rule(rule, _renamed(text, names), severity))
    for unique in contract.uniques:
        rules.append(_unique_rule([names[name] for name in unique], contract.mode))
    standing_rules = [rule for rule in schema.get("quality", []) if rule.get("name") not in {r["name"] for r in rules}]
    if standing_rules or rules:
        schema["quality"] = [*standing_rules, *rules]
    if contract.mode is Mode.BLOCK:
        custom = [entry for entry in schema.get("customProperties", []) if entry.get("property") != "enforcement"]
        schema["customProperties"] = [*custom, {"property": "enforcement", "value": "block"}]
    if not has_key and not any(e.get("property") == "kind" for e in schema.get("customProperties", [])):
        schema.setdefault("customProperties", []).append({"property": "kind", "value": "events"})
    return document


def as_yaml(document: Mapping[str, Any], contract: SqlContract, file: str) -> str:
    """The document as a contract file."""
    body = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=110)
    return f"# {contract.name}, from {file}, ENFORCEMENT MODE {contract.mode.upper()}.\n{body}"


def _head(contract: SqlContract, table: str, shop: str) -> dict[str, Any]:
    # SQL does not say where records lie: this is where `aura init` would look, until a person says otherwise.
    place = f"${{{table.upper()}_RECORDS:-records/{table}}}"
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{shop}-{table}".replace("_", "-"),
        "name": contract.name,
        "version": "1.0.0",
        "status": "active",
        "servers": [{"server": table, "type": "local", "path": place, "format": "json"}],
        "schema": [{"name": table}],
    }


def _name_in(written: str, table: str, schema: Mapping[str, Any]) -> str:
    """The column's name in silver: its own, or that of the column that reads a field of this name."""
    properties = schema.get("properties", [])
    model = commerce_model().get(table)
    known = {each["name"] for each in properties} | ({column.name for column in model.columns} if model else set())
    if written in known:
        return written
    for each in properties:
        if each.get("physicalName") == written:
            return str(each["name"])
    longer = f"{table.removesuffix('s')}_{written}"  # `status` of orders is order_status
    return longer if longer in known else written


def _describe(element: dict[str, Any], column: SqlColumn, is_modelled: bool) -> None:
    if element["name"] != column.name:
        element["physicalName"] = column.name
    element["logicalType"] = column.logical_type
    if column.physical_type and not (is_modelled and column.physical_type == "double"):
        element["physicalType"] = column.physical_type


def _is_key(element: Mapping[str, Any], table: str) -> bool:
    model = commerce_model().get(table)
    return bool(element.get("primaryKey")) or (model is not None and element["name"] in model.key)


def _column_rules(
    element: dict[str, Any], column: SqlColumn, name: str, mode: Mode, is_key: bool
) -> list[dict[str, Any]]:
    """The rules of a column; what ODCS has a word for is written into the column itself."""
    severity = "warn" if mode is Mode.WARN else "quarantine"
    rules = []
    if column.comment:
        element["description"] = column.comment
    if column.required and not is_key:
        if mode is Mode.WARN and not element.get("required"):
            rules.append(_rule(f"{name}_is_given", f"{name} is not null", "warn"))
        else:
            element["required"] = True
    if column.values is not None:
        if mode is Mode.WARN:
            listed = ", ".join("'" + value.replace("'", "''") + "'" for value in column.values)
            rules.append(_rule(f"{name}_is_a_known_value", f"{name} in ({listed})", "warn"))
        else:
            element["enum"] = [{"value": value} for value in column.values]
    if column.is_uuid:
        shape = "block" if mode is Mode.BLOCK else severity
        rules.append(_rule(f"{name}_is_a_uuid", f"{name} is null or regexp_matches({name}, '{_UUID}')", shape))
    if column.longest is not None:
        rules.append(
            _rule(f"{name}_is_short_enough_for_{column.longest}", f"length({name}) <= {column.longest}", severity)
        )
    if column.unique and not is_key:
        rules.append(_unique_rule([name], mode))
    if column.references:
        severity_of = [{"property": "severity", "value": "block" if mode is Mode.BLOCK else "warn"}]
        element["relationships"] = [{"to": column.references, "customProperties": severity_of}]
    for at, (_, text) in enumerate(column.conditions, 1):
        written = _plainly(_renamed(text, {column.name: name}))
        rules.append(_rule(_sentence(written, name, at), written, severity))
    return rules


def _plainly(condition: str) -> str:
    """A comparison with a number as people write it: `> 0.0` is `> 0`, so that no rule changes for its spelling."""
    plain = _PLAIN.fullmatch(condition.strip())
    return condition if plain is None else f"{plain[1]} {plain[2]} {_short(plain[3])}"


def _short(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _sentence(condition: str, name: str, at: int) -> str:
    """A name that says what a plain comparison says; else its number."""
    plain = _PLAIN.fullmatch(condition.strip())
    if plain is None or plain[1] != name:
        return f"{name}_keeps_condition_{at}"
    order, number = plain[2].replace("!=", "<>"), plain[3]
    if order in (">", ">=") and float(number) == 0:
        return f"{name}_is_positive" if order == ">" else f"{name}_is_not_negative"
    return f"{name}_{_ORDERS[order]}_{_short(number).replace('-', 'minus_').replace('.', '_')}"


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """An expression with the columns' names in silver; what stands in quotes is left alone."""
    parts = re.split(r"('(?:[^']|'')*')", text)
    for written, name in names.items():
        if written != name:
            parts[::2] = [re.sub(rf"\b{written}\b", name, part, flags=re.IGNORECASE) for part in parts[::2]]
    return "".join(parts)


def _rule(name: str, expression: str, severity: str) -> dict[str, Any]:
    return {"name": name, "type": "custom", "engine": "aura", "implementation": expression, "severity": severity}


def _unique_rule(names: list[str], mode: Mode) -> dict[str, Any]:
    return {
        "name": f"{'_and_'.join(names)}_is_unique",
        "metric": "duplicateValues",
        "mustBe": 0,
        "arguments": {"properties": names},
        "severity": "block" if mode is Mode.BLOCK else "warn",
    }
