"""Give every part of an expression its type, or say what does not fit.

In: the syntax tree of `rule_syntax` and the types of the columns. Out: the typed tree of
`rule_tree`, in which BETWEEN, IS TRUE and CASE x WHEN have become simpler operations and
every conversion is written out, so that no engine converts on its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sqlglot import exp

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_casts import Casts
from aura_lake.contracts.rule_numbers import Numbers
from aura_lake.contracts.rule_operands import compared, constant, folded, misfit, negated
from aura_lake.contracts.rule_syntax import column_name
from aura_lake.contracts.rule_texts import Texts
from aura_lake.contracts.rule_times import Times
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import RuleType

MAX_SIZE = 5_000

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "equal",
    exp.NEQ: "not_equal",
    exp.LT: "less",
    exp.LTE: "less_or_equal",
    exp.GT: "greater",
    exp.GTE: "greater_or_equal",
}


def check_types(tree: exp.Expr, columns: Mapping[str, RuleType]) -> Node:
    """The typed tree of `tree` over `columns`.

    Raises `ContractError` for an unknown column, for types that do not mix, for an
    argument that has to be a literal and is not, and for a text that would grow into a
    huge expression.
    """
    return _Checker(columns).check(tree)


class _Checker(Numbers, Texts, Times, Casts):
    """One walk over one expression."""

    def __init__(self, columns: Mapping[str, RuleType]) -> None:
        self._columns = columns
        self._handlers: dict[type[exp.Expr], Callable[[Any], Node]] = {
            exp.Literal: self._literal,
            exp.Boolean: lambda node: constant(types.BOOLEAN, bool(node.this)),
            exp.Null: lambda node: constant(types.NULL, None),
            exp.Paren: lambda node: self.check(node.this),
            exp.And: lambda node: self._logic("and", node),
            exp.Or: lambda node: self._logic("or", node),
            exp.Not: lambda node: Node("not", types.BOOLEAN, (self._boolean(node.this),)),
            **dict.fromkeys(_COMPARISONS, self._comparison),
            exp.Is: self._is,
            exp.NullSafeEQ: self._not_distinct,
            exp.NullSafeNEQ: lambda node: negated(self._not_distinct(node)),
            exp.In: self._in,
            exp.Between: self._between,
            exp.Like: lambda node: self._like(node, None),
            exp.ILike: lambda node: self._like(node, None),
            exp.Escape: self._escape,
            exp.Case: self._case,
            exp.Coalesce: self._coalesce,
            exp.Nullif: self._nullif,
            exp.Cast: self._cast,
            exp.TryCast: self._cast,
            exp.Add: lambda node: self._arithmetic("add", node),
            exp.Sub: lambda node: self._arithmetic("subtract", node),
            exp.Mul: lambda node: self._arithmetic("multiply", node),
            exp.Div: self._divide,
            exp.Mod: self._modulo,
            exp.Neg: self._negative,
            exp.DPipe: self._concat,
            exp.Interval: self._interval,
            exp.Lower: lambda node: self._text_function("lower", node),
            exp.Upper: lambda node: self._text_function("upper", node),
            exp.Length: lambda node: self._text_function("length", node, types.INTEGER),
            exp.Trim: self._trim,
            exp.Substring: self._substring,
            exp.Replace: self._replace,
            exp.StartsWith: lambda node: self._part_test("starts_with", node),
            exp.EndsWith: lambda node: self._part_test("ends_with", node),
            exp.Contains: lambda node: self._part_test("contains", node),
            exp.RegexpLike: self._regexp_matches,
            exp.RegexpReplace: self._regexp_replace,
            exp.SplitPart: self._split_part,
            exp.Left: lambda node: self._end_part("left", node),
            exp.Right: lambda node: self._end_part("right", node),
            exp.Pad: self._pad,
            exp.Abs: lambda node: self._number_function("abs", node),
            exp.Floor: lambda node: self._whole("floor", node),
            exp.Ceil: lambda node: self._whole("ceil", node),
            exp.Round: self._round,
            exp.Greatest: lambda node: self._extreme("greatest", node),
            exp.Least: lambda node: self._extreme("least", node),
            exp.TimestampTrunc: self._date_trunc,
            exp.DateTrunc: self._date_trunc,
            exp.Extract: lambda node: self._date_part(node, node.this.name, node.expression),
            exp.Year: lambda node: self._date_part(node, "year", node.this),
            exp.Month: lambda node: self._date_part(node, "month", node.this),
            exp.Day: lambda node: self._date_part(node, "day", node.this),
            exp.Hour: lambda node: self._date_part(node, "hour", node.this),
            exp.UnixToTime: self._from_epoch,
            exp.CurrentTimestamp: lambda node: Node("landed_at", types.TIMESTAMP),
            exp.Anonymous: self._anonymous,
        }

    def check(self, node: exp.Expr) -> Node:
        """The typed tree of one node and all below it."""
        name = column_name(node)
        if name is not None:
            return self._column(node, name)
        handler = self._handlers.get(type(node))
        if handler is None:
            raise misfit(node, f"{type(node).__name__.lower()} cannot stand here", "Remove it.")
        checked = folded(handler(node))
        if checked.size > MAX_SIZE:
            raise misfit(
                node,
                f"the expression grows into more than {MAX_SIZE:,} operations",
                "Split it into several rules, or cast to narrower types first.",
            )
        return checked

    def _column(self, node: exp.Expr, name: str) -> Node:
        found = self._columns.get(name)
        if found is None:
            close = difflib.get_close_matches(name, self._columns, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            listed = ", ".join(sorted(self._columns)) or "none"
            raise misfit(node, f"there is no column {name!r}", f"{hint}There are: {listed}.")
        return Node("column", found, settings=(name,))

    def _literal(self, node: exp.Literal) -> Node:
        text = str(node.this)
        if node.is_string:
            return constant(types.TEXT, text)
        digits = text.replace(".", "", 1)
        if not digits.isascii() or not digits.isdigit():
            raise misfit(
                node,
                f"the number {text} is written in a form the rule language does not have",
                "Write its digits, e.g. 1000 or 0.25.",
            )
        if "." not in text:
            return constant(types.INTEGER, self._in_range(node, int(text)))
        value = Decimal(text)
        scale = -int(value.as_tuple().exponent)
        if len(digits) > types.MAX_DIGITS:
            raise misfit(node, f"the number {text} has more than 38 digits", "Use a shorter number.")
        return constant(types.decimal(max(len(digits.lstrip("0")), scale, 1), scale), value)

    def _in_range(self, node: exp.Expr, value: int) -> int:
        if value >= 2**63:
            raise misfit(node, f"the number {value} does not fit into 64 bits", "Make it smaller.")
        return value

    def _logic(self, operation: str, node: exp.Connector) -> Node:
        parts = [self._boolean(part) for part in node.flatten(unnest=False)]
        return Node(operation, types.BOOLEAN, tuple(parts))

    def _is(self, node: exp.Is) -> Node:
        if isinstance(node.expression, exp.Null):
            return Node("is_null", types.BOOLEAN, (self.check(node.this),))
        if not isinstance(node.expression, exp.Boolean):
            raise misfit(node, "IS takes null, true or false", "Use = to compare.")
        condition = self._boolean(node.this)
        wanted = condition if node.expression.this else negated(condition)
        return Node("coalesce", types.BOOLEAN, (wanted, constant(types.BOOLEAN, False)))

    def _not_distinct(self, node: exp.Binary) -> Node:
        left, right = self._alike(node, [self.check(node.this), self.check(node.expression)])
        return compared("not_distinct", left, right)

    def _comparison(self, node: exp.Binary) -> Node:
        left, right = self._alike(node, [self.check(node.this), self.check(node.expression)])
        return compared(_COMPARISONS[type(node)], left, right)

    def _in(self, node: exp.In) -> Node:
        parts = [self.check(part) for part in (node.this, *node.expressions)]
        if len(parts) < 2:
            raise misfit(node, "IN has no values", "Write e.g. status in ('paid', 'shipped').")
        return Node("in", types.BOOLEAN, tuple(self._alike(node, parts)))

    def _between(self, node: exp.Between) -> Node:
        parts = [self.check(part) for part in (node.this, node.args["low"], node.args["high"])]
        value, low, high = self._alike(node, parts)
        above = compared("greater_or_equal", value, low)
        below = compared("less_or_equal", value, high)
        return Node("and", types.BOOLEAN, (above, below))

    def _case(self, node: exp.Case) -> Node:
        conditions: list[Node] = []
        values: list[Node] = []
        for branch in node.args["ifs"]:
            if node.this is None:
                conditions.append(self._boolean(branch.this))
            else:
                compared = exp.EQ(this=node.this.copy(), expression=branch.this.copy())
                conditions.append(self.check(compared))
            values.append(self.check(branch.args["true"]))
        default = node.args.get("default")
        values.append(self.check(default) if default is not None else constant(types.NULL, None))
        return self._chosen(conditions, self._alike(node, values))

    def _chosen(self, conditions: list[Node], values: list[Node]) -> Node:
        """CASE without the branches that are never taken, or that are always."""
        pairs: list[Node] = []
        default = values[-1]
        for condition, value in zip(conditions, values, strict=False):
            if not condition.is_literal:
                pairs += [condition, value]
            elif condition.value is True:
                default = value
                break
        return Node("case", default.type, (*pairs, default)) if pairs else default

    def _coalesce(self, node: exp.Coalesce) -> Node:
        parts = self._alike(node, [self.check(p) for p in (node.this, *node.expressions)])
        reached: list[Node] = []
        for part in parts:
            if not (part.is_literal and part.value is None):
                reached.append(part)
            if part.is_literal and part.value is not None:
                break  # nothing behind it is ever looked at
        if len(reached) < 2:
            return reached[0] if reached else parts[0]
        return Node("coalesce", parts[0].type, tuple(reached))

    def _nullif(self, node: exp.Nullif) -> Node:
        value, other = self._alike(node, [self.check(node.this), self.check(node.expression)])
        return Node("nullif", value.type, (value, other))

    def _extreme(self, operation: str, node: exp.Greatest | exp.Least) -> Node:
        parts = self._alike(node, [self.check(p) for p in (node.this, *node.expressions)])
        if parts[0].type in (types.BOOLEAN, types.NULL):
            raise misfit(node, f"{operation} of {parts[0].type}", "Use and / or.")
        return Node(operation, parts[0].type, tuple(parts))
