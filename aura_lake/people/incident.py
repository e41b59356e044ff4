"""What is kept of a cause: since when it stands, how often it was seen, and who has been told what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from aura_lake.people.cause import Cause

#: Events remembered, so that one that is told again is counted once.
KEPT_EVENTS = 50


class Action(StrEnum):
    """What a sink is told, in PagerDuty's words."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"

    @property
    def rank(self) -> int:
        """A sink never goes back from a higher one to a lower."""
        return list(Action).index(self)


class State(StrEnum):
    """How an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Notice:
    """What one sink knows of an incident, and how telling it goes."""

    told: Action | None = None
    triggered_at: datetime | None = None
    attempts: int = 0
    next_at: datetime | None = None
    error: str = ""  #: why the last attempt failed
    is_due_again: bool = False  #: told before a snooze that has ended


@dataclass(frozen=True)
class Incident:
    """One cause from the first time it was seen until it is gone."""

    cause: Cause
    state: State
    opened_at: datetime
    seen_at: datetime
    looks: int = 1
    by: str = ""  #: who acknowledged or resolved it; empty: nobody, or the lake itself
    resolved_at: datetime | None = None
    snoozed_until: datetime | None = None
    is_dismissed: bool = False  #: resolved by a person while it stands: quiet until it is gone
    events: tuple[str, ...] = ()
    notices: Mapping[str, Notice] = field(default_factory=dict)  #: by sink

    @property
    def key(self) -> str:
        """The cause's key."""
        return self.cause.key

    def seen_again(self, cause: Cause, now: datetime) -> Incident:
        """The incident with what is known of its cause now. An event counts once."""
        since = min(self.cause.first_seen_at, cause.first_seen_at)
        if not cause.event:
            return replace(self, cause=replace(cause, first_seen_at=since), seen_at=now, looks=self.looks + 1)
        if cause.event in self.events:
            return self
        whole = replace(cause, count=self.cause.count + cause.count, first_seen_at=since)
        events = (*self.events, cause.event)[-KEPT_EVENTS:]
        return replace(self, cause=whole, seen_at=now, looks=self.looks + 1, events=events)

    def told(self, sink: str, action: Action, now: datetime) -> Incident:
        """The incident after a sink took an action."""
        before = self.notices.get(sink, Notice())
        at = now if action is Action.TRIGGER else before.triggered_at
        return self._with(sink, Notice(told=action, triggered_at=at))

    def failed(self, sink: str, error: str, next_at: datetime) -> Incident:
        """The incident after a sink could not be told."""
        before = self.notices.get(sink, Notice())
        return self._with(sink, replace(before, attempts=before.attempts + 1, next_at=next_at, error=error))

    def _with(self, sink: str, notice: Notice) -> Incident:
        return replace(self, notices={**self.notices, sink: notice})

    def to_json(self) -> dict[str, Any]:
        """The incident as JSON, its key beside it."""
        return {
            "key": self.key,
            "cause": self.cause.to_json(),
            "state": self.state.value,
            "opened_at": self.opened_at.isoformat(),
            "seen_at": self.seen_at.isoformat(),
            "looks": self.looks,
            "by": self.by,
            "resolved_at": _text(self.resolved_at),
            "snoozed_until": _text(self.snoozed_until),
            "is_dismissed": self.is_dismissed,
            "events": list(self.events),
            "notices": {
                sink: {**asdict(notice), "triggered_at": _text(notice.triggered_at), "next_at": _text(notice.next_at)}
                for sink, notice in self.notices.items()
            },
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Incident:
        """The incident in a document that `to_json` made."""
        return Incident(
            cause=Cause.from_json(document["cause"]),
            state=State(document["state"]),
            opened_at=datetime.fromisoformat(document["opened_at"]),
            seen_at=datetime.fromisoformat(document["seen_at"]),
            looks=document["looks"],
            by=document["by"],
            resolved_at=_time(document["resolved_at"]),
            snoozed_until=_time(document["snoozed_until"]),
            is_dismissed=document["is_dismissed"],
            events=tuple(document["events"]),
            notices={
                sink: Notice(
                    told=None if notice["told"] is None else Action(notice["told"]),
                    triggered_at=_time(notice["triggered_at"]),
                    attempts=notice["attempts"],
                    next_at=_time(notice["next_at"]),
                    error=notice["error"],
                    is_due_again=notice["is_due_again"],
                )
                for sink, notice in document["notices"].items()
            },
        )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
