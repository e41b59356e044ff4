"""Everything a live shop does, in the order in which it is due: transactions interleaved, and clicks between them.

A few transactions at a time are open side by side, each on a connection of its own; never two that write one row,
for the second would wait for the first, and whoever runs them one step after the other would wait for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from aura_lake.simulate.chance import below, between
from aura_lake.simulate.clock import SECOND_US
from aura_lake.simulate.live_plan import LivePlan
from aura_lake.simulate.shop_floor import ShopFloor
from aura_lake.simulate.statements import Statement
from aura_lake.simulate.transactions import LiveShop, Transaction
from aura_lake.simulate.visitors import Message, Visitors

#: So many transactions are open at most.
CONNECTIONS = 4


class Act(StrEnum):
    """What is done on a connection."""

    BEGIN = "begin"
    RUN = "run"
    COMMIT = "commit"
    ROLL_BACK = "rollback"


class Step(NamedTuple):
    """One act of one transaction on one connection (from 0), due at `due_us`; a statement where it is run."""

    due_us: int
    connection: int
    act: Act
    transaction: Transaction
    statement: Statement | None = None


class LiveEvents(Iterator["Step | Message"]):
    """Steps and clicks without end. `rest`: what is still on its way when they are taken no more."""

    def __init__(self, plan: LivePlan) -> None:
        self._plan = plan
        floor = ShopFloor(plan)
        self._visitors = Visitors(plan, floor)
        self._shop = LiveShop(plan, floor, self._visitors)
        self._chance = plan.chance("rounds")
        self._slot = 0
        self._held: Transaction | None = None
        self._steps: deque[Step] = deque()
        self._clicks: deque[Message] = deque()

    def __next__(self) -> Step | Message:
        if self._clicks:
            return self._clicks.popleft()
        if not self._steps:
            self._steps.extend(self._round())
        click_us = self._visitors.next_us
        while click_us is not None and click_us <= self._steps[0].due_us:
            self._clicks.extend(self._visitors.next())
            if self._clicks:  # a slot whose click comes later has none
                return self._clicks.popleft()
            click_us = self._visitors.next_us
        return self._steps.popleft()

    def rest(self) -> list[Step | Message]:
        """The steps of the transactions that are under way, and the clicks that have not arrived yet."""
        rest: list[Step | Message] = [*self._steps, *self._clicks, *self._visitors.rest()]
        self._steps.clear()
        self._clicks.clear()
        return rest

    def _at_us(self, slot: int) -> int:
        return self._plan.start_us + int(slot * SECOND_US / self._plan.rate)

    def _round(self) -> list[Step]:
        """The steps of some transactions that are open together, evenly over the time that is theirs."""
        first = self._slot
        transactions = self._together(between(self._chance, 1, CONNECTIONS))
        acts = [deque(_acts(connection, each)) for connection, each in enumerate(transactions)]
        ordered: list[Step] = []
        while acts:
            place = below(self._chance, len(acts))
            ordered.append(acts[place].popleft())
            if not acts[place]:
                acts.pop(place)
        begin_us = self._at_us(first)
        pace = (self._at_us(self._slot) - begin_us) / len(ordered)
        return [step._replace(due_us=begin_us + int(number * pace)) for number, step in enumerate(ordered)]

    def _together(self, most: int) -> list[Transaction]:
        """The next transactions, so many at most, ending before one that writes a row of another."""
        taken: list[Transaction] = []
        written: set[tuple[object, ...]] = set()
        while len(taken) < most:
            transaction = self._held or self._shop.next(self._at_us(self._slot))
            if written & transaction.rows:
                self._held = transaction
                break
            self._held = None
            written |= transaction.rows
            taken.append(transaction)
            self._slot += 1
        return taken


def _acts(connection: int, transaction: Transaction) -> Iterator[Step]:
    yield Step(0, connection, Act.BEGIN, transaction)
    for statement in transaction.statements:
        yield Step(0, connection, Act.RUN, transaction, statement)
    yield Step(0, connection, Act.ROLL_BACK if transaction.is_rolled_back else Act.COMMIT, transaction)
