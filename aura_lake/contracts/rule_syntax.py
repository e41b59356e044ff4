"""Read the text of an expression and refuse all that is not in the rule language.

sqlglot parses (DuckDB's dialect); the tree is then walked against an allow-list of node
types and of the arguments each may have. A sub-query, an aggregate, a window, a table
function, a star, a parameter or a second statement is a node that is not on the list.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from aura_lake.contracts.rule_functions import FUNCTIONS, allowed_list
from aura_lake.errors import ContractError

MAX_CHARACTERS = 2_000
MAX_DEPTH = 40
#: The parser recurses for each prefix NOT, in C; 2,000 characters of honest text have fewer.
MAX_NOTS = 150
#: Of consecutive signs, for the same reason.
MAX_SIGNS = 8

_OPENING = {TokenType.L_PAREN, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.END}
_SIGNS = {TokenType.DASH, TokenType.PLUS, TokenType.TILDE}
#: Tokens of syntax that the language has nothing of; the parser need not see them.
_FOREIGN = {
    TokenType.ARROW,
    TokenType.DARROW,
    TokenType.FARROW,
    TokenType.PARAMETER,
    TokenType.ANY,
    TokenType.ALL,
    TokenType.SOME,
    TokenType.WITH,
    TokenType.L_BRACE,
    TokenType.L_BRACKET,
}

_ONE = frozenset({"this"})
_TWO = frozenset({"this", "expression"})
_MANY = frozenset({"this", "expressions"})

#: Node types of the language and the arguments each may carry.
ALLOWED: dict[type[exp.Expr], frozenset[str]] = {
    exp.Column: frozenset({"this", "table", "db", "catalog"}),
    exp.Dot: _TWO,
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: _ONE,
    exp.Null: frozenset(),
    exp.Paren: _ONE,
    exp.And: _TWO,
    exp.Or: _TWO,
    exp.Not: _ONE,
    exp.EQ: _TWO,
    exp.NEQ: _TWO,
    exp.LT: _TWO,
    exp.LTE: _TWO,
    exp.GT: _TWO,
    exp.GTE: _TWO,
    exp.Is: _TWO,
    exp.NullSafeEQ: _TWO,
    exp.NullSafeNEQ: _TWO,
    exp.In: _MANY,
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Like: _TWO | {"negate"},
    exp.ILike: _TWO | {"negate"},
    exp.Escape: _TWO,
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.Coalesce: _MANY,
    exp.Nullif: _TWO,
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.DataType: frozenset({"this", "expressions", "nested"}),
    exp.DataTypeParam: _ONE,
    exp.Add: _TWO,
    exp.Sub: _TWO,
    exp.Mul: _TWO,
    exp.Div: _TWO | {"typed", "safe"},
    exp.Mod: _TWO,
    exp.Neg: _ONE,
    exp.DPipe: _TWO | {"safe"},
    exp.Interval: frozenset({"this", "unit"}),
    exp.Var: _ONE,
    exp.Lower: _ONE,
    exp.Upper: _ONE,
    exp.Trim: _TWO | {"position"},
    exp.Length: _ONE,
    exp.Substring: frozenset({"this", "start", "length"}),
    exp.Replace: _TWO | {"replacement"},
    exp.StartsWith: _TWO,
    exp.EndsWith: _TWO,
    exp.Contains: _TWO,
    exp.RegexpLike: _TWO,
    exp.RegexpReplace: _TWO | {"replacement", "modifiers", "single_replace"},
    exp.SplitPart: frozenset({"this", "delimiter", "part_index"}),
    exp.Left: _TWO,
    exp.Right: _TWO,
    exp.Pad: _TWO | {"fill_pattern", "is_left"},
    exp.Abs: _ONE,
    exp.Round: frozenset({"this", "decimals"}),
    exp.Floor: _ONE,
    exp.Ceil: _ONE,
    exp.Greatest: _MANY | {"ignore_nulls"},
    exp.Least: _MANY | {"ignore_nulls"},
    exp.TimestampTrunc: frozenset({"this", "unit"}),
    exp.DateTrunc: frozenset({"this", "unit"}),
    exp.Extract: _TWO,
    exp.Year: _ONE,
    exp.Month: _ONE,
    exp.Day: _ONE,
    exp.Hour: _ONE,
    exp.UnixToTime: frozenset({"this", "scale"}),
    exp.CurrentTimestamp: frozenset(),
    exp.Anonymous: _MANY,
}

#: Functions that sqlglot has no node for.
_ANONYMOUS = {"now": 0, "date_part": 2}


def parse_syntax(text: str) -> exp.Expr:
    """The syntax tree of `text`, of allowed nodes only.

    Raises `ContractError` with the position in the text where something else stands.
    """
    if len(text) > MAX_CHARACTERS:
        raise ContractError(
            f"the expression has {len(text):,} characters; {MAX_CHARACTERS:,} is the most.",
            fix="Split it into several rules.",
        )
    try:
        _refuse_tokens(sqlglot.tokenize(text, read="duckdb"))
        statements = sqlglot.parse(text, read="duckdb")
    except RecursionError:
        raise _too_deep("") from None
    except SqlglotError as error:
        raise ContractError(
            f"the expression does not parse{_error_place(error)}.",
            fix="It is one SQL expression, e.g. order_amount > 0. " + allowed_list(),
        ) from None
    if not any(statements):
        raise ContractError("the expression is empty.", fix="Write one, e.g. order_amount > 0.")
    if len(statements) != 1 or not isinstance(statements[0], exp.Expr):
        raise ContractError(
            f"the text holds {len(statements)} statements; a rule is one expression.",
            fix="Write one expression without a semicolon, e.g. order_amount > 0.",
        )
    tree = statements[0]
    for node, depth in _walk(tree):
        _refuse_unknown(node)
        if depth > MAX_DEPTH:
            raise _too_deep("")
    return tree


def column_name(node: exp.Expr) -> str | None:
    """The dotted name of a column reference, as written; None for any other node."""
    if isinstance(node, exp.Column):
        parts = [part for part in node.parts if isinstance(part, exp.Identifier)]
        return ".".join(part.name for part in parts) if len(parts) == len(node.parts) else None
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = column_name(node.this)
        return None if before is None else f"{before}.{node.expression.name}"
    return None


def column_names(tree: exp.Expr) -> frozenset[str]:
    """Every column that the expression names, in its own spelling."""
    names = (column_name(node) for node, _ in _walk(tree))
    return frozenset(name for name in names if name is not None)


def place(node: exp.Expr) -> str:
    """Where in the text a node stands: ", character 12", or nothing where unknown."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return f", character {min(starts) + 1}" if starts else ""


