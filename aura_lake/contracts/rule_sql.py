"""Render a checked expression as SQL for DuckDB or Snowflake, with the meaning it has in Polars.

Timestamps stand in the warehouse as instants (TIMESTAMPTZ in DuckDB, TIMESTAMP_TZ in
Snowflake); intervals are whole microseconds. Every operation is in brackets, names are
quoted (Snowflake's in capitals, as it stores unquoted names).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_polars import (
    DATE_TEXT,
    FIRST_MICROSECOND,
    LANDED_AT,
    LAST_MICROSECOND,
    NUMBER,
    TIME_TEXT,
    WHOLE_NUMBER,
    overflow_limit,
)
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import MAX_DIGITS, RuleType, TypeName

Dialect = Literal["duckdb", "snowflake"]


def to_sql(node: Node, dialect: Dialect) -> str:
    """The SQL of `node`; now() is the column `landed_at`."""
    return _Renderer(dialect).render(node)


_TYPE_NAMES: dict[TypeName, tuple[str, str]] = {
    TypeName.BOOLEAN: ("BOOLEAN", "BOOLEAN"),
    TypeName.INTEGER: ("BIGINT", "NUMBER(38, 0)"),
    TypeName.DOUBLE: ("DOUBLE", "DOUBLE"),
    TypeName.TEXT: ("VARCHAR", "VARCHAR"),
    TypeName.DATE: ("DATE", "DATE"),
    TypeName.TIMESTAMP: ("TIMESTAMPTZ", "TIMESTAMP_TZ"),
    TypeName.INTERVAL: ("BIGINT", "NUMBER(38, 0)"),
    TypeName.NULL: ("VARCHAR", "VARCHAR"),
}

_INFIX = {
    "equal": "=",
    "not_equal": "<>",
    "less": "<",
    "less_or_equal": "<=",
    "greater": ">",
    "greater_or_equal": ">=",
    "not_distinct": "IS NOT DISTINCT FROM",
    "and": "AND",
    "or": "OR",
    "concat": "||",
}

_PLAIN_CALLS = {
    "coalesce": ("COALESCE", "COALESCE"),
    "nullif": ("NULLIF", "NULLIF"),
    "greatest": ("GREATEST", "GREATEST_IGNORE_NULLS"),
    "least": ("LEAST", "LEAST_IGNORE_NULLS"),
    "lower": ("LOWER", "LOWER"),
    "upper": ("UPPER", "UPPER"),
    "length": ("LENGTH", "LENGTH"),
    "starts_with": ("STARTS_WITH", "STARTSWITH"),
    "ends_with": ("ENDS_WITH", "ENDSWITH"),
    "contains": ("CONTAINS", "CONTAINS"),
}

#: Calls whose other arguments are literals.
_SETTING_CALLS = {
    "substring": "SUBSTRING",
    "left": "LEFT",
    "right": "RIGHT",
    "lpad": "LPAD",
    "rpad": "RPAD",
    "replace": "REPLACE",
    "split_part": "SPLIT_PART",
}


@dataclass(frozen=True)
class _Renderer:
    """Writes one expression in one dialect."""

    dialect: Dialect

    @property
    def _snowflake(self) -> bool:
        return self.dialect == "snowflake"

    def render(self, node: Node) -> str:
        """The SQL of one node and all below it."""
        parts = [self.render(part) for part in node.arguments]
        operation = node.operation
        if operation in _INFIX:
            return "(" + f" {_INFIX[operation]} ".join(parts) + ")"
        if operation in _PLAIN_CALLS:
            name = _PLAIN_CALLS[operation][self._snowflake]
            if len(parts) == 1 and operation in {"coalesce", "greatest", "least"}:
                return parts[0]
            return f"{name}({', '.join(parts)})"
        if operation in _SETTING_CALLS:
            given = [self.constant(value) for value in node.settings if value is not None]
            return f"{_SETTING_CALLS[operation]}({', '.join([*parts, *given])})"
        return _SPECIAL[operation](self, node, parts)

    def name(self, column: str) -> str:
        """A quoted column name."""
        written = column.upper() if self._snowflake else column
        return '"' + written.replace('"', '""') + '"'

    def type_name(self, rule_type: RuleType) -> str:
        """A type by the name it has in the dialect."""
        if rule_type.name is TypeName.DECIMAL:
            return f"DECIMAL({rule_type.digits}, {rule_type.scale})"
        return _TYPE_NAMES[rule_type.name][self._snowflake]

    def constant(self, value: object) -> str:
        """A constant, quoted."""
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return f"'{value!r}'"
        if isinstance(value, timedelta):
            return str(value // timedelta(microseconds=1))
        if isinstance(value, datetime):
            zoned = self.type_name(types.TIMESTAMP)
            return f"CAST('{value.strftime('%Y-%m-%d %H:%M:%S.%f')}+00:00' AS {zoned})"
        if isinstance(value, date):
            return f"CAST('{value.isoformat()}' AS DATE)"
        text = str(value).replace("'", "''")
        return "'" + (text.replace("\\", "\\\\") if self._snowflake else text) + "'"

    def cast(self, sql: str, target: RuleType, *, exact: bool = True) -> str:
        """A cast that cannot fail, or (`exact` false) one that gives null where it would.

        Snowflake's TRY_CAST takes text only; there, numbers too large for the target stop
        the statement.
        """
        verb = "CAST" if exact or self._snowflake else "TRY_CAST"
        return f"{verb}({sql} AS {self.type_name(target)})"

    def extract(self, sql: str, pattern: str) -> str:
        """The first group of `pattern` in the text, null where it does not match."""
        portable = self.constant(pattern.replace("(?:", "("))
        if self._snowflake:
            return f"REGEXP_SUBSTR({sql}, {portable}, 1, 1, 'e', 1)"
        return f"NULLIF(REGEXP_EXTRACT({sql}, {portable}, 1), '')"

    def utc(self, sql: str) -> str:
        """An instant as the clock shows it in UTC, and back."""
        return sql if self._snowflake else f"TIMEZONE('UTC', {sql})"


def _column(sql: _Renderer, node: Node, _: list[str]) -> str:
    name = sql.name(str(node.value))
    return _without_nan(sql, name) if node.type == types.DOUBLE else name


def _without_nan(sql: _Renderer, value: str) -> str:
    return f"NULLIF({value}, CAST('NaN' AS {sql.type_name(types.DOUBLE)}))"


def _literal(sql: _Renderer, node: Node, _: list[str]) -> str:
    written = sql.constant(node.value)
    numeric = node.type.is_number or node.type == types.INTERVAL
    return sql.cast(written, node.type) if node.value is None or numeric else written


def _cast(sql: _Renderer, node: Node, parts: list[str]) -> str:
    source, target, value = node.arguments[0].type, node.type, parts[0]
    if source == types.TEXT:
        return _cast_text(sql, value, target)
    if source == types.TIMESTAMP and target == types.DATE:
        return sql.cast(sql.utc(value), types.DATE)
    if source == types.DATE and target == types.TIMESTAMP:
        return value if sql.dialect == "snowflake" else sql.utc(f"CAST({value} AS TIMESTAMP)")
    if source == types.BOOLEAN and target == types.TEXT:
        return f"LOWER({sql.cast(value, target)})"
    return sql.cast(value, target, exact=False)


def _cast_text(sql: _Renderer, text: str, target: RuleType) -> str:
    if target == types.BOOLEAN:
        trimmed = f"LOWER(TRIM({text}, {_blanks(sql)}))"
        return (
            f"CASE {trimmed} WHEN 'true' THEN TRUE WHEN 't' THEN TRUE WHEN '1' THEN TRUE "
            "WHEN 'false' THEN FALSE WHEN 'f' THEN FALSE WHEN '0' THEN FALSE END"
        )
    pattern = {
        TypeName.INTEGER: WHOLE_NUMBER,
        TypeName.DATE: DATE_TEXT,
        TypeName.TIMESTAMP: TIME_TEXT,
    }.get(target.name, NUMBER)
    found = sql.extract(text, pattern)
    if target == types.TIMESTAMP:
        group = "\\\\" if sql.dialect == "snowflake" else "\\"
        found = f"REGEXP_REPLACE({found}, '^(.{{10}})$', '{group}1 00:00:00')"
        found = f"REGEXP_REPLACE({found}, '([T ][0-9:.]+)$', '{group}1+00:00')"
    return f"TRY_CAST({found} AS {sql.type_name(target)})"


def _blanks(sql: _Renderer) -> str:
    return "' \\t\\r\\n'" if sql.dialect == "snowflake" else "E' \\t\\r\\n'"


def _in(_: _Renderer, __: Node, parts: list[str]) -> str:
    return f"({parts[0]} IN ({', '.join(parts[1:])}))"


def _case(_: _Renderer, __: Node, parts: list[str]) -> str:
    pairs = zip(parts[:-1:2], parts[1:-1:2], strict=True)
    branches = " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs)
    return f"CASE {branches} ELSE {parts[-1]} END"


def _like(sql: _Renderer, node: Node, parts: list[str]) -> str:
    pattern, escape = node.settings[1], node.settings[2]
    clause = "" if escape is None else f" ESCAPE {sql.constant(escape)}"
    return f"({parts[0]} LIKE {sql.constant(pattern)}{clause})"


def _arithmetic(sql: _Renderer, node: Node, parts: list[str]) -> str:
    sign = {"add": "+", "subtract": "-", "multiply": "*"}[node.operation]
    left, right = parts
    if node.type == types.INTEGER:
        wide = "NUMBER(38, 0)" if sql.dialect == "snowflake" else "HUGEINT"
        exact = f"CAST({left} AS {wide}) {sign} CAST({right} AS {wide})"
        return sql.cast(exact, node.type, exact=False)
    if node.type == types.DOUBLE:
        return _without_nan(sql, f"({left} {sign} {right})")
    if node.operation == "multiply":
        scales = [part.type.scale for part in node.arguments]
    else:
        scales = [node.type.scale, node.type.scale]
    operands = [
        sql.cast(part, types.decimal(MAX_DIGITS, scale), exact=False) for part, scale in zip(parts, scales, strict=True)
    ]
    result = f"({operands[0]} {sign} {operands[1]})"
    if not node.settings[0]:
        result = f"CASE WHEN {_fits(sql, node, left, right)} THEN {result} END"
    return sql.cast(result, node.type, exact=False)


def _fits(sql: _Renderer, node: Node, left: str, right: str) -> str:
    limit = f"CAST('{overflow_limit(node)!r}' AS {sql.type_name(types.DOUBLE)})"
    sizes = [f"ABS({sql.cast(part, types.DOUBLE)})" for part in (left, right)]
    if node.operation != "multiply":
        return f"{sizes[0]} + {sizes[1]} < {limit}"
    product = f"{sizes[0]} * {sizes[1]} < {limit}"
    return f"{product} AND {sizes[0]} < {limit} AND {sizes[1]} < {limit}"


def _divide(sql: _Renderer, _: Node, parts: list[str]) -> str:
    return _without_nan(sql, f"({parts[0]} / NULLIF({parts[1]}, 0))")


def _negative(sql: _Renderer, node: Node, parts: list[str]) -> str:
    if node.type == types.INTEGER and sql.dialect == "duckdb":
        return f"TRY_CAST(-CAST({parts[0]} AS HUGEINT) AS BIGINT)"
    return f"(-{parts[0]})"


def _abs(sql: _Renderer, node: Node, parts: list[str]) -> str:
    if node.type == types.INTEGER and sql.dialect == "duckdb":
        return f"TRY_CAST(ABS(CAST({parts[0]} AS HUGEINT)) AS BIGINT)"
    return f"ABS({parts[0]})"


def _round(sql: _Renderer, node: Node, parts: list[str]) -> str:
    return sql.cast(f"ROUND({parts[0]}, {node.settings[0]})", node.type, exact=False)


def _trim(sql: _Renderer, node: Node, parts: list[str]) -> str:
    verb = {"BOTH": "TRIM", "LEADING": "LTRIM", "TRAILING": "RTRIM"}[str(node.settings[0])]
    return f"{verb}({parts[0]}, {sql.constant(node.settings[1])})"


def _regexp_matches(sql: _Renderer, node: Node, parts: list[str]) -> str:
    pattern = sql.constant(node.settings[0])
    if sql.dialect == "snowflake":
        return f"(REGEXP_INSTR({parts[0]}, {pattern}) > 0)"
    return f"REGEXP_MATCHES({parts[0]}, {pattern})"


def _regexp_replace(sql: _Renderer, node: Node, parts: list[str]) -> str:
    pattern, new = sql.constant(node.settings[0]), sql.constant(node.settings[1])
    if sql.dialect == "snowflake":
        return f"REGEXP_REPLACE({parts[0]}, {pattern}, {new}, 1, {0 if node.settings[2] else 1})"
    flags = "g" if node.settings[2] else ""
    return f"REGEXP_REPLACE({parts[0]}, {pattern}, {new}, '{flags}')"


def _move(sql: _Renderer, node: Node, parts: list[str]) -> str:
    sign = "" if node.operation == "add_interval" else "-"
    if sql.dialect == "snowflake":
        return f"TIMESTAMPADD(MICROSECOND, {sign}{parts[1]}, {parts[0]})"
    return f"({parts[0]} + TO_MICROSECONDS({sign}{parts[1]}))"


def _time_between(sql: _Renderer, _: Node, parts: list[str]) -> str:
    if sql.dialect == "snowflake":
        return f"TIMESTAMPDIFF(MICROSECOND, {parts[1]}, {parts[0]})"
    return f"(EPOCH_US({parts[0]}) - EPOCH_US({parts[1]}))"


def _days_between(sql: _Renderer, _: Node, parts: list[str]) -> str:
    if sql.dialect == "snowflake":
        return f"DATEDIFF(DAY, {parts[1]}, {parts[0]})"
    return f"({parts[0]} - {parts[1]})"


def _date_trunc(sql: _Renderer, node: Node, parts: list[str]) -> str:
    unit = f"'{node.settings[0]}'"
    if node.type == types.DATE:
        return sql.cast(f"DATE_TRUNC({unit}, {parts[0]})", types.DATE)
    return sql.utc(f"DATE_TRUNC({unit}, {sql.utc(parts[0])})")


def _date_part(sql: _Renderer, node: Node, parts: list[str]) -> str:
    unit = str(node.settings[0])
    if sql.dialect == "snowflake":
        unit = {"isodow": "dayofweekiso", "week": "weekiso"}.get(unit, unit)
    return f"DATE_PART('{unit}', {sql.utc(parts[0])})"


def _from_epoch(sql: _Renderer, node: Node, parts: list[str]) -> str:
    factor = int(str(node.settings[0]))
    low, high = FIRST_MICROSECOND // factor, LAST_MICROSECOND // factor
    micros = f"{parts[0]} * {factor}"
    if sql.dialect == "snowflake":
        moment = f"TIMESTAMPADD(MICROSECOND, {micros}, CAST('1970-01-01 +00:00' AS TIMESTAMP_TZ))"
    else:
        moment = f"TIMEZONE('UTC', MAKE_TIMESTAMP({micros}))"
    return f"CASE WHEN {parts[0]} BETWEEN {low} AND {high} THEN {moment} END"


_SPECIAL: dict[str, Callable[[_Renderer, Node, list[str]], str]] = {
    "column": _column,
    "literal": _literal,
    "landed_at": lambda sql, _node, _parts: sql.name(LANDED_AT),
    "cast": _cast,
    "not": lambda _sql, _node, parts: f"(NOT {parts[0]})",
    "is_null": lambda _sql, _node, parts: f"({parts[0]} IS NULL)",
    "in": _in,
    "case": _case,
    "like": _like,
    "add": _arithmetic,
    "subtract": _arithmetic,
    "multiply": _arithmetic,
    "divide": _divide,
    "modulo": lambda _sql, node, parts: f"({parts[0]} % {node.settings[0]})",
    "negative": _negative,
    "abs": _abs,
    "round": _round,
    "floor": lambda sql, node, parts: sql.cast(f"FLOOR({parts[0]})", node.type),
    "ceil": lambda sql, node, parts: sql.cast(f"CEIL({parts[0]})", node.type),
    "trim": _trim,
    "regexp_matches": _regexp_matches,
    "regexp_replace": _regexp_replace,
    "add_interval": _move,
    "subtract_interval": _move,
    "time_between": _time_between,
    "days_between": _days_between,
    "date_trunc": _date_trunc,
    "date_part": _date_part,
    "from_epoch": _from_epoch,
}

#: Operations this engine renders; equal to those of `rule_polars`.
OPERATIONS = frozenset(_SPECIAL) | _INFIX.keys() | _PLAIN_CALLS.keys() | _SETTING_CALLS.keys()
