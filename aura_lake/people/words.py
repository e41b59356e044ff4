"""An incident in words: what every sink says, in the form it takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aura_lake.people.cause import SHOWN_ROWS, Cause
from aura_lake.people.incident import Action, Incident


def title(incident: Incident, action: Action) -> str:
    """One line."""
    said = incident.cause.says
    if action is Action.RESOLVE:
        return f"Resolved: {said}"
    if action is Action.ACKNOWLEDGE:
        return f"Acknowledged by {incident.by or 'somebody'}: {said}"
    return said


def facts(cause: Cause) -> dict[str, str]:
    """What is known, by the name people read; nothing that is empty."""
    proposal = cause.proposal
    told = {
        "Where": cause.place,
        "Rule": cause.id if cause.kind != "drift" else "",
        "Patch": "" if proposal is None else f"{proposal.patch} ({proposal.hash[:12]})",
        "Level": cause.level.value,
        "Owner": cause.owner,
        "Count": f"{cause.count:,}",
        "First seen": when(cause.first_seen_at),
        "First bad": cause.first_bad,
        "Confidence": "" if proposal is None else f"{proposal.confidence:.0%}",
        "Changed": cause.changed,
        "Downstream": ", ".join(cause.impact),
        "Resolve with": cause.command,
    }
    return {name: text for name, text in told.items() if text}


def row_lines(cause: Cause) -> list[str]:
    """A line for each masked row that is shown."""
    lines = []
    for row in cause.rows[:SHOWN_ROWS]:
        broken = f"  breaks {', '.join(row.broken)}" if row.broken else ""
        lines.append(f"{row.place}{broken}")
        if row.values:
            lines.append(f"  {one_line(row.values)}")
    return lines


def one_line(values: Mapping[str, str]) -> str:
    """`name=value` for each."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def body(incident: Incident, action: Action) -> str:
    """Everything, as plain text."""
    cause = incident.cause
    lines = [title(incident, action), ""]
    lines += [f"{name}: {text}" for name, text in facts(cause).items()]
    if cause.proposal is not None:
        lines += ["", f"before  {one_line(cause.proposal.before)}", f"after   {one_line(cause.proposal.after)}"]
    if cause.rows:
        lines += ["", "Rows, masked:", *row_lines(cause)]
    return "\n".join([*lines, "", f"Incident {incident.key}. `aura alerts list` tells how it stands."]) + "\n"


def when(at: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def cut(text: str, longest: int) -> str:
    """A text of at most `longest` characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
