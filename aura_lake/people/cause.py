"""Something that is wrong now, with all that a person needs to act on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from aura_lake.people.masking import MaskedRow

#: Rows that a cause shows.
SHOWN_ROWS = 3


class Level(StrEnum):
    """How bad it is, in PagerDuty's words."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 3 for critical."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Proposal:
    """A patch that waits for a person: what they approve is this hash and nothing else."""

    patch: str
    hash: str
    confidence: float  #: 0 to 1
    before: Mapping[str, str] = field(default_factory=dict)  #: a masked sample as it stands now
    after: Mapping[str, str] = field(default_factory=dict)  #: the same with the patch


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong.

    `source` is who looks for it: when a source has looked and does not find a cause again, it is gone. Texts hold
    names, rules, positions and counts, never a value; values stand in `rows` and in a proposal, masked.
    """

    kind: str  #: blocked, quarantine, drift, lane_stopped, feed_away, run_failed, gold_held, stale, silent
    source: str
    place: str  #: silver.orders, bronze.aura_orders, a job, a process
    id: str  #: the rule, patch, lane or step
    level: Level
    owner: str
    says: str  #: one sentence
    first_seen_at: datetime
    count: int = 1  #: rows; where `event` is set, how often it happened
    rows: tuple[MaskedRow, ...] = ()
    first_bad: str = ""  #: position of the first record concerned
    changed: str = ""
    impact: tuple[str, ...] = ()  #: what lies downstream
    command: str = ""  #: what resolves it
    proposal: Proposal | None = None
    event: str = ""  #: of a cause that happens and does not stand: the id of this time, counted once
    explains: tuple[str, ...] = ()  #: names of causes that need not be told beside this one

    @property
    def name(self) -> str:
        """The cause by kind, place and id."""
        return f"{self.kind}:{self.place}:{self.id}"

    @property
    def key(self) -> str:
        """What makes two causes one incident: name, level and owner, in 16 hex digits."""
        text = "\0".join((self.kind, self.place, self.id, self.level, self.owner))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The cause as JSON."""
        return {**asdict(self), "level": self.level.value, "first_seen_at": self.first_seen_at.isoformat()}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Cause:
        """The cause in a document that `to_json` made."""
        proposal = document["proposal"]
        return Cause(
            **{
                **document,
                "level": Level(document["level"]),
                "first_seen_at": datetime.fromisoformat(document["first_seen_at"]),
                "rows": tuple(MaskedRow(**{**row, "broken": tuple(row["broken"])}) for row in document["rows"]),
                "impact": tuple(document["impact"]),
                "explains": tuple(document["explains"]),
                "proposal": None if proposal is None else Proposal(**proposal),
            }
        )


@dataclass(frozen=True)
class Look:
    """What was found, and by whom: `covers` names the sources that looked at everything they look at."""

    causes: tuple[Cause, ...]
    covers: frozenset[str]

    def and_also(self, other: Look) -> Look:
        """Both looks as one."""
        return Look((*self.causes, *other.causes), self.covers | other.covers)

    def told(self) -> tuple[Cause, ...]:
        """The causes that no other one explains. One that shows no rows shows those of what it explains."""
        named = {cause.name: cause for cause in self.causes}
        explained = {name for cause in self.causes for name in cause.explains}
        return tuple(_with_rows(cause, named) for cause in self.causes if cause.name not in explained)


def _with_rows(cause: Cause, named: Mapping[str, Cause]) -> Cause:
    others = [named[name] for name in cause.explains if name in named and named[name].rows]
    if cause.rows or not others:
        return cause
    first = min(others, key=lambda other: other.first_seen_at)
    return replace(cause, rows=first.rows, first_bad=cause.first_bad or first.first_bad)
