"""An incident as an e-mail (RFC 5322), plain text."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime

from aura_lake.people.incident import Action, Incident
from aura_lake.people.words import body, cut, title

SUBJECT_CHARACTERS = 150


def message(incident: Incident, action: Action, *, lake: str, sender: str, to: Sequence[str]) -> EmailMessage:
    """The mail. Its id is that of the incident and the action: one that is sent twice, as when the process died
    between sending and writing that down, shows once. The end of an incident answers its beginning."""
    mail = EmailMessage()
    level = incident.cause.level.value
    one_line = " ".join(title(incident, action).split())  # a header holds no line break
    mail["Subject"] = cut(f"[{lake}] {level}: {one_line}", SUBJECT_CHARACTERS)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(incident.opened_at if action is Action.TRIGGER else incident.seen_at)
    first = _id(incident, Action.TRIGGER)
    mail["Message-ID"] = _id(incident, action)
    if action is not Action.TRIGGER:
        mail["In-Reply-To"] = mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    mail.set_content(body(incident, action))
    return mail


def _id(incident: Incident, action: Action) -> str:
    return f"<{incident.key}.{incident.opened_at:%Y%m%d%H%M%S%f}.{action.value}@aura-lake.invalid>"
