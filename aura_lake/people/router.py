"""From what is wrong now and what was known before: the incidents, and what each sink is to be told. Pure.

What a sink has to know is derived from the incident's state and from what that sink took so far, never queued:
so nothing is told twice after a restart, and nothing is forgotten while a sink is away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aura_lake.people.cause import Level, Look
from aura_lake.people.incident import Action, Incident, Notice, State
from aura_lake.people.policy import Policy

#: Incidents that are over are kept so long; those of which a sink was told the beginning and not the end, as when
#: it was taken out of the settings, longer.
KEPT, KEPT_WAITING = timedelta(days=7), timedelta(days=90)

Incidents = Mapping[str, Incident]


@dataclass(frozen=True)
class Channel:
    """A sink as the router sees it. `level`: from which level on it is told; one that `keeps_all` is a record: it is
    told everything at once, also what is over by then."""

    name: str
    level: Level = Level.INFO
    keeps_all: bool = False


@dataclass(frozen=True)
class Delivery:
    """One action that a sink is to be told of now."""

    sink: str
    action: Action
    key: str


def take_in(before: Incidents, look: Look, now: datetime) -> dict[str, Incident]:
    """The incidents after a look: new ones opened, those that stand seen again, those that are gone resolved."""
    incidents = dict(before)
    found = {cause.key: cause for cause in look.told()}
    for key, cause in found.items():
        standing = incidents.get(key)
        if standing is None:
            events = (cause.event,) if cause.event else ()
            incidents[key] = Incident(cause, State.OPEN, opened_at=now, seen_at=now, events=events)
        elif standing.state is not State.RESOLVED or standing.is_dismissed:
            incidents[key] = standing.seen_again(cause, now)
        elif not cause.event or cause.event not in standing.events:
            incidents[key] = _open_again(standing, now).seen_again(cause, now)
    for key, incident in incidents.items():
        if incident.snoozed_until is not None and incident.snoozed_until <= now:
            incidents[key] = incident = _wake(incident)
        is_gone = key not in found and incident.cause.source in look.covers
        if is_gone and incident.state is not State.RESOLVED:
            incidents[key] = replace(incident, state=State.RESOLVED, resolved_at=now, snoozed_until=None)
        elif is_gone and incident.is_dismissed:
            incidents[key] = replace(incident, is_dismissed=False)
    return {key: incident for key, incident in incidents.items() if not _may_be_forgotten(incident, now)}


def due(incidents: Incidents, channels: Sequence[Channel], policy: Policy, now: datetime) -> list[Delivery]:
    """What is to be told now, the worst first; a rate that is spent keeps the rest for later."""
    ordered = sorted(incidents.values(), key=lambda i: (-i.cause.level.rank, i.opened_at, i.key))
    deliveries: list[Delivery] = []
    for channel in channels:
        left = policy.per_hour - _told_in_the_last_hour(ordered, channel.name, now)
        for incident in ordered:
            action = next_action(incident, channel, policy, now)
            if action is None:
                continue
            if action is Action.TRIGGER and not channel.keeps_all:
                if left <= 0:
                    continue
                left -= 1
            deliveries.append(Delivery(channel.name, action, incident.key))
    return deliveries


def next_action(incident: Incident, channel: Channel, policy: Policy, now: datetime) -> Action | None:
    """What a sink has to be told of an incident now; None where it knows all, or has to wait."""
    level, notice = incident.cause.level, incident.notices.get(channel.name, Notice())
    if level.rank < channel.level.rank or (notice.next_at is not None and now < notice.next_at):
        return None
    wanted = _wanted(incident)
    if notice.told is None:
        if channel.keeps_all:
            return Action.TRIGGER
        # Over or in hand before this sink heard of it, or its time has not come.
        return Action.TRIGGER if wanted is Action.TRIGGER and _may_be_told(incident, policy, now) else None
    if notice.is_due_again and wanted is Action.TRIGGER:
        return Action.TRIGGER if _may_be_told(incident, policy, now) else None
    return wanted if wanted.rank > notice.told.rank else None


def acknowledge(incident: Incident, by: str) -> Incident:
    """Somebody has it in hand: nobody else is told."""
    return replace(incident, state=State.ACKNOWLEDGED, by=by)


def resolve(incident: Incident, by: str, now: datetime) -> Incident:
    """A person says that it is over. Where it is not, it stays quiet until it is gone; then it may come again."""
    return replace(incident, state=State.RESOLVED, by=by, resolved_at=now, is_dismissed=True, snoozed_until=None)


def snooze(incident: Incident, by: str, until: datetime) -> Incident:
    """Nobody is told before this time; then those who were told of it are told again."""
    return replace(incident, state=State.OPEN, by=by, snoozed_until=until)


def untold(incidents: Iterable[Incident]) -> list[tuple[Incident, str, Notice]]:
    """What could not be told so far: incident, sink, and why."""
    return [(i, sink, notice) for i in incidents for sink, notice in sorted(i.notices.items()) if notice.error]


def _wanted(incident: Incident) -> Action:
    return {
        State.OPEN: Action.TRIGGER,
        State.ACKNOWLEDGED: Action.ACKNOWLEDGE,
        State.RESOLVED: Action.RESOLVE,
    }[incident.state]


def _may_be_told(incident: Incident, policy: Policy, now: datetime) -> bool:
    is_snoozed = incident.snoozed_until is not None and now < incident.snoozed_until
    return not is_snoozed and not policy.is_quiet(incident.cause.level, now)


def _wake(incident: Incident) -> Incident:
    """An incident whose snooze has ended."""
    again = {sink: replace(notice, is_due_again=notice.told is not None) for sink, notice in incident.notices.items()}
    return replace(incident, snoozed_until=None, notices=again)


def _open_again(incident: Incident, now: datetime) -> Incident:
    """A cause that came back. A sink that never heard that it was over goes on as if it had not been."""
    notices = {
        sink: Notice(triggered_at=notice.triggered_at) if notice.told is Action.RESOLVE else notice
        for sink, notice in incident.notices.items()
    }
    again = replace(incident.cause, count=0 if incident.cause.event else incident.cause.count, first_seen_at=now)
    return replace(
        incident, cause=again, state=State.OPEN, opened_at=now, looks=0, by="", resolved_at=None, notices=notices
    )


def _told_in_the_last_hour(incidents: Iterable[Incident], sink: str, now: datetime) -> int:
    times = [i.notices[sink].triggered_at for i in incidents if sink in i.notices]
    return sum(at is not None and now - at < timedelta(hours=1) for at in times)


def _may_be_forgotten(incident: Incident, now: datetime) -> bool:
    if incident.state is not State.RESOLVED or incident.is_dismissed or incident.resolved_at is None:
        return False
    waits = any(notice.told not in (None, Action.RESOLVE) for notice in incident.notices.values())
    return now - incident.resolved_at > (KEPT_WAITING if waits else KEPT)
