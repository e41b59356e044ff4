"""Read the `properties` of a table into columns: types, sources, keys and privacy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from aura_lake.contracts.contract import Column
from aura_lake.contracts.element import Element
from aura_lake.contracts.names import RESERVED_COLUMNS, check_name
from aura_lake.contracts.problems import did_you_mean

#: Classifications whose columns are hashed before silver, and those that are not.
PERSONAL = ("personal", "personal data", "pii", "sensitive", "sensitive personal data")
NOT_PERSONAL = ("public", "internal", "restricted", "confidential")

#: Money, and every number that says nothing else.
DEFAULT_NUMBER = pl.Decimal(18, 4)

_TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "time": pl.String(),
    "object": pl.String(),
    "array": pl.String(),
    "map": pl.String(),
}

#: logicalTypes that a column of the commerce model also takes.
_WIDENED: dict[str, tuple[str, ...]] = {
    "string": ("string", "integer"),
    "number": ("number", "integer"),
}

_EXACT = re.compile(r"(?:numeric|decimal)\((\d+)(?:,\s*(\d+))?\)", re.IGNORECASE)
_INEXACT = re.compile(r"(?:double|double precision|real|float|float4|float8)", re.IGNORECASE)


def read_columns(table: Element, model: Mapping[str, Column] | None) -> tuple[Column, ...]:
    """The columns of a table; `model` has those of the commerce model's table of that name.

    A column of the model has the model's type and privacy; absent ones are null.
    """
    columns: dict[str, Column] = {}
    for element in table.children("properties"):
        column = _read_column(element, model or {})
        if column is None:
            continue
        if any(column.silver_name == other.silver_name for other in columns.values()):
            element.problem(
                f"two columns would stand in silver as {column.silver_name!r}.",
                "Rename or remove one of them.",
                key="name",
            )
        columns[column.name] = column
    if not columns:
        table.problem("the table has no columns.", "Add `properties:` with name and logicalType.")
    if model is not None:
        _check_names(table, model, columns)
    _check_key_positions(table, columns)
    return tuple(columns.values())


def absent_columns(
    columns: tuple[Column, ...], model: Mapping[str, Column], currency: str | None
) -> tuple[Column, ...]:
    """The model's columns that a contract leaves out: null, the currency the shop's own."""
    present = {column.silver_name for column in columns}
    return tuple(
        replace(
            column,
            source="",
            required=False,
            transform=f"'{currency}'" if column.name == "currency" and currency else "null",
        )
        for column in model.values()
        if column.silver_name not in present
    )


def _read_column(element: Element, model: Mapping[str, Column]) -> Column | None:
    name = element.text("name")
    if name is None or not check_name(element, "name", name, "column"):
        return None
    if name in RESERVED_COLUMNS:
        element.problem(
            f"{name!r} is a column that the log or the history has of its own.",
            f"Name it otherwise and keep the producer's name: physicalName: {name}.",
            key="name",
        )
    modelled = model.get(name)
    logical_type, dtype = _types(element, name, modelled)
    transform = element.text("transformLogic")
    synonyms = tuple(s.text("synonym") or "" for s in element.children("synonyms"))
    source = element.text("physicalName")
    if transform is not None and (source is not None or synonyms):
        element.problem(
            f"{name!r} is computed by transformLogic and also read from a field.",
            "Keep transformLogic, or physicalName and synonyms.",
            key="transformLogic",
        )
    _refuse_nested(element, name)
    key_position = _key_position(element, modelled)
    required = element.flag("required")
    if required is False and key_position is not None:
        element.problem(
            f"{name!r} is part of the key and required: false.",
            "A key is always required: remove `required`, or primaryKey.",
            key="required",
        )
    return Column(
        name=name,
        dtype=dtype,
        logical_type=logical_type,
        physical_type=element.text("physicalType"),
        source=source or name,
        synonyms=synonyms,
        transform=transform,
        required=bool(required) or key_position is not None,
        key_position=key_position,
        personal=_personal(element, name, modelled),
        allowed_values=_allowed_values(element, modelled),
        time_zone=_time_zone(element),
        description=element.text("description") or (modelled.description if modelled else ""),
    )


def type_of(logical_type: str, physical_type: str | None) -> pl.DataType | None:
    """The type in silver of a logicalType, and of a number's physicalType; None where there is none."""
    if logical_type != "number":
        return _TYPES.get(logical_type)
    exact = _EXACT.fullmatch((physical_type or "").strip())
    if exact is None:
        return DEFAULT_NUMBER if physical_type is None else None
    digits, scale = int(exact.group(1)), int(exact.group(2) or 0)
    return pl.Decimal(digits, scale) if 1 <= digits <= 38 and scale <= digits else None


