"""Names of tables, columns, feeds and rules: what they may look like.

They become folders, SQL identifiers and Dagster keys, so they are plain (case 112).
"""

from __future__ import annotations

import re

from aura_lake.contracts.element import Element

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SENTENCE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")

#: Columns that the log, the current table and the history have of their own.
RESERVED_COLUMNS = frozenset(
    {
        "batch",
        "broken_rules",
        "byte_offset",
        "etag",
        "feed_batch",
        "is_current",
        "judgement",
        "landed_at",
        "lane",
        "log_batch",
        "log_period",
        "object",
        "offset",
        "ordinal",
        "outcome",
        "part",
        "partition",
        "reason",
        "topic",
        "valid_from",
        "valid_to",
        "verdict",
        "warnings",
    }
)

_SUFFIXES = ("_log", "_history", "_quarantine", "_restatements")


def is_name(name: str) -> bool:
    """Whether `name` may name a table, column or feed."""
    return _NAME.fullmatch(name) is not None


def check_name(element: Element, key: str, name: str, what: str) -> bool:
    """Whether `name` may name a table, column or feed; a problem is noted where not."""
    if is_name(name):
        return True
    element.problem(
        f"{name!r} cannot name a {what}.",
        "Begin with a small letter; then small letters, digits and _, at most 63 characters.",
        key=key,
    )
    return False


def check_table_name(table: Element, name: str) -> bool:
    """Whether `name` may name a silver table."""
    if name.endswith(_SUFFIXES):
        table.problem(
            f"the table {name!r} would hide another: {', '.join(_SUFFIXES)} are endings of "
            "the tables kept beside each table.",
            "Choose another ending.",
            key="name",
        )
        return False
    return check_name(table, "name", name, "table")


def check_rule_name(rule: Element, name: str | None) -> bool:
    """Whether `name` is a sentence in snake_case."""
    if name is not None and _SENTENCE.fullmatch(name) and len(name) <= 100:
        return True
    rule.problem(
        "the rule has no name." if name is None else f"{name!r} cannot name a rule.",
        "A rule's name is a sentence of at most 100 characters in snake_case, e.g. order_amount_is_positive.",
        key="name",
    )
    return False
