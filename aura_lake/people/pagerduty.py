"""An incident as an event of PagerDuty's Events API v2.

PagerDuty, "Events API v2: Send an alert event": `summary`, `severity` and `source` are needed to trigger; a summary
has at most 1,024 characters, a `dedup_key` at most 255, an event at most 512 KB. 202 accepts it; 429 and 5xx are to
be tried again.
"""

from __future__ import annotations

from typing import Any

from aura_lake.people.incident import Action, Incident
from aura_lake.people.secret import Secret
from aura_lake.people.words import cut, facts, one_line, row_lines, title

#: Where events go, unless AURA_ALERT_PAGERDUTY_URL says otherwise.
ENQUEUE_URL = "https://events.pagerduty.com/v2/enqueue"

SUMMARY_CHARACTERS, DEDUP_CHARACTERS, NAME_CHARACTERS, DETAIL_CHARACTERS = 1024, 255, 255, 4000


def dedup_key(incident: Incident, lake: str) -> str:
    """What makes all events of an incident one alert."""
    return cut(f"aura-lake/{lake}/{incident.key}", DEDUP_CHARACTERS)


def event(incident: Incident, action: Action, routing_key: Secret, *, lake: str, ui: str = "") -> dict[str, Any]:
    """The event. It holds the routing key, since PagerDuty takes it nowhere else: it is sent and never shown."""
    document: dict[str, Any] = {
        "routing_key": routing_key.reveal(),
        "event_action": action.value,
        "dedup_key": dedup_key(incident, lake),
    }
    if action is not Action.TRIGGER:
        return document
    cause = incident.cause
    details: dict[str, Any] = {name: cut(text, DETAIL_CHARACTERS) for name, text in facts(cause).items()}
    if cause.rows:
        details["Rows, masked"] = [cut(line, DETAIL_CHARACTERS) for line in row_lines(cause)]
    if cause.proposal is not None:
        details["Before"] = cut(one_line(cause.proposal.before), DETAIL_CHARACTERS)
        details["After"] = cut(one_line(cause.proposal.after), DETAIL_CHARACTERS)
    document["payload"] = {
        "summary": cut(title(incident, action), SUMMARY_CHARACTERS),
        "severity": cause.level.value,
        "source": lake,
        "timestamp": cause.first_seen_at.isoformat(),
        "component": cut(cause.place, NAME_CHARACTERS),
        "group": cut(cause.owner, NAME_CHARACTERS),
        "class": cause.kind,
        "custom_details": details,
    }
    document["client"] = "Aura Lake"
    if ui:
        document["client_url"] = ui
        document["links"] = [{"href": ui, "text": "The lake in the Dagster UI"}]
    return document