def _types(element: Element, name: str, modelled: Column | None) -> tuple[str, pl.DataType]:
    given = element.text("logicalType")
    if modelled is not None:
        accepted = _WIDENED.get(modelled.logical_type, (modelled.logical_type,))
        if given is not None and given not in accepted:
            element.problem(
                f"{name!r} is {modelled.logical_type} in the commerce model, not {given}.",
                f"Write logicalType: {modelled.logical_type}; transformLogic can compute it.",
                key="logicalType",
            )
        return modelled.logical_type, modelled.dtype
    if given == "number":
        return given, _number_type(element)
    if given in _TYPES:
        return given, _TYPES[given]
    element.problem(
        f"{name!r} has no logicalType that silver knows.",
        f"Add logicalType: one of {', '.join(sorted({*_TYPES, 'number'}))}.",
        key="logicalType",
    )
    return "string", pl.String()


def _number_type(element: Element) -> pl.DataType:
    physical = element.text("physicalType") or ""
    options = element.child("logicalTypeOptions")
    exact = _EXACT.fullmatch(physical.strip())
    if exact:
        digits, scale = int(exact.group(1)), int(exact.group(2) or 0)
        if 1 <= digits <= 38 and scale <= digits:
            return pl.Decimal(digits, scale)
        element.problem(
            f"{physical!r} is not a decimal of 1 to 38 digits.",
            "Write e.g. numeric(18,4).",
            key="physicalType",
        )
    inexact = _INEXACT.fullmatch(physical.strip())
    if inexact or (options is not None and options.value.get("format") in ("f32", "f64")):
        return pl.Float64()
    return DEFAULT_NUMBER


def _refuse_nested(element: Element, name: str) -> None:
    for key in ("properties", "items", "map"):
        if key in element:
            element.problem(
                f"{name!r} holds {key!r}, and columns are flat.",
                "Name each nested field as a column with a dotted path, physicalName: "
                "address.city; or leave it out and keep the JSON as text.",
                key=key,
            )


def _key_position(element: Element, modelled: Column | None) -> int | None:
    is_key = element.flag("primaryKey")
    position = element.integer("primaryKeyPosition")
    if is_key is None and position is None:
        return modelled.key_position if modelled else None
    if not is_key:
        if position is not None and position > 0:
            element.problem(
                "primaryKeyPosition stands without primaryKey: true.",
                "Add primaryKey: true.",
                key="primaryKeyPosition",
            )
        return None
    return position if position is not None and position > 0 else 1


def _personal(element: Element, name: str, modelled: Column | None) -> bool:
    given = element.text("classification")
    folded = given.strip().lower() if given else ""
    if given is not None and folded not in (*PERSONAL, *NOT_PERSONAL):
        element.problem(
            f"the classification {given!r} does not say whether {name!r} is personal.",
            f"{did_you_mean(folded, (*PERSONAL, *NOT_PERSONAL))} Hashed before silver are: {', '.join(PERSONAL)}.",
            key="classification",
        )
    if modelled is None:
        return folded in PERSONAL
    if folded in PERSONAL and not modelled.personal:
        element.problem(
            f"{name!r} stands readable in the commerce model and is classified {given!r} here.",
            "Leave the column out, or keep it hashed under a name of your own.",
            key="classification",
        )
    return modelled.personal


def _allowed_values(element: Element, modelled: Column | None) -> tuple[str, ...] | None:
    entries = element.children("enum")
    modelled_values = modelled.allowed_values if modelled else None
    if not entries:
        return modelled_values
    values = tuple(_as_text(entry.value.get("value")) for entry in entries)
    if modelled_values is not None:
        for value in values:
            if value not in modelled_values:
                element.problem(
                    f"{value!r} is not one of the values the commerce model knows.",
                    f"{did_you_mean(value, modelled_values)} transformLogic can map it.",
                    key="enum",
                )
    return values


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time_zone(element: Element) -> str | None:
    options = element.child("logicalTypeOptions")
    zone = options.text("defaultTimezone") if options else None
    if zone is None or options is None:
        return None
    if not is_time_zone(zone):
        options.problem(f"there is no time zone {zone!r}.", "Write e.g. Europe/Berlin.", key="defaultTimezone")
    return zone


def is_time_zone(name: str) -> bool:
    """Whether `name` is a time zone of the IANA database (the one Polars carries)."""
    try:
        pl.select(pl.lit(0).cast(pl.Datetime("us")).dt.replace_time_zone(name))
    except pl.exceptions.ComputeError:
        return False
    return True


def _check_names(table: Element, model: Mapping[str, Column], columns: Mapping[str, Column]) -> None:
    key = {name for name, column in model.items() if column.key_position is not None}
    for name in sorted(key - columns.keys()):
        table.problem(
            f"the key column {name!r} of the commerce model is missing.",
            f"Add a property {name} with physicalName or transformLogic.",
        )
    for name, column in columns.items():
        if (column.key_position is not None) != (name in key):
            listed = ", ".join(sorted(key)) or "its position"
            table.problem(
                f"{name!r} is {'' if column.key_position else 'not '}part of the key, and the "
                f"key in the commerce model is {listed}.",
                "Leave primaryKey out: the model's key holds.",
            )


def _check_key_positions(table: Element, columns: Mapping[str, Column]) -> None:
    positions = [c.key_position for c in columns.values() if c.key_position is not None]
    if len(positions) != len(set(positions)):
        table.problem(
            "two columns of the key have the same position.",
            "Give each primaryKey: true its own primaryKeyPosition: 1, 2, …",
        )
