"""Types of CAST: which value may become which."""

from __future__ import annotations

from sqlglot import exp

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_functions import CAST_TYPES
from aura_lake.contracts.rule_operands import Operands, convert, is_text_literal, misfit, read_time
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import RuleType, TypeName

_CAST_TARGETS: dict[str, RuleType] = {
    "TEXT": types.TEXT,
    "VARCHAR": types.TEXT,
    "INT": types.INTEGER,
    "BIGINT": types.INTEGER,
    "DOUBLE": types.DOUBLE,
    "BOOLEAN": types.BOOLEAN,
    "DATE": types.DATE,
    "TIMESTAMP": types.TIMESTAMP,
    "TIMESTAMPNTZ": types.TIMESTAMP,
    "TIMESTAMPTZ": types.TIMESTAMP,
}

CASTS: dict[TypeName, frozenset[TypeName]] = {
    TypeName.NULL: frozenset(TypeName),
    TypeName.TEXT: frozenset(TypeName) - {TypeName.NULL, TypeName.INTERVAL},
    TypeName.BOOLEAN: frozenset({TypeName.TEXT, TypeName.INTEGER}),
    TypeName.INTEGER: frozenset({TypeName.TEXT, TypeName.DECIMAL, TypeName.DOUBLE}),
    TypeName.DECIMAL: frozenset({TypeName.TEXT, TypeName.INTEGER, TypeName.DECIMAL, TypeName.DOUBLE}),
    TypeName.DOUBLE: frozenset({TypeName.DOUBLE}),
    TypeName.DATE: frozenset({TypeName.TEXT, TypeName.TIMESTAMP}),
    TypeName.TIMESTAMP: frozenset({TypeName.DATE, TypeName.TIMESTAMP}),
    TypeName.INTERVAL: frozenset(),
}


class Casts(Operands):
    """CAST, which is TRY_CAST."""

    def _cast(self, node: exp.Cast | exp.TryCast) -> Node:
        value = self.check(node.this)
        target = self._cast_target(node)
        if value.type == target and target != types.TEXT:
            return value
        if is_text_literal(value) and target in (types.DATE, types.TIMESTAMP):
            return read_time(node, value, target)
        if target.name not in CASTS[value.type.name]:
            fix = {
                TypeName.DOUBLE: "A double is not exact: read the number as decimal(18,4) "
                "from its text, or multiply by 0.01 instead of dividing by 100.",
                TypeName.TIMESTAMP: "Use date_part, date_trunc or cast(… as date).",
            }.get(value.type.name, f"The types are {CAST_TYPES}.")
            raise misfit(node, f"{value.type} cannot be cast to {target}", fix)
        return convert(value, target)

    def _cast_target(self, node: exp.Cast | exp.TryCast) -> RuleType:
        wanted: exp.DataType = node.args["to"]
        name = wanted.this.value if hasattr(wanted.this, "value") else str(wanted.this)
        sizes = [str(size.this) for size in wanted.expressions]
        if name == "DECIMAL" and len(sizes) == 2 and all(size.isdigit() for size in sizes):
            digits, scale = int(sizes[0]), int(sizes[1])
            if 1 <= digits <= 36 and scale <= digits:
                return types.decimal(digits, scale)
            raise misfit(node, f"decimal({digits},{scale})", "A decimal has 1 to 36 digits, e.g. (18,4).")
        if name in _CAST_TARGETS and not sizes:
            return _CAST_TARGETS[name]
        raise misfit(node, f"the type {wanted.sql('duckdb')}", f"The types are {CAST_TYPES}.")
