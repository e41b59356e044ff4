"""A rule's expression after checking: a small typed tree that every engine renders."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from aura_lake.contracts.rule_types import RuleType

#: What a literal holds. Timestamps are aware and in UTC.
Constant = bool | int | float | Decimal | str | date | datetime | timedelta | None

#: How often a renderer writes the arguments of an operation, where it is not once:
#: guards against overflow name them again.
_COPIES = {
    "add": 3,
    "subtract": 3,
    "multiply": 3,
    "modulo": 2,
    "nullif": 2,
    "not_distinct": 2,
    "from_epoch": 2,
    "lpad": 3,
    "rpad": 3,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One operation and what it is applied to.

    `operation` is a key of the renderers in `rule_polars` and `rule_sql`. `settings` are
    the arguments that must be literals (a pattern, a unit, a number of characters).
    """

    operation: str
    type: RuleType
    arguments: tuple[Node, ...] = ()
    settings: tuple[Constant, ...] = ()
    #: How many operations rendering gives, at most. A short text could become a huge
    #: expression, since some operations are written out several times.
    size: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        copies = _COPIES.get(self.operation, 1)
        if self.operation == "in":
            copies = len(self.arguments)
        total = 1 + copies * sum(argument.size for argument in self.arguments)
        object.__setattr__(self, "size", total)

    @property
    def value(self) -> Constant:
        """The constant of a literal, or the name of a column."""
        return self.settings[0]

    @property
    def is_literal(self) -> bool:
        """Whether the node is a constant."""
        return self.operation == "literal"
