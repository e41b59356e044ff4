"""Findings as they are kept: one small document a feed, `drift/<feed>.json`, and what was decided of them.

The document holds how far was looked, up to which batch the feed was as it always was (the baseline), and the
findings with the rows that wait for them. Decisions stand in bronze; a finding's state is read from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from aura_lake.approvals import APPROVED, REJECTED, ROLLED_BACK, SNOOZED
from aura_lake.decisions import Decision, decisions
from aura_lake.delta.documents import read_document, write_document
from aura_lake.drift.finding import Finding, Stands
from aura_lake.lake import Lake


class State(StrEnum):
    """What was decided of a finding."""

    OPEN = "open"  #: waits for a person
    APPROVED = "approved"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    SNOOZED = "snoozed"
    NOTED = "noted"  #: asks for nothing


_STATES = {
    APPROVED: State.APPROVED,
    REJECTED: State.REJECTED,
    ROLLED_BACK: State.ROLLED_BACK,
    SNOOZED: State.SNOOZED,
}


@dataclass(frozen=True)
class Trial:
    """A patch tried on the units that it concerns of one table: how many there are, how many of those that were tried
    wait, and would pass; and the rules the others would still break."""

    units: int
    tried: int
    waiting: int
    passing: int
    still_break: Mapping[str, int]


@dataclass(frozen=True)
class Drift:
    """A finding as it is kept. `from_batch`: the batch of bronze its rows begin with; `state` is what was decided."""

    finding: Finding
    from_batch: int
    first_seen_at: datetime
    trials: Mapping[str, Trial] = field(default_factory=dict)  #: by table
    state: State = State.OPEN
    decided: Decision | None = None

    @property
    def id(self) -> str:
        """What people name it by."""
        return self.finding.id

    @property
    def is_open(self) -> bool:
        """Whether it waits for a person."""
        return self.state is State.OPEN

    @property
    def waiting(self) -> int:
        """Units in quarantine that the patch concerns."""
        return sum(trial.waiting for trial in self.trials.values())

    def to_json(self) -> dict[str, Any]:
        """What is kept of it; what was decided stands in bronze."""
        return {
            **self.finding.to_json(),
            "from_batch": self.from_batch,
            "first_seen_at": self.first_seen_at.isoformat(),
            "trials": {table: asdict(trial) for table, trial in self.trials.items()},
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Drift:
        """The finding in a document that `to_json` made."""
        return Drift(
            Finding.from_json(document),
            document["from_batch"],
            datetime.fromisoformat(document["first_seen_at"]),
            {table: Trial(**trial) for table, trial in document["trials"].items()},
        )


def drifts(lake: Lake, feed: str | None = None) -> list[Drift]:
    """Every finding that is kept, with what was decided of it; the open ones first."""
    kept = [drift for name in sorted(lake.shop.feeds) if feed in (None, name) for drift in kept_of(lake, name)]
    return sorted(with_decisions(lake, kept), key=lambda d: (not d.is_open, d.first_seen_at, d.id))


def open_drifts(lake: Lake) -> list[Drift]:
    """The findings that wait for a person: causes that alerts tell of."""
    return [drift for drift in drifts(lake) if drift.is_open]


def with_decisions(lake: Lake, kept: list[Drift], now: datetime | None = None) -> list[Drift]:
    """The findings with what was decided last. A decision on a patch that has changed since counts no more, unless it
    was approved: then it stands until it is rolled back."""
    last: dict[str, Decision] = {}
    if kept:
        for decision in decisions(lake, *_STATES):
            last[decision.facts["id"]] = decision
    found = []
    for drift in kept:
        decided = last.get(drift.id)
        state = State.NOTED if drift.finding.stands is Stands.NOTE else State.OPEN
        if decided is not None and _counts(decided, drift, now or datetime.now(UTC)):
            state = _STATES[decided.kind]
        found.append(replace(drift, state=state, decided=decided))
    return found


def _counts(decision: Decision, drift: Drift, now: datetime) -> bool:
    if decision.kind in (APPROVED, ROLLED_BACK):
        return True
    patch = drift.finding.patch
    if decision.facts["hash"] != (None if patch is None else patch.hash):
        return False
    return decision.kind != SNOOZED or datetime.fromisoformat(decision.facts["until"]) > now


def document_name(feed: str) -> str:
    """Where the findings of a feed are kept."""
    return f"drift/{feed}.json"


def kept_of(lake: Lake, feed: str) -> list[Drift]:
    """The findings of a feed as they are kept, without what was decided."""
    document = read_document(lake, document_name(feed))
    return [] if document is None else [Drift.from_json(told) for told in document["findings"]]


def note_open(lake: Lake, feed: str) -> None:
    """Write down which findings of a feed are open, for readers that have no time to read decisions."""
    document = read_document(lake, document_name(feed))
    if document is not None:
        is_open = sorted(drift.id for drift in drifts(lake, feed) if drift.is_open)
        write_document(lake, document_name(feed), {**document, "open": is_open})


def rows_waiting(found: Sequence[Drift]) -> int:
    """Units that wait for these findings. One that waits for two of them counts once, as far as tables tell."""
    most: dict[str, int] = {}
    for drift in found:
        for table, trial in drift.trials.items():
            most[table] = max(most.get(table, 0), trial.waiting)
    return sum(most.values())
