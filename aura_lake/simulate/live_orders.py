"""The life of an order in a live shop: the same states as ever, at a pace that can be watched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from aura_lake.simulate.live_plan import DAYS_ARE_MINUTES
from aura_lake.simulate.rows import Change, Order, Payment, Row
from aura_lake.simulate.statements import Statement, Verb

_VERBS = {"c": Verb.INSERT, "u": Verb.UPDATE, "d": Verb.DELETE}


class LiveOrder:
    """An order with everything that will happen to it, a transaction for each instant of `changes`.

    When a transaction is due is planned; when it happens is told by whoever runs it, and that time stands in the
    rows, of this transaction and of those that come.
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        self._groups = [tuple(group) for _, group in groupby(changes, key=lambda change: change.at_us)]
        self._next = 0
        self._moments: dict[int, int] = {}  #: planned time -> the time at which it happened

    def attempt(self, at_us: int) -> tuple[Change, ...]:
        """The changes of the next transaction, if it happens at `at_us`. It may be attempted again."""
        group = self._groups[self._next]
        self._moments[group[0].at_us] = at_us
        return tuple(change._replace(at_us=at_us, row=_restamped(change.row, self._moments)) for change in group)

    def happened(self) -> int | None:
        """The attempted transaction was committed: when the next one is due, None after the last."""
        group = self._groups[self._next]
        self._next += 1
        if self._next == len(self._groups):
            return None
        planned_us = self._groups[self._next][0].at_us - group[0].at_us
        return self._moments[group[0].at_us] + planned_us // DAYS_ARE_MINUTES


def statements_of(changes: Iterable[Change]) -> tuple[Statement, ...]:
    """One statement for each run of changes that do the same to the same table."""
    runs = groupby(changes, key=lambda change: (change.table, change.op))
    return tuple(Statement(_VERBS[op], table, tuple(change.row for change in run)) for (table, op), run in runs)


def _restamped(row: Row, moments: dict[int, int]) -> Row:
    """The row with the times at which things happened in place of the planned ones."""
    if isinstance(row, Order):
        return row._replace(
            created_us=moments[row.created_us],
            updated_us=moments[row.updated_us],
            approved_us=None if row.approved_us is None else moments[row.approved_us],
            shipped_us=None if row.shipped_us is None else moments[row.shipped_us],
            delivered_us=None if row.delivered_us is None else moments[row.delivered_us],
        )
    if isinstance(row, Payment):
        return row._replace(paid_us=moments[row.paid_us])
    return row