def _walk(tree: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    """Nodes with their depth; a chain of AND or OR, and a column's parts, is one level."""
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if column_name(node) is not None:
            continue
        for child in node.iter_expressions():
            chained = isinstance(node, (exp.And, exp.Or)) and type(child) is type(node)
            waiting.append((child, depth if chained else depth + 1))


def _refuse_tokens(tokens: list[Token]) -> None:
    """Refuse what the parser should not be asked: foreign syntax, and deep nesting."""
    depth = nots = signs = 0
    for token in tokens:
        if token.token_type in _FOREIGN:
            raise ContractError(
                f"{token.text!r}, character {token.start + 1}, is not part of the rule language.",
                fix=allowed_list(),
            )
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        nots += token.token_type is TokenType.NOT
        signs = signs + 1 if token.token_type in _SIGNS else 0
        if depth > MAX_DEPTH or nots > MAX_NOTS or signs > MAX_SIGNS:
            raise _too_deep(f" at character {token.start + 1}")


def _too_deep(where: str) -> ContractError:
    return ContractError(
        f"the expression is nested more than {MAX_DEPTH} levels deep{where}.",
        fix="Split it into several rules.",
    )


def _refuse_unknown(node: exp.Expr) -> None:
    arguments = ALLOWED.get(type(node))
    if arguments is None:
        raise _not_allowed(node)
    for name, value in node.args.items():
        if name not in arguments and not (value is None or value is False or value == []):
            raise ContractError(
                f"{_label(node)}{place(node)} is used in a form ({name}) that the rule language does not have.",
                fix=allowed_list(),
            )
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        if _ANONYMOUS.get(name, -1) != len(node.expressions):
            raise _not_allowed(node)
    if isinstance(node, (exp.Column, exp.Dot)) and column_name(node) is None:
        raise _not_allowed(node)


def _not_allowed(node: exp.Expr) -> ContractError:
    label = _label(node)
    known = [function.name for function in FUNCTIONS]
    close = difflib.get_close_matches(label, known, n=1)
    hint = f"Did you mean {close[0]}? " if close and close[0] != label else ""
    if isinstance(node, exp.Func) and not isinstance(node, exp.Anonymous) and not hint:
        hint = f'If it is a column, write it in double quotes: "{label}". '
    return ContractError(f"{label!r}{place(node)} is not part of the rule language.", fix=hint + allowed_list())


def _label(node: exp.Expr) -> str:
    """The name an author knows a node by."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func):
        return node.sql_name().lower()
    return {"Star": "*", "Placeholder": "a parameter", "Alias": "two values side by side"}.get(
        type(node).__name__, type(node).__name__.lower()
    )


def _error_place(error: SqlglotError) -> str:
    details = getattr(error, "errors", None)
    return f" at character {details[0]['col']}" if details else ""
