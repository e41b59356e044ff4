"""Gold beside silver: a thread that builds and publishes what silver brought, while silver goes on.

A build takes seconds; rows do not wait for it in silver. The two meet only while the warehouse is loaded: then silver
stands still, so that what is shown belongs together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import TracebackType

from aura_lake.delta.upkeep import keep_up
from aura_lake.orchestration.gold import gold_facts, gold_results
from aura_lake.orchestration.gold_models import GoldModels
from aura_lake.orchestration.gold_refresh import refresh_gold
from aura_lake.orchestration.live_events import LiveEvents
from aura_lake.orchestration.live_numbers import LiveNumbers
from aura_lake.orchestration.rule_checks import row_rule_results
from aura_lake.orchestration.telling import Telling
from aura_lake.orchestration.upkeep_job import pinned_versions
from aura_lake.orchestration.workbench import Workbench
from aura_lake.steps.drift import detect_drift

#: Rules are counted over whole tables, and drift is looked for, so often, in seconds; gold's tables are tidied up after
#: so many builds.
CHECK_SECONDS, UPKEEP_BUILDS = 30.0, 40


class LiveGold:
    """Use it in a `with` block, whose end waits for the last build. Whoever writes silver holds `silver` meanwhile."""

    def __init__(
        self, bench: Workbench, models: GoldModels, events: LiveEvents, voice: Telling, numbers: LiveNumbers
    ) -> None:
        self._bench, self._models, self._events = bench, models, events
        self._voice, self._numbers = voice, numbers
        self.silver = threading.Lock()
        self._news = threading.Event()
        self._is_over = False
        self._newest: int | None = None
        self._shows: int | None = None
        self._to_check: set[str] = set()
        self._checked_at = time.monotonic()
        self._builds = 0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="live-gold", daemon=True)

    def __enter__(self) -> LiveGold:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        is_pending = self._news.is_set()
        self._news.set()
        self._thread.join()
        if is_pending and self._error is None and error is None:
            self._build()

    def changed(self, tables: Collection[str], newest_millis: int | None) -> None:
        """Silver has news in these tables, up to a record that was written to its topic then (since 1970). Called by
        whoever holds `silver`."""
        self._to_check |= set(tables)
        if newest_millis is not None:
            self._newest = max(self._newest or 0, newest_millis)
        self._news.set()

    def raise_error(self) -> None:
        """Raise what ended the last build, once; gold is tried again then."""
        error, self._error = self._error, None
        if error is not None:
            self._news.set()
            raise error

    def _work(self) -> None:
        while not self._is_over:
            self._news.wait()
            if self._is_over:
                return
            self._news.clear()
            try:
                self._build()
                self._check()
                self._keep_up()
            except BaseException as error:  # raised again by the thread that works on silver
                self._error = error
                self._news.wait()

    def _build(self) -> None:
        done = refresh_gold(self._bench, self._models, self._voice, self._silver_stands())
        if self._shows is not None:
            self._numbers.gold_shows(self._shows)
        self._builds += 1
        if done.built:
            self._events.materialized(gold_facts(self._bench, self._models, done), self._builds)
            self._events.checked(gold_results(self._models, done))

    @contextmanager
    def _silver_stands(self) -> Iterator[None]:
        with self.silver:
            self._shows = self._newest
            yield

    def _check(self) -> None:
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        with self.silver:
            names, self._to_check = sorted(self._to_check), set()
        for name in names:
            self._events.checked(row_rule_results(self._bench.lake, self._bench.shop.contracts[name]))
        detect_drift(self._bench.lake)
        self._checked_at = time.monotonic()

    def _keep_up(self) -> None:
        if self._builds % UPKEEP_BUILDS:
            return
        pinned = pinned_versions(self._bench.lake)
        for model in self._models.marts:
            keep_up(self._bench.lake.gold(model), pinned=pinned.get(f"gold.{model}"))
