"""The live path: what comes is landed at once, and one process brings it to silver, batch by batch, and to gold.

The steps are those of the assets, in the same order; nothing here decides anything that they do not. Many
processes may land; the one with the lease applies, and another takes over when it is gone. Gold is built by a thread
beside (`live_gold`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from aura_lake.contracts.contract import Contract
from aura_lake.delta.lease import ApplyLease
from aura_lake.delta.table import LakeTable
from aura_lake.delta.upkeep import keep_up
from aura_lake.delta.watermarks import LANE, LOG, of_feed
from aura_lake.errors import CommitConflict, LeaseHeld, SourceRewound, Transient
from aura_lake.layouts import is_folded
from aura_lake.orchestration.applying import applying
from aura_lake.orchestration.bronze import landed
from aura_lake.orchestration.gold_models import GoldModels
from aura_lake.orchestration.live_events import LiveEvents
from aura_lake.orchestration.live_gold import LiveGold
from aura_lake.orchestration.live_numbers import LiveNumbers
from aura_lake.orchestration.manifest import read_project
from aura_lake.orchestration.silver import silver_facts
from aura_lake.orchestration.telling import Telling
from aura_lake.orchestration.touchpoints import credit_facts
from aura_lake.orchestration.upkeep_job import pinned_versions, tables_of
from aura_lake.orchestration.workbench import Workbench
from aura_lake.outside.objects import ListingScope
from aura_lake.steps.attribute import READS, attribute
from aura_lake.steps.carry_out import is_waiting
from aura_lake.steps.fold import fold
from aura_lake.steps.follow import Follower
from aura_lake.steps.hints import Hints
from aura_lake.steps.judge import judge
from aura_lake.steps.keep_people_told import PeopleWatch
from aura_lake.steps.land import land
from aura_lake.steps.land_report import LandReport
from aura_lake.steps.unread import UnreadLanes

#: How long one look at the topics waits for something to come.
POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Pace:
    """How often what is not done with every batch is done, in seconds; and after how many batches tables are
    tidied up."""

    objects: float = 5.0  #: feeds of objects are listed
    hints: float = 1.0  #: queues that buckets notify are asked
    unread: float = 10.0  #: lanes that nobody of ours reads are looked for
    look: float = 1.0  #: every table is looked at, for what another process landed
    halted: float = 10.0  #: a table that stopped for a person is tried again
    lease: float = 1.0  #: a process that only lands asks for the lease
    upkeep_batches: int = 40


@dataclass
class LiveLoop:
    """One rolling run's worth of micro-batches."""

    bench: Workbench
    events: LiveEvents
    voice: Telling
    numbers: LiveNumbers
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        feeds = self.bench.shop.feeds.values()
        self._topics = [feed for feed in feeds if feed.is_topics]
        self._objects = [feed for feed in feeds if not feed.is_topics]
        self._hints = Hints(self.bench.lake, self._objects)
        self._models = GoldModels(read_project(self.bench))
        self._last: dict[str, float] = {}
        self._behind: set[str] = set()
        self._halted: dict[str, str] = {}
        self._newest: int | None = None
        # Whoever applied before may have died behind any step: the first turn of an applier does them all.
        self._is_gold_due = self._is_credit_due = True
        self._gold: LiveGold | None = None
        self._lease: ApplyLease | None = None
        self._untidy: deque[tuple[str, LakeTable]] = deque()
        self._batch = self._tidied_at = 0

    def run(self, stop: threading.Event, until: float) -> None:
        """Work until `stop` is set, the monotonic clock shows `until`, or other contracts hold than those this run
        began with. What is begun is ended first.

        A transient error (brokers, warehouse or store away) is waited out, longer each time, and shown.
        """
        with Follower(self.bench.lake, self._topics) as follower, ExitStack() as held:
            unread = UnreadLanes(self.bench.lake, self._topics)
            people = PeopleWatch(self.bench.lake, "stream")
            failures = 0
            while not stop.is_set() and time.monotonic() < until and not self._is_outdated():
                try:
                    people.turn(follower.stopped)
                    self._land(follower, unread)
                    if self._gold is None and self._due("lease", self.pace.lease):
                        self._gold = self._take_over(held)
                    if self._gold is not None:
                        self._must_be_ours(held)
                    if self._gold is not None:
                        self._gold.raise_error()
                        self._apply(self._gold)
                    failures = 0
                    self.numbers.trouble(None)
                except Transient as error:
                    failures += 1
                    self._wait_out(error, failures, stop)
                    follower.restart()
            self.numbers.at("leaving")
            people.end()

    def _take_over(self, held: ExitStack) -> LiveGold | None:
        """Take the lease where nobody has it, and begin to build gold; both end with `held`."""
        try:
            self._lease = held.enter_context(applying(self.bench.lake, wait_seconds=0))
        except LeaseHeld:
            self.numbers.at("landing", role="lands")
            return None
        self.numbers.at("applying", role="applies")
        return held.enter_context(LiveGold(self.bench, self._models, self.events, self.voice, self.numbers))

    def _must_be_ours(self, held: ExitStack) -> None:
        """Only land from now on where the lease was lost: on S3 it runs out while a process stands still."""
        assert self._lease is not None
        try:
            self._lease.check()
        except LeaseHeld as lost:
            self.voice.say("waiting", str(lost))
            self.numbers.at("landing", role="lands")
            self._gold = self._lease = None
            # Whoever takes over again does not know what became of what was begun.
            self._is_gold_due = self._is_credit_due = True
            # As after an error: what was still to be built is the other's now.
            held.__exit__(type(lost), lost, lost.__traceback__)

    def _is_outdated(self) -> bool:
        """Whether a person approved something that changes a contract, or took it back."""
        return self._due("contracts", self.pace.look) and not self.bench.lake.is_current()

    def _wait_out(self, error: Transient, failures: int, stop: threading.Event) -> None:
        seconds = min(30.0, 0.5 * 2 ** min(failures, 6))
        self.numbers.trouble(f"{error.what} Tries again in {seconds:.0f} s.")
        self.voice.say("retried", str(error), attempt=failures)
        stop.wait(seconds)

    def _land(self, follower: Follower, unread: UnreadLanes) -> None:
        self.numbers.at("landing", lag=follower.lag(), lanes=len(follower.lanes))
        followed = follower.poll(POLL_SECONDS if self._topics else 0.0)
        self.numbers.stopped({**follower.stopped, **self._halted})
        self._landed(followed.reports.values())
        if followed.newest_millis is not None:
            self._newest = max(self._newest or 0, followed.newest_millis)
        if self._objects and self._due("objects", self.pace.objects):
            for feed in self._objects:
                report = land(self.bench.lake, feed, scope=ListingScope.RECENT)
                if report.batches:
                    self._landed([report])
                    self._newest = max(self._newest or 0, int(time.time() * 1000))
        if self._hints.has_queues and self._due("hints", self.pace.hints):
            hinted = self._hints.land()
            self._landed(hinted.reports)
            if any(report.batches for report in hinted.reports):
                self._newest = max(self._newest or 0, int(time.time() * 1000))
        if self._topics and self._due("unread", self.pace.unread):
            found = list(unread.land(follower.lanes))
            self._landed(found)
            if any(report.records for report in found):
                follower.restart()  # perhaps the group knew of no such partition when it shared them out
        if not self._topics:
            time.sleep(POLL_SECONDS)  # no poll of a topic has waited, and the loop must not spin

    def _landed(self, reports: Iterable[LandReport]) -> None:
        for report in reports:
            self.numbers.came(report.records)
            if report.batches:
                self._behind |= {c.table for c in self.bench.shop.contracts.values() if c.feed == report.feed}
            for event in landed(self.bench.lake, self.bench.shop.feeds[report.feed], report):
                self.events.tell(event, self._batch)

    def _apply(self, gold: LiveGold) -> None:
        contracts = self.bench.shop.contracts
        if self._due("halted", self.pace.halted):
            self._behind |= self._halted.keys()
            self._halted.clear()
        if self._due("look", self.pace.look):
            self._behind |= {name for name, contract in contracts.items() if self._is_behind(contract)}
        changed = [contract for name, contract in contracts.items() if name in self._behind - self._halted.keys()]
        if changed or self._is_gold_due:
            with gold.silver:
                self._bring_to_silver(changed, gold)
        if self._batch - self._tidied_at >= self.pace.upkeep_batches:
            self._tidied_at = self._batch
            self._untidy.extend(tables_of(self.bench, []))
        if self._untidy:
            self._tidy_one(*self._untidy.popleft())

    def _bring_to_silver(self, changed: list[Contract], gold: LiveGold) -> None:
        newest = self._newest
        names = {contract.table for contract in changed}
        # Said before it is done, so that a step that fails on the way is not forgotten by the next turn.
        self._is_gold_due |= bool(names)
        self._is_credit_due |= bool(names & set(READS))
        quarantined = sum(self._judge(contract) for contract in changed)
        if self._is_credit_due and "orders" in self.bench.shop.contracts:
            self.numbers.at("attributing")
            done = attribute(self.bench.lake)
            self.events.materialized(credit_facts(self.bench, done), self._batch)
        self._is_credit_due = False
        self.numbers.batch(quarantined)
        gold.changed(names, newest)
        self._is_gold_due = False
        self._batch += 1

    def _is_behind(self, contract: Contract) -> bool:
        lake = self.bench.lake
        bronze, log = lake.bronze(contract.feed), lake.log(contract)
        if log.watermark(of_feed(contract.feed)) < bronze.watermark(LANE) or is_waiting(lake, contract, log):
            return True
        # A process that died between judging and folding left the state behind its log.
        return is_folded(contract) and lake.current(contract).watermark(LOG) < log.watermark(LOG)

    def _judge(self, contract: Contract) -> int:
        self.numbers.at(f"judging {contract.table}")
        try:
            judged = judge(self.bench.lake, contract)
        except SourceRewound as error:  # a person has to decide; the other tables go on
            self._halted[contract.table] = str(error)
            return 0
        folded = fold(self.bench.lake, contract) if is_folded(contract) else None
        self._behind.discard(contract.table)
        self.events.materialized(silver_facts(self.bench.lake, contract, judged, folded, counted=False), self._batch)
        return judged.verdicts.get("quarantined", 0)

    def _tidy_one(self, name: str, table: LakeTable) -> None:
        """Tidy one table up between two batches; all of them have their turn."""
        self.numbers.at(f"tidying up {name}")
        with suppress(CommitConflict):  # another process landed into it just now; its next turn comes
            keep_up(table, pinned=pinned_versions(self.bench.lake).get(name))

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(what, -1e9) < seconds:
            return False
        self._last[what] = now
        return True
