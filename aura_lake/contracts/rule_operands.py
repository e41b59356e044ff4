"""What the parts of an expression are made of: typed nodes, conversions, literal arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
from sqlglot import exp

from aura_lake.contracts import rule_polars
from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_syntax import place
from aura_lake.contracts.rule_tree import Constant, Node
from aura_lake.contracts.rule_types import RuleType, TypeName
from aura_lake.errors import ContractError


class Operands(ABC):
    """Checks a node and asks that it be of some kind."""

    @abstractmethod
    def check(self, node: exp.Expr) -> Node:
        """The typed tree of one node and all below it."""

    def _boolean(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if checked.type not in (types.BOOLEAN, types.NULL):
            raise misfit(
                node,
                f"a condition is needed and this is of type {checked.type}",
                "Compare it with something, e.g. … > 0 or … is not null.",
            )
        return convert(checked, types.BOOLEAN)

    def _number(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if not checked.type.is_number:
            raise misfit(
                node,
                f"a number is needed and this is of type {checked.type}",
                "Cast it, e.g. cast(price as decimal(18,4)).",
            )
        return checked

    def _text(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if checked.type not in (types.TEXT, types.NULL):
            raise misfit(
                node,
                f"text is needed and this is of type {checked.type}",
                "Cast it, e.g. cast(order_id as varchar).",
            )
        return convert(checked, types.TEXT)

    def _time(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if is_text_literal(checked):
            checked = read_time(node, checked, types.TIMESTAMP)
        if checked.type not in (types.DATE, types.TIMESTAMP):
            raise misfit(
                node,
                f"a date or timestamp is needed and this is of type {checked.type}",
                "Cast it, e.g. cast(created as timestamp).",
            )
        return checked

    def _alike(self, node: exp.Expr, parts: Sequence[Node]) -> list[Node]:
        """The parts converted to the type they have in common."""
        target = types.common_type(part.type for part in parts)
        if target is None:
            others = types.common_type(p.type for p in parts if not is_text_literal(p))
            if others in (types.DATE, types.TIMESTAMP):
                parts = [read_time(node, p, others) if is_text_literal(p) else p for p in parts]
                target = types.common_type(part.type for part in parts)
        if target is None:
            names = " with ".join(dict.fromkeys(str(part.type) for part in parts))
            raise misfit(
                node,
                f"it compares {names}",
                "Cast one side, e.g. cast(amount as decimal(18,4)) > 0, or quote the number.",
            )
        return [convert(part, target) for part in parts]

    def _literal_text(self, node: exp.Expr | None, what: str) -> str:
        if isinstance(node, exp.Literal) and node.is_string:
            return str(node.this)
        raise misfit(node, f"{what} must be a text in quotes", "Write it out, e.g. 'abc'.")

    def _literal_count(self, node: exp.Expr | None, what: str) -> int:
        if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
            count = int(str(node.this))
            if count <= 10_000:
                return count
        raise misfit(node, f"{what} must be a whole number from 0", "Write it out, e.g. 2.")


def constant(rule_type: RuleType, value: Constant) -> Node:
    return Node("literal", rule_type, settings=(value,))


def negated(node: Node) -> Node:
    return Node("not", types.BOOLEAN, (node,))


_MIRRORED = {
    "less": "greater",
    "less_or_equal": "greater_or_equal",
    "greater": "less",
    "greater_or_equal": "less_or_equal",
}


def compared(operation: str, left: Node, right: Node) -> Node:
    """A comparison, with a literal on its right.

    Polars 2.1 gives one row for a decimal literal on the left of a column that happens to
    hold one value throughout.
    """
    if left.is_literal and not right.is_literal:
        left, right, operation = right, left, _MIRRORED.get(operation, operation)
    return Node(operation, types.BOOLEAN, (left, right))


def is_text_literal(node: Node) -> bool:
    return node.is_literal and node.type == types.TEXT


def convert(node: Node, target: RuleType) -> Node:
    """`node` as `target`; constants are converted here and now."""
    if node.type == target:
        return node
    value = node.value if node.is_literal else None
    if node.type == types.NULL:
        return constant(target, None)
    if node.is_literal and target.name is TypeName.DECIMAL and isinstance(value, (int, Decimal)):
        exponent = Decimal(1).scaleb(-target.scale)
        if Decimal(value) == Decimal(value).quantize(exponent):
            return constant(target, Decimal(value).quantize(exponent))
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if is_number and target == types.TEXT:
        return constant(types.TEXT, format(value, "f") if isinstance(value, Decimal) else str(value))
    return folded(Node("cast", target, (node,)))


def folded(node: Node) -> Node:
    """`node` as a literal where all it is applied to are literals.

    Besides being quicker, Polars gives an expression without columns one row and at times
    forgets that it may be repeated.
    """
    if node.arguments and all(argument.is_literal for argument in node.arguments):
        return constant(node.type, pl.select(rule_polars.to_polars(node)).item())
    return node


def read_time(node: exp.Expr, literal: Node, target: RuleType) -> Node:
    """A date or timestamp written as text; a naive time is in UTC."""
    text = str(literal.value).strip()
    try:
        if target == types.DATE and len(text) == 10:
            return constant(types.DATE, date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise misfit(node, f"{text!r} is not a {target}", "Write e.g. '2018-01-31' or '2018-01-31 10:00'.") from None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return constant(types.TIMESTAMP, aware)


def misfit(node: exp.Expr | None, what: str, fix: str) -> ContractError:
    where = place(node) if node is not None else ""
    return ContractError(f"In the expression{where}: {what}.", fix=fix)
