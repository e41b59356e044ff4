"""Whether a text is one read-only question on tables of the lake, decided on DuckDB's own parse tree.

The engine that would run the text says how it reads it (`json_serialize_sql`), so nothing can mean one
thing to the gate and another to the engine. Every node of the tree must be of a kind that is known to
read; everything else is refused: a file name where a table stands, a table function, a write inside a
WITH, a setting, a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from aura_lake.errors import QueryError
from aura_lake.query.functions import FUNCTIONS, TABLE_FUNCTIONS

#: A question longer than this is not one that a person wrote.
MAX_CHARACTERS, MAX_DEPTH = 20_000, 200

_QUERIES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_FROM = {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF"}
_MODIFIERS = {"LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER", "DISTINCT_MODIFIER"}
_ORDERS = {"ORDER_DEFAULT", "ASCENDING", "DESCENDING"}
_KNOWN = _QUERIES | _FROM | _MODIFIERS | _ORDERS
_EXPRESSIONS = {
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "LAMBDA_REF",
    "OPERATOR",
    "POSITIONAL_REFERENCE",
    "STAR",
    "SUBQUERY",
    "TYPE",
    "WINDOW",
}

#: Members of a node that say what type a value is cast to; they name no table and call nothing.
_TYPES = {"cast_type", "type_info"}


@dataclass(frozen=True)
class Question:
    """A text that may run, and the tables it names, as (schema, table) in lower case."""

    sql: str
    tables: tuple[tuple[str, str], ...]


def read_question(connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]) -> Question:
    """The question that `sql` is. Raises QueryError where it is none; `tables` (`schema.table`) are those
    it may name, and are listed in the message."""
    if len(sql) > MAX_CHARACTERS:
        raise QueryError(
            f"The query has {len(sql):,} characters; {MAX_CHARACTERS:,} are allowed.", fix="Ask for less at once."
        )
    reading = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
    assert reading is not None
    tree: dict[str, Any] = json.loads(reading[0])
    if tree["error"]:
        raise _unreadable(tree, tables)
    statements = tree["statements"]
    if len(statements) != 1:
        raise QueryError(f"One query at a time: the text holds {len(statements)}.", fix="Ask them one after the other.")
    walk = _Walk(tables)
    walk.query(statements[0]["node"], frozenset(), 0)
    return Question(sql, tuple(sorted(walk.found)))


def _unreadable(tree: dict[str, Any], tables: Collection[str]) -> QueryError:
    if tree.get("error_type") == "not implemented":
        return QueryError(
            "Only SELECT (also WITH … SELECT, UNION, DESCRIBE) may be asked; this is another statement.",
            fix=_list_of(tables),
        )
    message = tree.get("error_message", "")
    return QueryError(f"The SQL cannot be read: {message}.", fix="It is read as DuckDB's dialect.")


class _Walk:
    """One pass over the tree; collects the tables, raises at the first node that is not allowed."""

    def __init__(self, tables: Collection[str]) -> None:
        self._tables = tables
        self.found: set[tuple[str, str]] = set()

    def query(self, node: dict[str, Any], names: frozenset[str], depth: int) -> None:
        """A query node: its WITH names are known below it and nowhere else."""
        if node.get("type") not in _QUERIES:
            raise QueryError(
                f"A query may only read; this one holds a {_words(node.get('type'))}.", fix=_list_of(self._tables)
            )
        entries = node.get("cte_map", {}).get("map", [])
        inside = names | {str(entry["key"]).lower() for entry in entries}
        if node["type"] == "RECURSIVE_CTE_NODE" and node.get("cte_name"):
            inside = inside | {str(node["cte_name"]).lower()}
        for entry in entries:
            self.query(_node(entry["value"]["query_node"]), inside, depth + 1)
            self._rest({k: v for k, v in entry["value"].items() if k != "query_node"}, inside, depth + 1)
        self._rest({key: value for key, value in node.items() if key not in ("cte_map", "type")}, inside, depth)

    def _rest(self, value: Any, names: frozenset[str], depth: int) -> None:
        if depth > MAX_DEPTH:
            raise QueryError(f"The query is nested deeper than {MAX_DEPTH} levels.", fix="Ask for less at once.")
        if isinstance(value, list):
            for element in value:
                self._rest(element, names, depth + 1)
        elif isinstance(value, dict):
            self._one(value, names, depth)

    def _one(self, node: dict[str, Any], names: frozenset[str], depth: int) -> None:
        kind = node.get("type")
        if "class" in node:
            self._expression(node)
        elif isinstance(kind, str):
            if kind in _QUERIES or kind.endswith("_NODE"):
                self.query(node, names, depth)
                return
            self._source(node, kind, names)
        for member, value in node.items():
            if member in _TYPES:
                continue
            if kind == "TABLE_FUNCTION" and member == "function":
                self._rest(value["arguments"], names, depth + 1)
                continue
            self._rest(value, names, depth + 1)

    def _expression(self, node: dict[str, Any]) -> None:
        if node["class"] in ("PARAMETER",):
            raise QueryError("The query holds a parameter (? or $name).", fix="Write the value itself.")
        if node["class"] not in _EXPRESSIONS:
            raise QueryError(f"A query may not hold a {_words(node['class'])} expression.", fix="Write it another way.")
        name = node.get("function_name")
        if name is None:
            return
        if node.get("schema") or node.get("catalog") or str(name).lower() not in FUNCTIONS:
            raise QueryError(
                f"The function {name}() is not one that a query may call.",
                fix="Only functions that look at nothing but their arguments may; query/functions.py has them.",
            )

    def _source(self, node: dict[str, Any], kind: str, names: frozenset[str]) -> None:
        if kind not in _KNOWN:
            raise QueryError(f"A query may not hold a {_words(kind)}.", fix=_list_of(self._tables))
        if kind == "BASE_TABLE":
            self._table(node, names)
        elif kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS or node["function"].get("class") != "FUNCTION":
                raise QueryError(
                    f"The table function {name}() is not one that a query may call.", fix=_list_of(self._tables)
                )
        elif kind == "SHOW_REF" and node.get("query") is None:
            raise QueryError("SHOW is not a question to the lake.", fix=_list_of(self._tables))

    def _table(self, node: dict[str, Any], names: frozenset[str]) -> None:
        path = [str(part).lower() for part in node["qualified_name"]["path"]]
        shown = ".".join(str(part) for part in node["qualified_name"]["path"])
        if node.get("at_clause") is not None:
            raise QueryError(f"{shown}: a query reads the published version only.", fix="Leave AT (…) out.")
        if len(path) == 1 and path[0] in names:
            return
        if len(path) != 2 or ".".join(path) not in self._tables:
            raise QueryError(f"There is no table {shown!r} in this lake.", fix=_list_of(self._tables))
        self.found.add((path[0], path[1]))


def _node(value: dict[str, Any]) -> dict[str, Any]:
    """The query node of a WITH entry, which some versions wrap."""
    inner = value.get("node", value)
    return dict(inner)


def _words(kind: object) -> str:
    return str(kind).removesuffix("_NODE").removesuffix("_QUERY").replace("_", " ")


def _list_of(tables: Collection[str]) -> str:
    return "The tables of this lake: " + ", ".join(_folded(sorted(tables))) + "."


def _folded(tables: list[str]) -> Iterator[str]:
    """Table names, those that differ by suffix alone as one."""
    suffixes = ("_history", "_quarantine", "_log", "_restated")
    for name in tables:
        stem = next((name.removesuffix(s) for s in suffixes if name.endswith(s)), None)
        if stem is not None and stem in tables:
            continue
        mine = [s for s in suffixes if name + s in tables]
        yield f"{name}[{'|'.join(mine)}]" if mine else name
