"""The live path: what comes is landed at once, and one process brings it to gold, batch by batch.

The steps are those of the assets, in the same order; nothing here decides anything that they do not. Many
processes may land; the one with the lease applies, and another takes over when it is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field

from aura_lake.contracts.contract import Contract
from aura_lake.delta.upkeep import keep_up
from aura_lake.delta.watermarks import LANE, of_feed
from aura_lake.errors import LeaseHeld, Transient
from aura_lake.layouts import is_folded
from aura_lake.orchestration.applying import applying
from aura_lake.orchestration.bronze import landed
from aura_lake.orchestration.gold import gold_facts, gold_results
from aura_lake.orchestration.gold_models import GoldModels
from aura_lake.orchestration.gold_refresh import refresh_gold
from aura_lake.orchestration.live_events import LiveEvents
from aura_lake.orchestration.live_numbers import LiveNumbers
from aura_lake.orchestration.manifest import read_project
from aura_lake.orchestration.rule_checks import row_rule_results
from aura_lake.orchestration.silver import silver_facts
from aura_lake.orchestration.telling import Telling
from aura_lake.orchestration.touchpoints import credit_facts
from aura_lake.orchestration.upkeep_job import tables_of
from aura_lake.orchestration.workbench import Workbench
from aura_lake.outside.objects import ListingScope
from aura_lake.steps.attribute import READS, attribute
from aura_lake.steps.fold import fold
from aura_lake.steps.follow import Follower
from aura_lake.steps.judge import judge
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
    unread: float = 15.0  #: lanes that nobody of ours reads are looked for
    checks: float = 30.0  #: rules are counted over whole tables
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
        self._models = GoldModels(read_project(self.bench))
        self._last: dict[str, float] = {}
        self._to_check: set[str] = set()
        self._newest: int | None = None
        # Whoever applied before may have died behind any step: the first turn of an applier does them all.
        self._is_gold_due = self._is_credit_due = True
        self._batch = self._batches_since_upkeep = 0

    def run(self, stop: threading.Event, until: float) -> None:
        """Work until `stop` is set or the monotonic clock shows `until`. What is begun is ended first.

        A transient error (brokers, warehouse or store away) is waited out, longer each time, and shown.
        """
        with Follower(self.bench.lake, self._topics) as follower, ExitStack() as lease:
            unread = UnreadLanes(self.bench.lake, self._topics)
            failures = 0
            is_applier = False
            while not stop.is_set() and time.monotonic() < until:
                try:
                    self._land(follower, unread)
                    if not is_applier and self._due("lease", self.pace.lease):
                        is_applier = self._take_lease(lease)
                    if is_applier:
                        self._apply()
                    failures = 0
                    self.numbers.trouble(None)
                except Transient as error:
                    failures += 1
                    self._wait_out(error, failures, stop)
                    follower.restart()
            self.numbers.at("leaving")

    def _take_lease(self, lease: ExitStack) -> bool:
        try:
            lease.enter_context(applying(self.bench.lake, wait_seconds=0))
        except LeaseHeld:
            self.numbers.at("landing", role="lands")
            return False
        self.numbers.at("applying", role="applies")
        return True

    def _wait_out(self, error: Transient, failures: int, stop: threading.Event) -> None:
        seconds = min(30.0, 0.5 * 2 ** min(failures, 6))
        self.numbers.trouble(f"{error.what} Tries again in {seconds:.0f} s.")
        self.voice.say("retried", str(error), attempt=failures)
        stop.wait(seconds)

    def _land(self, follower: Follower, unread: UnreadLanes) -> None:
        self.numbers.at("landing", lag=follower.lag(), lanes=len(follower.lanes))
        followed = follower.poll(POLL_SECONDS if self._topics else 0.0)
        self.numbers.stopped(follower.stopped)
        self._landed(followed.reports.values())
        if followed.newest_millis is not None:
            self._newest = max(self._newest or 0, followed.newest_millis)
        if self._objects and self._due("objects", self.pace.objects):
            for feed in self._objects:
                report = land(self.bench.lake, feed, scope=ListingScope.RECENT)
                if report.batches:
                    self._landed([report])
                    self._newest = max(self._newest or 0, int(time.time() * 1000))
        if self._topics and self._due("unread", self.pace.unread):
            self._landed(unread.land(follower.lanes))
        if not self._topics:
            time.sleep(POLL_SECONDS)  # no poll of a topic has waited, and the loop must not spin

    def _landed(self, reports: Iterable[LandReport]) -> None:
        for report in reports:
            self.numbers.came(report.records)
            for event in landed(self.bench.lake, self.bench.shop.feeds[report.feed], report):
                self.events.tell(event, self._batch)

    def _apply(self) -> None:
        changed = [contract for contract in self.bench.shop.contracts.values() if self._is_behind(contract)]
        names = {contract.table for contract in changed}
        # Said before it is done, so that a step that fails on the way is not forgotten by the next turn.
        self._is_gold_due |= bool(names)
        self._is_credit_due |= bool(names & set(READS))
        self._to_check |= names
        quarantined = sum(self._judge(contract) for contract in changed)
        if self._is_credit_due and "orders" in self.bench.shop.contracts:
            self.numbers.at("attributing")
            done = attribute(self.bench.lake)
            self.events.materialized(credit_facts(self.bench, done), self._batch)
        self._is_credit_due = False
        if self._is_gold_due:
            self._publish()
            self.numbers.batch(quarantined)
            self._batch += 1
            self._batches_since_upkeep += 1
        if self._to_check and self._due("checks", self.pace.checks):
            for name in sorted(self._to_check):
                self.events.checked(row_rule_results(self.bench.lake, self.bench.shop.contracts[name]))
            self._to_check.clear()
        if self._batches_since_upkeep >= self.pace.upkeep_batches:
            self._keep_up()

    def _is_behind(self, contract: Contract) -> bool:
        lake = self.bench.lake
        bronze, log = lake.bronze(contract.feed), lake.log(contract)
        if log.watermark(of_feed(contract.feed)) < bronze.watermark(LANE):
            return True
        # A process that died between judging and folding left the state behind its log.
        return is_folded(contract) and lake.current(contract).watermark("log") < log.watermark("log")

    def _judge(self, contract: Contract) -> int:
        self.numbers.at(f"judging {contract.table}")
        judged = judge(self.bench.lake, contract)
        folded = fold(self.bench.lake, contract) if is_folded(contract) else None
        self.events.materialized(silver_facts(self.bench.lake, contract, judged, folded), self._batch)
        return judged.verdicts.get("quarantined", 0)

    def _publish(self) -> None:
        self.numbers.at("building gold")
        newest = self._newest
        done = refresh_gold(self.bench, self._models, self.voice)
        self._is_gold_due = False
        if newest is not None:
            self.numbers.gold_shows(newest)
        if done.built:
            self.events.materialized(gold_facts(self.bench, self._models, done), self._batch)
            self.events.checked(gold_results(self._models, done))

    def _keep_up(self) -> None:
        self.numbers.at("tidying up")
        for _, table in tables_of(self.bench, list(self._models.marts)):
            keep_up(table)
        self._batches_since_upkeep = 0

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(what, -1e9) < seconds:
            return False
        self._last[what] = now
        return True
