"""Parse and type every expression of a contract, so that a wrong one fails before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from aura_lake.contracts.contract import Column, Contract, RowRule
from aura_lake.contracts.custom_properties import CustomProperties
from aura_lake.contracts.element import Element
from aura_lake.contracts.quality import PlacedRule
from aura_lake.contracts.rules import Expression, parse_expression, producer_dtypes
from aura_lake.errors import ContractError


def check_expressions(
    table: Element,
    custom: CustomProperties,
    contract: Contract,
    columns: Sequence[Column],
    placed: Sequence[PlacedRule],
) -> None:
    """Note every expression of `contract` that does not parse or does not fit its types.

    Filters and transformLogic read the producer's fields, which are text; rules read the
    table's own `columns`.
    """
    dtypes = {column.name: column.dtype for column in columns}
    elements = {e.value.get("name"): e for e in table.children("properties")}
    if contract.filter is not None:
        what = _wrong_filter(contract.filter)
        if what is not None:
            custom.problem("filter", f"the filter is wrong: {what.what}", what.fix)
    for column in columns:
        if column.transform is not None:
            what = _wrong_transform(column)
            if what is not None:
                elements[column.name].problem(
                    f"the transformLogic of {column.name!r} is wrong: {what.what}",
                    what.fix,
                    key="transformLogic",
                )
    for rule in placed:
        what = _wrong_rule(rule.rule, dtypes)
        if what is not None:
            rule.element.problem(f"the rule {rule.rule.name!r} is wrong: {what.what}", what.fix, key=rule.key)


def _wrong_filter(text: str) -> ContractError | None:
    try:
        expression = parse_expression(text)
        return _not_a_condition(expression, producer_dtypes(expression.columns))
    except ContractError as error:
        return error


def _wrong_rule(rule: RowRule, dtypes: Mapping[str, pl.DataType]) -> ContractError | None:
    try:
        expression = parse_expression(rule.expression)
        wrong = _not_a_condition(expression, dtypes)
    except ContractError as error:
        return error
    if wrong is None and not expression.columns:
        return ContractError("it names no column.", fix="A rule looks at the row it judges.")
    return wrong


def _not_a_condition(expression: Expression, dtypes: Mapping[str, pl.DataType]) -> ContractError | None:
    dtype = expression.dtype(dtypes)
    if isinstance(dtype, pl.Boolean):
        return None
    return ContractError(f"it is a value of type {dtype}, not a condition.", fix="Compare it, e.g. … > 0.")


def _wrong_transform(column: Column) -> ContractError | None:
    try:
        expression = parse_expression(column.transform or "")
        dtype = expression.dtype(producer_dtypes(expression.columns))
    except ContractError as error:
        return error
    if _may_become(dtype, column.dtype):
        return None
    return ContractError(
        f"it gives {dtype}, and the column is {column.logical_type} ({column.dtype}).",
        fix="Cast it, e.g. cast(… as decimal(18,4)). Text is read as if the producer had sent it.",
    )


def _may_become(dtype: pl.DataType, target: pl.DataType) -> bool:
    """Whether a computed value may stand in a column without losing anything unseen."""
    if isinstance(dtype, (pl.String, pl.Null)):
        return True
    if isinstance(target, pl.String):
        return isinstance(dtype, (pl.Int64, pl.Decimal, pl.Boolean, pl.Date))
    if isinstance(target, pl.Decimal):
        return isinstance(dtype, (pl.Int64, pl.Decimal))
    if isinstance(target, pl.Float64):
        return isinstance(dtype, (pl.Int64, pl.Decimal, pl.Float64))
    return dtype == target
