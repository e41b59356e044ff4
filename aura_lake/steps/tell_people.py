"""Take in what was found, and tell who has to know: once, at the right time, and again where nobody could be reached.

The incidents stand in one small document of the lake, written by one process at a time. It is written after each
action that a sink took, so that a process that dies tells at most the one again that it was at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.lease import ApplyLease
from aura_lake.errors import AlertRefused, AlertUnavailable, LakeError, LeaseHeld, QueryError
from aura_lake.lake import Lake
from aura_lake.people.cause import Look
from aura_lake.people.incident import Incident
from aura_lake.people.policy import Policy, wait_after
from aura_lake.people.router import Incidents, acknowledge, due, resolve, snooze, take_in
from aura_lake.people.sink import Sink
from aura_lake.steps.alert_sinks import alert_settings, sinks_of
from aura_lake.steps.heartbeats import leave

#: The document of incidents, and the lease of whoever writes it.
INCIDENTS, LEASE = "alerts/incidents.json", "alerts/telling.lease"

#: Raised when the document's form changes.
FORM = 1

#: After so many seconds what is still to be told waits for the next look, so that nobody is kept waiting.
PATIENCE_SECONDS = 15.0

#: How long a command waits for a process that tells just now.
WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Told:
    """What one look led to: incidents opened and resolved, actions that sinks took, and by sink why others could not
    be told. `is_busy`: another process tells just now, and nothing was done."""

    opened: tuple[Incident, ...] = ()
    resolved: tuple[Incident, ...] = ()
    taken: int = 0
    untold: dict[str, str] = field(default_factory=dict)
    is_busy: bool = False


def tell_people(
    lake: Lake,
    look: Look,
    *,
    now: datetime | None = None,
    sinks: Sequence[Sink] | None = None,
    policy: Policy | None = None,
    patience: float = PATIENCE_SECONDS,
    wait_seconds: float = 2.0,
) -> Told:
    """Take a look in, and tell what is due; by default the sinks and the policy of the settings.

    Never raises for a sink that is away: what it was to be told is kept. Where another process tells for
    longer than `wait_seconds`, nothing is done: the next look finds the same. Events are told once only: give them
    WAIT_SECONDS."""
    if sinks is None or policy is None:
        settings = alert_settings(lake)
        sinks, policy = (sinks_of(lake, settings) if sinks is None else sinks), policy or settings.policy
    now = now or datetime.now(UTC)
    try:
        with ApplyLease(lake, name=LEASE, work="tells people about", wait_seconds=wait_seconds):
            before = read_incidents(lake)
            after = take_in(before, look, now)
            write_incidents(lake, after)
            after, taken, away = _deliver(lake, after, sinks, policy, now, patience)
    except LeaseHeld:
        return Told(is_busy=True)
    return Told(
        opened=tuple(i for key, i in after.items() if i.opened_at == now and i.state.value == "open"),
        resolved=tuple(i for i in after.values() if i.resolved_at == now),
        taken=taken,
        untold=away,
    )


def read_incidents(lake: Lake) -> dict[str, Incident]:
    """The incidents of a lake by key; none before the first."""
    document = read_document(lake, INCIDENTS)
    if document is None:
        return {}
    if document.get("form") != FORM:
        raise LakeError(
            f"{lake.settings.uri(INCIDENTS)}: of form {document.get('form')!r}, and this is {FORM}.",
            fix="Use the version of Aura Lake that wrote it; or remove the document: what still stands is told again.",
        )
    return {entry["key"]: Incident.from_json(entry) for entry in document["incidents"]}


def write_incidents(lake: Lake, incidents: Incidents) -> None:
    """Keep the incidents, by when they were opened."""
    ordered = sorted(incidents.values(), key=lambda incident: (incident.opened_at, incident.key))
    write_document(lake, INCIDENTS, {"form": FORM, "incidents": [incident.to_json() for incident in ordered]})


def change_incident(lake: Lake, key: str, change: Callable[[Incident], Incident]) -> Incident:
    """Change the one incident whose key begins so. Raises QueryError where there is none, or more than one."""
    with ApplyLease(lake, name=LEASE, work="tells people about", wait_seconds=WAIT_SECONDS):
        incidents = read_incidents(lake)
        matching = [known for known in incidents if known.startswith(key)] if key else []
        if len(matching) != 1:
            raise QueryError(
                f"{len(matching)} incidents begin with {key!r}.", fix="`aura alerts list --all` lists their keys."
            )
        changed = change(incidents[matching[0]])
        write_incidents(lake, {**incidents, changed.key: changed})
        return changed


def acknowledge_incident(lake: Lake, key: str, by: str) -> Incident:
    """Somebody has it in hand."""
    return change_incident(lake, key, lambda incident: acknowledge(incident, by))


def resolve_incident(lake: Lake, key: str, by: str) -> Incident:
    """Somebody says that it is over; quiet until it is gone. Who was silent is no longer expected."""
    now = datetime.now(UTC)
    done = change_incident(lake, key, lambda incident: resolve(incident, by, now))
    if done.cause.kind == "silent":
        leave(lake, done.cause.place)
    return done


def snooze_incident(lake: Lake, key: str, by: str, length: timedelta) -> Incident:
    """Nobody is told of it for so long."""
    until = datetime.now(UTC) + length
    return change_incident(lake, key, lambda incident: snooze(incident, by, until))


def _deliver(
    lake: Lake, incidents: dict[str, Incident], sinks: Sequence[Sink], policy: Policy, now: datetime, patience: float
) -> tuple[dict[str, Incident], int, dict[str, str]]:
    """Tell what is due; the incidents after it, how much was taken, and why a sink could not be told."""
    by_name = {sink.channel.name: sink for sink in sinks}
    until, taken = time.monotonic() + patience, 0
    untold: dict[str, str] = {}
    away: set[str] = set()
    while deliveries := due(incidents, [s.channel for n, s in by_name.items() if n not in away], policy, now):
        for sink, action, key in ((d.sink, d.action, d.key) for d in deliveries):
            incident = incidents[key]
            if sink in away:  # it did not answer just now: nobody waits for it a second time
                incidents = {**incidents, key: _failed(incident, sink, untold[sink], now)}
                continue
            if time.monotonic() >= until:
                untold.setdefault(sink, "there was no time left; it is told with the next look")
                return incidents, taken, untold
            try:
                by_name[sink].send(action, incident)
            except (AlertUnavailable, AlertRefused) as error:
                untold[sink] = error.what
                if isinstance(error, AlertUnavailable):
                    away.add(sink)
                incidents = {**incidents, key: _failed(incident, sink, error.what, now)}
            else:
                taken += 1
                incidents = {**incidents, key: incident.told(sink, action, now)}
            write_incidents(lake, incidents)
        write_incidents(lake, incidents)
    return incidents, taken, untold


def _failed(incident: Incident, sink: str, error: str, now: datetime) -> Incident:
    notice = incident.notices.get(sink)
    return incident.failed(sink, error, now + wait_after(notice.attempts if notice else 0))
