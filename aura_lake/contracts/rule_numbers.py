"""Types of arithmetic, and of the functions on numbers."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_operands import Operands, constant, convert, misfit
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import TypeName


class Numbers(Operands):
    """Sums, products, quotients, remainders and roundings; sums of times too."""

    def _arithmetic(self, operation: str, node: exp.Binary) -> Node:
        left, right = self.check(node.this), self.check(node.expression)
        names = (left.type.name, right.type.name)
        if operation != "multiply" and not (left.type.is_number and right.type.is_number):
            timed = self._time_arithmetic(operation, left, right)
            if timed is not None:
                return timed
        result = types.common_type((left.type, right.type))
        if result is None or not result.is_number or TypeName.NULL in names:
            raise misfit(
                node,
                f"it mixes {left.type} with {right.type}",
                "Cast both sides to numbers, e.g. cast(price as decimal(18,4)).",
            )
        if result.name is TypeName.DECIMAL:
            left, right = _exact(left), _exact(right)
            a, b = left.type, right.type
            if operation == "multiply":
                scale, digits = a.scale + b.scale, a.digits + b.digits
            else:
                scale = max(a.scale, b.scale)
                digits = max(a.digits - a.scale, b.digits - b.scale) + 1 + scale
            if scale >= types.MAX_DIGITS:
                raise misfit(node, f"the product has {scale} decimals", "Round one side first.")
            # Where 38 digits may not be enough the renderers guard: null on overflow.
            return Node(operation, types.decimal(digits, scale), (left, right), (digits <= 38,))
        pair = (convert(left, result), convert(right, result))
        return Node(operation, result, pair, (True,))

    def _time_arithmetic(self, operation: str, left: Node, right: Node) -> Node | None:
        names = (left.type.name, right.type.name)
        if names == (TypeName.TIMESTAMP, TypeName.INTERVAL):
            return Node(f"{operation}_interval", types.TIMESTAMP, (left, right))
        if names == (TypeName.INTERVAL, TypeName.TIMESTAMP) and operation == "add":
            return Node("add_interval", types.TIMESTAMP, (right, left))
        if operation == "subtract" and names == (TypeName.DATE, TypeName.DATE):
            return Node("days_between", types.INTEGER, (left, right))
        times = {TypeName.TIMESTAMP, TypeName.DATE}
        if operation == "subtract" and set(names) <= times:
            pair = (convert(left, types.TIMESTAMP), convert(right, types.TIMESTAMP))
            return Node("time_between", types.INTERVAL, pair)
        return None

    def _divide(self, node: exp.Div) -> Node:
        left, right = self._number(node.this), self._number(node.expression)
        pair = (convert(left, types.DOUBLE), convert(right, types.DOUBLE))
        return Node("divide", types.DOUBLE, pair)

    def _modulo(self, node: exp.Mod) -> Node:
        left, right = self.check(node.this), self.check(node.expression)
        divisor = right.value if right.is_literal else None
        if left.type != types.INTEGER or right.type != types.INTEGER or not divisor:
            raise misfit(node, "% takes an integer and a whole number above 0", "Write e.g. quantity % 12.")
        return Node("modulo", types.INTEGER, (left,), (divisor,))

    def _negative(self, node: exp.Neg) -> Node:
        value = self._number(node.this)
        if value.is_literal and isinstance(value.value, (int, Decimal)):
            return constant(value.type, -value.value)
        return Node("negative", value.type, (value,))

    def _number_function(self, operation: str, node: exp.Unary) -> Node:
        value = self._number(node.this)
        return Node(operation, value.type, (value,))

    def _whole(self, operation: str, node: exp.Unary) -> Node:
        value = self._number(node.this)
        if value.type.name is TypeName.DECIMAL:
            digits = value.type.digits - value.type.scale + 1
            return Node(operation, types.decimal(digits, 0), (value,))
        return value if value.type == types.INTEGER else Node(operation, value.type, (value,))

    def _round(self, node: exp.Round) -> Node:
        value = self._number(node.this)
        digits = node.args.get("decimals")
        places = 0 if digits is None else self._literal_count(digits, "round's second argument")
        if value.type == types.INTEGER:
            return value
        if value.type == types.DOUBLE:
            if places:
                raise misfit(
                    node,
                    "a double is rounded to whole numbers only",
                    "Read the number as decimal(18,4) from its text; decimals round exactly.",
                )
            return Node("round", types.DOUBLE, (value,), (0,))
        if places >= value.type.scale:
            return value
        digits_left = value.type.digits - value.type.scale + places + 1
        return Node("round", types.decimal(digits_left, places), (value,), (places,))


def _exact(node: Node) -> Node:
    """An integer as a decimal of as few digits as it needs."""
    if node.type != types.INTEGER:
        return node
    if node.is_literal and isinstance(node.value, int):
        return constant(types.decimal(len(str(abs(node.value))), 0), Decimal(node.value))
    return convert(node, types.as_decimal(node.type))
