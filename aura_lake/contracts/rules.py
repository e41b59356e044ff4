"""The rule language: a small part of DuckDB's SQL, for rules, filters and transformLogic.

An expression is parsed once, checked against the types of the columns it names, and
rendered for Polars, DuckDB and Snowflake with one meaning:

* three-valued logic; `x in (…, null)` is true or null;
* CAST is TRY_CAST: what does not fit is null, and no row ever raises;
* text and numbers do not compare; decimals are exact, `/` yields a double, division by
  zero is null, overflow is null, NaN is null;
* timestamps are UTC instants; `now()` is the record's landing time.

docs/contracts.md has the whole language for its users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl
from sqlglot import exp

from aura_lake.contracts import rule_polars, rule_sql, rule_types
from aura_lake.contracts.rule_check import check_types
from aura_lake.contracts.rule_sql import Dialect
from aura_lake.contracts.rule_syntax import column_names, parse_syntax
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import RuleType
from aura_lake.errors import ContractError

#: Names that stand for a record's position, with the types they have.
POSITION_WORDS: Mapping[str, pl.DataType] = {
    "_object": pl.String(),
    "_etag": pl.String(),
    "_ordinal": pl.Int64(),
    "_part": pl.Int64(),
    "_offset": pl.Int64(),
}


@dataclass(frozen=True)
class Expression:
    """One parsed expression of the rule language.

    `columns` are the names it uses, as written (a nested field by its dotted path,
    position words included; now() names no column but reads `landed_at`).
    """

    text: str
    columns: frozenset[str]
    _tree: exp.Expr = field(repr=False, compare=False)

    @cached_property
    def uses_landing_time(self) -> bool:
        """Whether it calls now(), so that Polars needs the column `landed_at`."""
        return any(
            isinstance(node, exp.CurrentTimestamp) or (isinstance(node, exp.Anonymous) and node.name.lower() == "now")
            for node in self._tree.walk()
        )

    def dtype(self, dtypes: Mapping[str, pl.DataType]) -> pl.DataType:
        """The type of the result over columns of `dtypes`; `ContractError` as `to_polars`."""
        return rule_types.to_polars(self._checked(dtypes).type)

    def to_polars(self, dtypes: Mapping[str, pl.DataType]) -> pl.Expr:
        """The expression for Polars, over columns of `dtypes`; it never raises on a row.

        Position words need no entry in `dtypes`, but the frame has to hold the columns.
        An expression that names no column is a literal of length one: use it where Polars
        broadcasts (`with_columns`, `filter`).

        Raises `ContractError` where a column is unknown or the types do not fit.
        """
        return rule_polars.to_polars(self._checked(dtypes))

    def to_sql(self, dialect: Dialect, dtypes: Mapping[str, pl.DataType]) -> str:
        """The expression as SQL of `dialect`, over columns of `dtypes`; errors as `to_polars`."""
        return rule_sql.to_sql(self._checked(dtypes), dialect)

    def _checked(self, dtypes: Mapping[str, pl.DataType]) -> Node:
        known: dict[str, RuleType] = {}
        for name, dtype in {**POSITION_WORDS, **dtypes}.items():
            rule_type = rule_types.from_polars(dtype)
            if rule_type is not None:
                known[name] = rule_type
            elif name in self.columns:
                raise ContractError(
                    f"the column {name!r} is of type {dtype}, which expressions cannot read.",
                    fix="Declare it as string, number, integer, boolean, date or timestamp.",
                )
        return check_types(self._tree, known)


def parse_expression(text: str) -> Expression:
    """`text` as an expression.

    Raises `ContractError`, with the character and what is allowed, where the text is not
    one expression of the rule language.
    """
    tree = parse_syntax(text)
    return Expression(text, column_names(tree), tree)


def producer_dtypes(columns: Iterable[str]) -> dict[str, pl.DataType]:
    """Types of a producer's fields in filters and transformLogic: all are text.

    Position words keep their own types.
    """
    return {name: POSITION_WORDS.get(name, pl.String()) for name in columns}
