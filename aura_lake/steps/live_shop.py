"""Run a live shop: its transactions in PostgreSQL, its clicks in Kafka, each when it is due."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from aura_lake.outside.click_producer import ClickProducer
from aura_lake.outside.postgres import Address
from aura_lake.outside.shop_database import ShopDatabase
from aura_lake.simulate.interleaving import CONNECTIONS, Act, LiveEvents, Step
from aura_lake.simulate.live_plan import LivePlan, Standing, opened
from aura_lake.simulate.rows import Row
from aura_lake.simulate.statements import Statement, Verb
from aura_lake.simulate.visitors import Message

#: Where the demo shop's tracker writes.
CLICK_TOPIC = "aura.clickstream"


@dataclass(frozen=True)
class LiveRequest:
    """A live shop: where its database and its brokers are, and what happens there."""

    database: Address
    brokers: str | None = None  #: None: nobody clicks
    topic: str = CLICK_TOPIC
    seed: int = 7
    rate: float = 20.0  #: transactions a second
    clicks: float = 60.0  #: clicks a second
    mess: frozenset[str] = frozenset()
    seconds: float | None = None  #: None: until it is stopped; 0: only open the shop
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass
class LiveCounts:
    """What is done so far. Rows count when their transaction is committed; clicks when they are sent."""

    seconds: float = 0.0
    behind_seconds: float = 0.0  #: how late the shop is: the machine bears no such rate
    committed: int = 0
    rolled_back: int = 0
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)  #: by table, and inserted, updated or deleted
    clicks: Counter[str] = field(default_factory=Counter)  #: by what a lake must make of them
    mess: Counter[str] = field(default_factory=Counter)

    @property
    def transactions(self) -> int:
        """Transactions that ended, either way."""
        return self.committed + self.rolled_back


def run_live_shop(
    request: LiveRequest, stop: threading.Event, tell: Callable[[LiveCounts], None] = lambda counts: None
) -> LiveCounts:
    """Run the shop until its time is over or `stop` is set; what it did.

    An empty database gets its tables, customers and products first. `tell` hears once a second. The end comes
    when no transaction is open and the brokers have every click. Raises what `ShopDatabase` and `ClickProducer`
    raise; what was open then is rolled back by the server.
    """
    counts = LiveCounts()
    with ExitStack() as stack:
        database = stack.enter_context(ShopDatabase(request.database, CONNECTIONS))
        producer = None
        if request.brokers is not None:
            producer = stack.enter_context(ClickProducer(request.brokers, request.topic, request.environ))
        database.make_tables()
        begun_us = time.time_ns() // 1000
        standing = database.standing()
        if standing.is_empty:
            standing = opened(request.seed, begun_us)
            _open(database, standing, counts)
        if request.seconds == 0:
            return counts
        plan = LivePlan(
            start_us=begun_us,
            standing=standing,
            seed=request.seed,
            rate=request.rate,
            clicks=0 if producer is None else request.clicks,
            mess=request.mess,
        )
        _Run(plan, database, producer, counts).run(request.seconds, stop, tell)
    return counts


def _open(database: ShopDatabase, standing: Standing, counts: LiveCounts) -> None:
    """The shop's first customers and products, in one transaction."""
    tables: tuple[tuple[str, tuple[Row, ...]], ...] = (("users", standing.users), ("products", standing.products))
    database.begin(0)
    for table, rows in tables:
        counts.rows[table, Verb.INSERT] += database.run(0, Statement(Verb.COPY, table, rows))
    database.commit(0)
    counts.committed += 1


class _Run:
    """One run of a plan."""

    def __init__(
        self, plan: LivePlan, database: ShopDatabase, producer: ClickProducer | None, counts: LiveCounts
    ) -> None:
        self._plan, self._database, self._producer, self._counts = plan, database, producer, counts
        self._open: dict[int, Counter[tuple[str, str]]] = {}  #: rows written by connection, not yet committed
        self._begun = time.monotonic()
        self._next_line = self._begun + 1.0

    def run(self, seconds: float | None, stop: threading.Event, tell: Callable[[LiveCounts], None]) -> None:
        end = None if seconds is None else self._begun + seconds
        events = LiveEvents(self._plan)
        for event in events:
            due = self._begun + (event.due_us - self._plan.start_us) / 1e6
            if self._wait(due, end, stop, tell):
                self._close(event, *events.rest())
                break
            self._do(event)
        if self._producer is not None:
            self._producer.flush()
        self._counts.seconds = time.monotonic() - self._begun

    def _wait(self, due: float, end: float | None, stop: threading.Event, tell: Callable[[LiveCounts], None]) -> bool:
        """Wait until something is due, telling a line a second; whether the shop closes before that."""
        while True:
            now = time.monotonic()
            self._counts.seconds, self._counts.behind_seconds = now - self._begun, max(0.0, now - due)
            if now >= self._next_line:
                self._next_line = max(self._next_line + 1.0, now)
                tell(self._counts)
            if stop.is_set() or (end is not None and now >= end):
                return True
            if now >= due:
                return False
            stop.wait(min(due, self._next_line, due if end is None else end) - now)

    def _close(self, *rest: Step | Message) -> None:
        """End the transactions that are open, begin no other, and let arrive what is on its way."""
        for event in rest:
            if isinstance(event, Message) or event.connection in self._open:
                self._do(event)

    def _do(self, event: Step | Message) -> None:
        if isinstance(event, Message):
            self._send(event)
        else:
            self._step(event)

    def _step(self, step: Step) -> None:
        database, connection, counts = self._database, step.connection, self._counts
        if step.act is Act.BEGIN:
            database.begin(connection)
            self._open[connection] = Counter()
        elif step.statement is not None:
            verb = Verb.INSERT if step.statement.verb is Verb.COPY else step.statement.verb
            written = database.run(connection, step.statement)
            self._open[connection][step.statement.table, verb] += written
        elif step.act is Act.ROLL_BACK:
            database.roll_back(connection)
            del self._open[connection]
            counts.rolled_back += 1
        else:
            database.commit(connection)
            counts.rows.update(self._open.pop(connection))
            counts.committed += 1
            counts.mess.update(step.transaction.mess)

    def _send(self, message: Message) -> None:
        assert self._producer is not None, "a plan without clicks has no message"
        self._producer.send(message.key, message.text)
        self._counts.clicks[message.verdict] += 1
        if message.mess is not None:
            self._counts.mess[message.mess] += 1
