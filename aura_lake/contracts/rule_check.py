"""Give every part of an expression its type, or say what does not fit.

In: the syntax tree of `rule_syntax` and the types of the columns. Out: the typed tree of
`rule_tree`, in which BETWEEN, IS TRUE and CASE x WHEN have become simpler operations and
every conversion is written out, so that no engine converts on its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlglot import exp

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_functions import CAST_TYPES
from aura_lake.contracts.rule_patterns import like_to_regex, matches_text, portable_regex
from aura_lake.contracts.rule_syntax import column_name, place
from aura_lake.contracts.rule_tree import Constant, Node
from aura_lake.contracts.rule_types import RuleType, TypeName
from aura_lake.errors import ContractError

MAX_SIZE = 5_000

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "equal",
    exp.NEQ: "not_equal",
    exp.LT: "less",
    exp.LTE: "less_or_equal",
    exp.GT: "greater",
    exp.GTE: "greater_or_equal",
}

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
TRUNCATE_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute")
PART_UNITS = ("year", "quarter", "month", "week", "day", "isodow", "hour", "minute")

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

_CASTS: dict[TypeName, frozenset[TypeName]] = {
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


def check_types(tree: exp.Expr, columns: Mapping[str, RuleType]) -> Node:
    """The typed tree of `tree` over `columns`.

    Raises `ContractError` for an unknown column, for types that do not mix, for an
    argument that has to be a literal and is not, and for a text that would grow into a
    huge expression.
    """
    return _Checker(columns).check(tree)


class _Checker:
    """One walk over one expression."""

    def __init__(self, columns: Mapping[str, RuleType]) -> None:
        self._columns = columns
        self._handlers: dict[type[exp.Expr], Callable[[Any], Node]] = {
            exp.Literal: self._literal,
            exp.Boolean: lambda node: _constant(types.BOOLEAN, bool(node.this)),
            exp.Null: lambda node: _constant(types.NULL, None),
            exp.Paren: lambda node: self.check(node.this),
            exp.And: lambda node: self._logic("and", node),
            exp.Or: lambda node: self._logic("or", node),
            exp.Not: lambda node: Node("not", types.BOOLEAN, (self._boolean(node.this),)),
            **dict.fromkeys(_COMPARISONS, self._comparison),
            exp.Is: self._is,
            exp.NullSafeEQ: self._not_distinct,
            exp.NullSafeNEQ: lambda node: _not(self._not_distinct(node)),
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
            raise _misfit(node, f"{type(node).__name__.lower()} cannot stand here", "Remove it.")
        checked = handler(node)
        if checked.size > MAX_SIZE:
            raise _misfit(
                node,
                f"the expression grows into more than {MAX_SIZE:,} operations",
                "Split it into several rules, or cast to narrower types first.",
            )
        return checked

    # --- names and constants

    def _column(self, node: exp.Expr, name: str) -> Node:
        found = self._columns.get(name)
        if found is None:
            close = difflib.get_close_matches(name, self._columns, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            listed = ", ".join(sorted(self._columns)) or "none"
            raise _misfit(node, f"there is no column {name!r}", f"{hint}There are: {listed}.")
        return Node("column", found, settings=(name,))

    def _literal(self, node: exp.Literal) -> Node:
        text = str(node.this)
        if node.is_string:
            return _constant(types.TEXT, text)
        digits = text.replace(".", "", 1)
        if not digits.isascii() or not digits.isdigit():
            raise _misfit(
                node,
                f"the number {text} is written in a form the rule language does not have",
                "Write its digits, e.g. 1000 or 0.25.",
            )
        if "." not in text:
            return _constant(types.INTEGER, self._in_range(node, int(text)))
        value = Decimal(text)
        scale = -int(value.as_tuple().exponent)
        if len(digits) > types.MAX_DIGITS:
            raise _misfit(node, f"the number {text} has more than 38 digits", "Use a shorter number.")
        return _constant(types.decimal(max(len(digits.lstrip("0")), scale, 1), scale), value)

    def _in_range(self, node: exp.Expr, value: int) -> int:
        if value >= 2**63:
            raise _misfit(node, f"the number {value} does not fit into 64 bits", "Make it smaller.")
        return value

    def _interval(self, node: exp.Interval) -> Node:
        unit = node.args["unit"].name.lower().removesuffix("s") if node.args.get("unit") else ""
        count = node.this.name if isinstance(node.this, exp.Literal) else ""
        if unit not in _SECONDS or not count.isdigit() or len(count) > 6:
            raise _misfit(
                node,
                "an interval is a whole number of seconds, minutes, hours, days or weeks",
                "Write e.g. interval '30 days'.",
            )
        return _constant(types.INTERVAL, timedelta(seconds=int(count) * _SECONDS[unit]))

    # --- logic

    def _boolean(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if checked.type not in (types.BOOLEAN, types.NULL):
            raise _misfit(
                node,
                f"a condition is needed and this is of type {checked.type}",
                "Compare it with something, e.g. … > 0 or … is not null.",
            )
        return _convert(checked, types.BOOLEAN)

    def _logic(self, operation: str, node: exp.Connector) -> Node:
        parts = [self._boolean(part) for part in node.flatten(unnest=False)]
        return Node(operation, types.BOOLEAN, tuple(parts))

    def _is(self, node: exp.Is) -> Node:
        if isinstance(node.expression, exp.Null):
            return Node("is_null", types.BOOLEAN, (self.check(node.this),))
        if not isinstance(node.expression, exp.Boolean):
            raise _misfit(node, "IS takes null, true or false", "Use = to compare.")
        condition = self._boolean(node.this)
        wanted = condition if node.expression.this else _not(condition)
        return Node("coalesce", types.BOOLEAN, (wanted, _constant(types.BOOLEAN, False)))

    def _not_distinct(self, node: exp.Binary) -> Node:
        left, right = self._alike(node, [self.check(node.this), self.check(node.expression)])
        return Node("not_distinct", types.BOOLEAN, (left, right))

    # --- comparison

    def _comparison(self, node: exp.Binary) -> Node:
        left, right = self._alike(node, [self.check(node.this), self.check(node.expression)])
        return Node(_COMPARISONS[type(node)], types.BOOLEAN, (left, right))

    def _in(self, node: exp.In) -> Node:
        parts = [self.check(part) for part in (node.this, *node.expressions)]
        if len(parts) < 2:
            raise _misfit(node, "IN has no values", "Write e.g. status in ('paid', 'shipped').")
        return Node("in", types.BOOLEAN, tuple(self._alike(node, parts)))

    def _between(self, node: exp.Between) -> Node:
        parts = [self.check(part) for part in (node.this, node.args["low"], node.args["high"])]
        value, low, high = self._alike(node, parts)
        above = Node("greater_or_equal", types.BOOLEAN, (value, low))
        below = Node("less_or_equal", types.BOOLEAN, (value, high))
        return Node("and", types.BOOLEAN, (above, below))

    def _like(self, node: exp.Like | exp.ILike, escape: str | None) -> Node:
        pattern = self._literal_text(node.expression, "The pattern of LIKE")
        folded = pattern.lower() if isinstance(node, exp.ILike) else pattern
        settings = (like_to_regex(folded, escape), folded, escape)
        text = self._text(node.this)
        if isinstance(node, exp.ILike):
            text = Node("lower", types.TEXT, (text,))
        result = Node("like", types.BOOLEAN, (text,), settings)
        return _not(result) if node.args.get("negate") else result

    def _escape(self, node: exp.Escape) -> Node:
        escape = self._literal_text(node.expression, "ESCAPE")
        if not isinstance(node.this, (exp.Like, exp.ILike)) or len(escape) != 1:
            raise _misfit(node, "ESCAPE takes one character, behind LIKE", "E.g. escape '!'.")
        return self._like(node.this, escape)

    def _alike(self, node: exp.Expr, parts: Sequence[Node]) -> list[Node]:
        """The parts converted to the type they have in common."""
        target = types.common_type(part.type for part in parts)
        if target is None:
            others = types.common_type(p.type for p in parts if not _is_text_literal(p))
            if others in (types.DATE, types.TIMESTAMP):
                parts = [_read_time(node, p, others) if _is_text_literal(p) else p for p in parts]
                target = types.common_type(part.type for part in parts)
        if target is None:
            names = " with ".join(dict.fromkeys(str(part.type) for part in parts))
            raise _misfit(
                node,
                f"it compares {names}",
                "Cast one side, e.g. cast(amount as decimal(18,4)) > 0, or quote the number.",
            )
        return [_convert(part, target) for part in parts]

    # --- choice

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
        values.append(self.check(default) if default is not None else _constant(types.NULL, None))
        values = self._alike(node, values)
        arguments = [part for pair in zip(conditions, values, strict=False) for part in pair]
        return Node("case", values[0].type, (*arguments, values[-1]))

    def _coalesce(self, node: exp.Coalesce) -> Node:
        parts = self._alike(node, [self.check(p) for p in (node.this, *node.expressions)])
        return Node("coalesce", parts[0].type, tuple(parts))

    def _nullif(self, node: exp.Nullif) -> Node:
        value, other = self._alike(node, [self.check(node.this), self.check(node.expression)])
        return Node("nullif", value.type, (value, other))

    def _extreme(self, operation: str, node: exp.Greatest | exp.Least) -> Node:
        parts = self._alike(node, [self.check(p) for p in (node.this, *node.expressions)])
        if parts[0].type in (types.BOOLEAN, types.NULL):
            raise _misfit(node, f"{operation} of {parts[0].type}", "Use and / or.")
        return Node(operation, parts[0].type, tuple(parts))

    # --- conversion

    def _cast(self, node: exp.Cast | exp.TryCast) -> Node:
        value = self.check(node.this)
        target = self._cast_target(node)
        if value.type == target and target != types.TEXT:
            return value
        if _is_text_literal(value) and target in (types.DATE, types.TIMESTAMP):
            return _read_time(node, value, target)
        if target.name not in _CASTS[value.type.name]:
            fix = {
                TypeName.DOUBLE: "A double is not exact: read the number as decimal(18,4) "
                "from its text, or multiply by 0.01 instead of dividing by 100.",
                TypeName.TIMESTAMP: "Use date_part, date_trunc or cast(… as date).",
            }.get(value.type.name, f"The types are {CAST_TYPES}.")
            raise _misfit(node, f"{value.type} cannot be cast to {target}", fix)
        return _convert(value, target)

    def _cast_target(self, node: exp.Cast | exp.TryCast) -> RuleType:
        wanted: exp.DataType = node.args["to"]
        name = wanted.this.value if hasattr(wanted.this, "value") else str(wanted.this)
        sizes = [str(size.this) for size in wanted.expressions]
        if name == "DECIMAL" and len(sizes) == 2 and all(size.isdigit() for size in sizes):
            digits, scale = int(sizes[0]), int(sizes[1])
            if 1 <= digits <= 36 and scale <= digits:
                return types.decimal(digits, scale)
            raise _misfit(node, f"decimal({digits},{scale})", "A decimal has 1 to 36 digits, e.g. (18,4).")
        if name in _CAST_TARGETS and not sizes:
            return _CAST_TARGETS[name]
        raise _misfit(node, f"the type {wanted.sql('duckdb')}", f"The types are {CAST_TYPES}.")

    # --- arithmetic

    def _arithmetic(self, operation: str, node: exp.Binary) -> Node:
        left, right = self.check(node.this), self.check(node.expression)
        names = (left.type.name, right.type.name)
        if operation != "multiply" and not (left.type.is_number and right.type.is_number):
            timed = self._time_arithmetic(operation, left, right)
            if timed is not None:
                return timed
        result = types.common_type((left.type, right.type))
        if result is None or not result.is_number or TypeName.NULL in names:
            raise _misfit(
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
                raise _misfit(node, f"the product has {scale} decimals", "Round one side first.")
            # Where 38 digits may not be enough the renderers guard: null on overflow.
            return Node(operation, types.decimal(digits, scale), (left, right), (digits <= 38,))
        pair = (_convert(left, result), _convert(right, result))
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
            pair = (_convert(left, types.TIMESTAMP), _convert(right, types.TIMESTAMP))
            return Node("time_between", types.INTERVAL, pair)
        return None

    def _divide(self, node: exp.Div) -> Node:
        left, right = self._number(node.this), self._number(node.expression)
        pair = (_convert(left, types.DOUBLE), _convert(right, types.DOUBLE))
        return Node("divide", types.DOUBLE, pair)

    def _modulo(self, node: exp.Mod) -> Node:
        left, right = self.check(node.this), self.check(node.expression)
        divisor = right.value if right.is_literal else None
        if left.type != types.INTEGER or right.type != types.INTEGER or not divisor:
            raise _misfit(node, "% takes an integer and a whole number above 0", "Write e.g. quantity % 12.")
        return Node("modulo", types.INTEGER, (left,), (divisor,))

    def _negative(self, node: exp.Neg) -> Node:
        value = self._number(node.this)
        if value.is_literal and isinstance(value.value, (int, Decimal)):
            return _constant(value.type, -value.value)
        return Node("negative", value.type, (value,))

    def _number(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if not checked.type.is_number:
            raise _misfit(
                node,
                f"a number is needed and this is of type {checked.type}",
                "Cast it, e.g. cast(price as decimal(18,4)).",
            )
        return checked

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
                raise _misfit(
                    node,
                    "a double is rounded to whole numbers only",
                    "Read the number as decimal(18,4) from its text; decimals round exactly.",
                )
            return Node("round", types.DOUBLE, (value,), (0,))
        if places >= value.type.scale:
            return value
        digits_left = value.type.digits - value.type.scale + places + 1
        return Node("round", types.decimal(digits_left, places), (value,), (places,))

    # --- text

    def _text(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if checked.type not in (types.TEXT, types.NULL):
            raise _misfit(
                node,
                f"text is needed and this is of type {checked.type}",
                "Cast it, e.g. cast(order_id as varchar).",
            )
        return _convert(checked, types.TEXT)

    def _text_function(self, operation: str, node: exp.Expr, result: RuleType = types.TEXT) -> Node:
        return Node(operation, result, (self._text(node.this),))

    def _part_test(self, operation: str, node: exp.Binary) -> Node:
        return Node(operation, types.BOOLEAN, (self._text(node.this), self._text(node.expression)))

    def _concat(self, node: exp.DPipe) -> Node:
        parts: list[Node] = []
        for part in node.flatten(unnest=False):
            checked = self.check(part)
            if checked.type != types.NULL and TypeName.TEXT not in (
                checked.type.name,
                *_CASTS[checked.type.name],
            ):
                raise _misfit(part, f"|| cannot join {checked.type}", "Cast it to text first.")
            parts.append(_convert(checked, types.TEXT))
        return Node("concat", types.TEXT, tuple(parts))

    def _trim(self, node: exp.Trim) -> Node:
        side = (node.args.get("position") or "BOTH").upper()
        given = node.expression
        characters = " " if given is None else self._literal_text(given, "trim's characters")
        if not characters:
            raise _misfit(node, "trim has no characters to take away", "Leave them out.")
        return Node("trim", types.TEXT, (self._text(node.this),), (side, characters))

    def _substring(self, node: exp.Substring) -> Node:
        start = self._literal_count(node.args.get("start"), "substring's start")
        length = node.args.get("length")
        count = None if length is None else self._literal_count(length, "substring's length")
        if start < 1:
            raise _misfit(node, "substring starts at 0", "The first character is number 1.")
        return Node("substring", types.TEXT, (self._text(node.this),), (start, count))

    def _replace(self, node: exp.Replace) -> Node:
        old = self._literal_text(node.expression, "what replace looks for")
        new = self._literal_text(node.args.get("replacement"), "what replace puts in")
        if not old:
            raise _misfit(node, "replace looks for an empty text", "Give it a character.")
        return Node("replace", types.TEXT, (self._text(node.this),), (old, new))

    def _regexp_matches(self, node: exp.RegexpLike) -> Node:
        pattern = self._literal_text(node.expression, "The pattern")
        regex = portable_regex(pattern)
        return Node("regexp_matches", types.BOOLEAN, (self._text(node.this),), (regex,))

    def _regexp_replace(self, node: exp.RegexpReplace) -> Node:
        regex = portable_regex(self._literal_text(node.expression, "The pattern"))
        new = self._literal_text(node.args.get("replacement"), "The replacement")
        modifiers = node.args.get("modifiers")
        flags = "" if modifiers is None else self._literal_text(modifiers, "The option")
        if flags not in ("", "g") or "\\" in new or "$" in new or matches_text(regex, ""):
            raise _misfit(
                node,
                "regexp_replace takes a pattern that needs at least one character, a "
                "replacement without \\ and $, and no option but 'g'",
                "Write e.g. regexp_replace(phone, '[^0-9]', '', 'g').",
            )
        settings = (regex, new, flags == "g")
        return Node("regexp_replace", types.TEXT, (self._text(node.this),), settings)

    def _split_part(self, node: exp.SplitPart) -> Node:
        separator = self._literal_text(node.args.get("delimiter"), "split_part's separator")
        number = self._literal_count(node.args.get("part_index"), "split_part's number")
        if not separator or not 1 <= number <= 100:
            raise _misfit(node, "split_part has an empty separator or a part not in 1 to 100", "Mend it.")
        return Node("split_part", types.TEXT, (self._text(node.this),), (separator, number))

    def _end_part(self, operation: str, node: exp.Binary) -> Node:
        count = self._literal_count(node.expression, f"{operation}'s count")
        return Node(operation, types.TEXT, (self._text(node.this),), (count,))

    def _pad(self, node: exp.Pad) -> Node:
        length = self._literal_count(node.expression, "the length")
        filler = self._literal_text(node.args.get("fill_pattern"), "the character")
        if len(filler) != 1 or length > 1_000:
            raise _misfit(node, "lpad and rpad fill up to 1,000 with one character", "E.g. lpad(zip, 5, '0').")
        operation = "lpad" if node.args.get("is_left") else "rpad"
        return Node(operation, types.TEXT, (self._text(node.this),), (length, filler))

    # --- time

    def _time(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if _is_text_literal(checked):
            checked = _read_time(node, checked, types.TIMESTAMP)
        if checked.type not in (types.DATE, types.TIMESTAMP):
            raise _misfit(
                node,
                f"a date or timestamp is needed and this is of type {checked.type}",
                "Cast it, e.g. cast(created as timestamp).",
            )
        return checked

    def _unit(self, node: exp.Expr, name: str, units: Sequence[str]) -> str:
        unit = name.lower()
        if unit not in units:
            raise _misfit(node, f"the unit {name.lower()!r}", f"The units are {', '.join(units)}.")
        return unit

    def _date_trunc(self, node: exp.TimestampTrunc | exp.DateTrunc) -> Node:
        unit = self._unit(node, node.args["unit"].name, TRUNCATE_UNITS)
        value = self._time(node.this)
        if value.type == types.DATE and unit in ("hour", "minute"):
            return value
        return Node("date_trunc", value.type, (value,), (unit,))

    def _date_part(self, node: exp.Expr, name: str, of: exp.Expr) -> Node:
        unit = self._unit(node, name, PART_UNITS)
        value = _convert(self._time(of), types.TIMESTAMP)
        return Node("date_part", types.INTEGER, (value,), (unit,))

    def _from_epoch(self, node: exp.UnixToTime) -> Node:
        scale = node.args.get("scale")
        digits = int(scale.name) if scale is not None else 0
        value = self.check(node.this)
        if value.type != types.INTEGER or digits not in (0, 3, 6):
            raise _misfit(
                node,
                f"a whole number is needed and this is of type {value.type}",
                "Cast it, e.g. epoch_ms(cast(ts as bigint)).",
            )
        return Node("from_epoch", types.TIMESTAMP, (value,), (10 ** (6 - digits),))

    def _anonymous(self, node: exp.Anonymous) -> Node:
        if node.name.lower() == "now":
            return Node("landed_at", types.TIMESTAMP)
        unit, value = node.expressions
        return self._date_part(node, self._literal_text(unit, "date_part's unit"), value)

    # --- arguments that must be literals

    def _literal_text(self, node: exp.Expr | None, what: str) -> str:
        if isinstance(node, exp.Literal) and node.is_string:
            return str(node.this)
        raise _misfit(node, f"{what} must be a text in quotes", "Write it out, e.g. 'abc'.")

    def _literal_count(self, node: exp.Expr | None, what: str) -> int:
        if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
            count = int(str(node.this))
            if count <= 10_000:
                return count
        raise _misfit(node, f"{what} must be a whole number from 0", "Write it out, e.g. 2.")


def _constant(rule_type: RuleType, value: Constant) -> Node:
    return Node("literal", rule_type, settings=(value,))


def _not(node: Node) -> Node:
    return Node("not", types.BOOLEAN, (node,))


def _is_text_literal(node: Node) -> bool:
    return node.is_literal and node.type == types.TEXT


def _exact(node: Node) -> Node:
    """An integer as a decimal of as few digits as it needs."""
    if node.type != types.INTEGER:
        return node
    if node.is_literal and isinstance(node.value, int):
        return _constant(types.decimal(len(str(abs(node.value))), 0), Decimal(node.value))
    return _convert(node, types.as_decimal(node.type))


def _convert(node: Node, target: RuleType) -> Node:
    """`node` as `target`; constants are converted here and now."""
    if node.type == target:
        return node
    value = node.value if node.is_literal else None
    if node.type == types.NULL:
        return _constant(target, None)
    if node.is_literal and target.name is TypeName.DECIMAL and isinstance(value, (int, Decimal)):
        exponent = Decimal(1).scaleb(-target.scale)
        if Decimal(value) == Decimal(value).quantize(exponent):
            return _constant(target, Decimal(value).quantize(exponent))
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if is_number and target == types.TEXT:
        return _constant(types.TEXT, format(value, "f") if isinstance(value, Decimal) else str(value))
    return Node("cast", target, (node,))


def _read_time(node: exp.Expr, literal: Node, target: RuleType) -> Node:
    """A date or timestamp written as text; a naive time is in UTC."""
    text = str(literal.value).strip()
    try:
        if target == types.DATE and len(text) == 10:
            return _constant(types.DATE, date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _misfit(node, f"{text!r} is not a {target}", "Write e.g. '2018-01-31' or '2018-01-31 10:00'.") from None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return _constant(types.TIMESTAMP, aware)


def _misfit(node: exp.Expr | None, what: str, fix: str) -> ContractError:
    where = place(node) if node is not None else ""
    return ContractError(f"In the expression{where}: {what}.", fix=fix)
