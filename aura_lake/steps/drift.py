"""Look for drift: after judging, each feed that has news is compared with what it was, and findings are kept.

The baseline stays where it is while a finding is open, so that what is learned about it grows; where nothing is
found it moves on with the feed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from aura_lake.contracts.contract import Feed
from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.watermarks import LANE, of_feed
from aura_lake.drift.detect import detect
from aura_lake.drift.finding import Finding, Stands
from aura_lake.drift.look import Look
from aura_lake.drift.suggest import Suggester, with_suggestions
from aura_lake.drift.window import Window
from aura_lake.errors import FeedUnavailable
from aura_lake.lake import Lake
from aura_lake.steps.drift_kept import Drift, State, document_name, kept_of, open_drifts, rows_waiting, with_decisions
from aura_lake.steps.drift_trial import trials
from aura_lake.steps.drift_window import see

#: A feed in which something stirs, and nothing can be said of it yet, is looked at again so often from where it was.
PATIENCE = 3

#: Findings that ask for nothing any more are kept, up to this number a feed.
KEPT = 50
STAY = (State.APPROVED, State.ROLLED_BACK, State.REJECTED, State.NOTED)


@dataclass(frozen=True)
class DriftReport:
    """What a look for drift did: the feeds looked at, the findings new with it, and all that are open."""

    looked_at: tuple[str, ...]
    fresh: tuple[Drift, ...]
    open: tuple[Drift, ...]
    away: Mapping[str, str] = field(default_factory=dict)  #: feeds that could not be looked at now, and why
    seconds: float = 0.0

    @property
    def says(self) -> str:
        """The look in one line."""
        if not self.open:
            return "no field drifted" if self.looked_at else "nothing new to look at"
        counts = [(stands, sum(d.finding.stands is stands for d in self.open)) for stands in Stands]
        told = ", ".join(f"{count} {stands.value}" for stands, count in counts if count)
        return f"{told}; {rows_waiting(self.open):,} rows wait for a decision: aura drift list"


def detect_drift(lake: Lake, *, suggester: Suggester | None = None) -> DriftReport:
    """Look at every feed with news, keep what is found, and tell what is open.

    Cheap where nothing came: a feed's watermark is compared. A feed whose registry is away is looked at next time.
    """
    started = time.monotonic()
    looked, fresh, away = [], [], {}
    for name in sorted({contract.feed for contract in lake.shop.contracts.values()}):
        try:
            found = _look_at(lake, lake.shop.feeds[name], suggester)
        except FeedUnavailable as error:
            away[name] = error.what
            continue
        if found is not None:
            looked.append(name)
            fresh += found
    return DriftReport(tuple(looked), tuple(fresh), tuple(open_drifts(lake)), away, time.monotonic() - started)


def _look_at(lake: Lake, feed: Feed, suggester: Suggester | None) -> list[Drift] | None:
    """The findings that are new; None where nothing came since the last look."""
    document = read_document(lake, document_name(feed.name)) or {}
    baseline, looked_to = document.get("baseline_to", -1), document.get("looked_to", -1)
    goal = _judged_to(lake, feed)
    if goal <= looked_to:
        return None
    seen = see(lake, feed, baseline)
    if seen is None:
        return None
    found = with_suggestions(
        detect(seen.window, lake.shop, feed.name, seen.schema), sorted(seen.window.fields), suggester
    )
    before = {drift.id: drift for drift in kept_of(lake, feed.name)}
    drifted = [_drift(lake, finding, baseline + 1, before.get(finding.id)) for finding in found]
    drifted = [_as_approved(drift, before) for drift in with_decisions(lake, drifted)]
    is_open = any(drift.state in (State.OPEN, State.SNOOZED) for drift in drifted)
    stirs = 0 if is_open or not _stirs(seen.window, lake, feed.name) else document.get("stirs", 0) + 1
    if not is_open and not 0 < stirs <= PATIENCE:
        baseline, stirs = goal, 0
    kept = _keep(lake, feed.name, drifted, before)
    write_document(
        lake,
        document_name(feed.name),
        {
            "looked_to": goal,
            "baseline_to": baseline,
            "stirs": stirs,
            "open": sorted(drift.id for drift in drifted if drift.is_open),
            "findings": [drift.to_json() for drift in kept],
        },
    )
    return [
        drift for drift in drifted if drift.id not in before or before[drift.id].finding.patch != drift.finding.patch
    ]


def _judged_to(lake: Lake, feed: Feed) -> int:
    """The batch up to which every table of the feed has judged it, so that what waits is known."""
    logs = [lake.log(contract) for contract in lake.shop.readers(feed.name)]
    landed = lake.bronze(feed.name).watermark(LANE)
    return min([landed, *(log.watermark(of_feed(feed.name)) for log in logs)])


def _stirs(window: Window, lake: Lake, feed: str) -> bool:
    """Whether there is a field or a type that was not there before, too seldom for anything to be said of it."""
    look = Look(lake.shop, feed, window)
    for path, seen in window.fields.items():
        before = {cell.kind for cell in look.before(path).values() if not cell.is_null}
        after = {cell.kind for cell in look.after(path).values() if not cell.is_null}
        if path not in look.reads and seen.cells and not look.before(path):
            return True
        if path in look.reads and before and after - before - {"integer", "number"}:
            return True
    return False


def _keep(lake: Lake, feed: str, drifted: list[Drift], before: Mapping[str, Drift]) -> list[Drift]:
    """What stays in the document: what was found now, and what was decided or noted before. A finding that was open
    and is found no more has gone by itself."""
    now = {drift.id for drift in drifted}
    others = with_decisions(lake, [drift for id_, drift in before.items() if id_ not in now])
    stay = [drift for drift in others if drift.state in STAY]
    return [*drifted, *sorted(stay, key=lambda drift: drift.first_seen_at, reverse=True)[:KEPT]]


def _as_approved(drift: Drift, before: Mapping[str, Drift]) -> Drift:
    """What was approved is told as it was: its fields still differ from before, and now that asks for nothing."""
    stood = before.get(drift.id)
    if drift.state is State.APPROVED and drift.finding.patch is None and stood is not None:
        return replace(stood, state=drift.state, decided=drift.decided)
    return drift


def _drift(lake: Lake, finding: Finding, from_batch: int, before: Drift | None) -> Drift:
    return Drift(
        finding,
        from_batch if before is None else min(from_batch, before.from_batch),
        datetime.now(UTC) if before is None else before.first_seen_at,
        dict(trials(lake, finding, from_batch)),
    )
