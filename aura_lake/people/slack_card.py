"""An incident as a message of Slack's Block Kit.

Slack, "Block Kit: Blocks" and "Block elements": a message has at most 50 blocks; a header 150 characters, a section
3,000, each of its ten fields 2,000; a button's text 75, its value 2,000, an id 255; a dialog's title 100, text 300,
buttons 30. `&`, `<` and `>` are escaped ("Formatting text for app surfaces").
"""

from __future__ import annotations

import json
from typing import Any

from aura_lake.people.cause import Cause, Level
from aura_lake.people.incident import Action, Incident
from aura_lake.people.words import cut, one_line, row_lines, title, when

HEADER, SECTION, FIELD, BUTTON_VALUE, NOTIFICATION = 150, 3000, 2000, 2000, 3000

_MARKS = {
    Level.CRITICAL: ":rotating_light:",
    Level.ERROR: ":red_circle:",
    Level.WARNING: ":large_yellow_circle:",
    Level.INFO: ":information_source:",
}

_HEADINGS = {
    "blocked": "is not published",
    "quarantine": "has rows in quarantine",
    "drift": "has changed its form",
    "lane_stopped": "is not read on",
    "feed_away": "does not answer",
    "run_failed": "has failed",
    "gold_held": "is held back",
    "stale": "is stale",
    "silent": "is silent",
}


def card(incident: Incident, action: Action, *, lake: str, ui: str = "", takes_answers: bool = False) -> dict[str, Any]:
    """The message. `takes_answers`: whether buttons are shown, because something listens to them."""
    text = cut(_plain(title(incident, action)), NOTIFICATION)
    if action is not Action.TRIGGER:
        mark = ":white_check_mark:" if action is Action.RESOLVE else ":eyes:"
        return {"text": text, "blocks": [_section(f"{mark} {text}"), _context(f"`{incident.key}` in {_plain(lake)}")]}
    cause = incident.cause
    heading = f"{cause.place} {_HEADINGS.get(cause.kind, 'needs a look')}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(heading, HEADER), "emoji": True}},
        _section(f"{_MARKS[cause.level]} {text}"),
        {"type": "section", "fields": _fields(cause)},
    ]
    if cause.changed:
        blocks.append(_section(f"*What changed*\n{_plain(cause.changed)}"))
    if cause.proposal is not None:
        before, after = one_line(cause.proposal.before), one_line(cause.proposal.after)
        blocks.append(_section("*Before and after, masked*\n" + _code(f"- {before}\n+ {after}")))
    if cause.rows:
        lines = "\n".join(row_lines(cause))
        blocks.append(_section("*Rows, masked*\n" + _code(lines)))
    if cause.impact:
        blocks.append(_section(f"*Downstream*\n{_plain(', '.join(cause.impact))}"))
    if cause.command:
        blocks.append(_section("*Resolve with*\n" + _code(cause.command)))
    if takes_answers:
        blocks.append({"type": "actions", "block_id": f"aura-{incident.key}", "elements": _buttons(incident)})
    seen = f"`{incident.key}` in {_plain(lake)}, first seen {when(cause.first_seen_at)}"
    blocks.append(_context(f"{seen} | <{ui}|Dagster UI>" if ui else seen))
    return {"text": text, "blocks": blocks}


def _fields(cause: Cause) -> list[dict[str, str]]:
    told = {
        "Owner": cause.owner,
        "Level": cause.level.value,
        "Times" if cause.event else "Rows": f"{cause.count:,}",
        "Patch" if cause.kind == "drift" else "Rule": cause.id,
        "Confidence": "" if cause.proposal is None else f"{cause.proposal.confidence:.0%}",
        "First bad": cause.first_bad,
    }
    return [_text(cut(f"*{name}*\n{_plain(text)}", FIELD)) for name, text in told.items() if text]


def _buttons(incident: Incident) -> list[dict[str, Any]]:
    """Approve, reject and snooze a patch; acknowledge or snooze anything else. What a button carries is the patch with
    its hash, so that what is approved is what was shown."""
    proposal = incident.cause.proposal
    if proposal is None:
        value = json.dumps({"incident": incident.key})
        return [_button("Acknowledge", "acknowledge", value, "primary"), _button("Snooze", "snooze", value)]
    value = json.dumps({"incident": incident.key, "patch": proposal.patch, "hash": proposal.hash})
    rows = f"{incident.cause.count:,} rows wait for it and are judged again."
    approve = {**_button("Approve", "approve", value, "primary"), "confirm": _confirm("Approve this patch?", rows)}
    reject = {
        **_button("Reject", "reject", value, "danger"),
        "confirm": _confirm("Reject this patch?", "The rows go on waiting."),
    }
    return [approve, reject, _button("Snooze", "snooze", value)]


def _button(text: str, action: str, value: str, style: str | None = None) -> dict[str, Any]:
    if len(value) > BUTTON_VALUE:
        raise ValueError(f"a button carries {BUTTON_VALUE} characters and this one has {len(value)}")
    button: dict[str, Any] = {
        "type": "button",
        "text": {"type": "plain_text", "text": text, "emoji": True},
        "action_id": f"aura_{action}",
        "value": value,
    }
    return button if style is None else {**button, "style": style}


def _confirm(heading: str, text: str) -> dict[str, Any]:
    return {
        "title": {"type": "plain_text", "text": heading},
        "text": {"type": "plain_text", "text": text},
        "confirm": {"type": "plain_text", "text": heading.split()[0]},
        "deny": {"type": "plain_text", "text": "Cancel"},
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(cut(text, SECTION))}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_text(cut(text, FIELD))]}


def _text(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _code(text: str) -> str:
    """A block of code that fits a section with its heading, and that its text cannot end."""
    return "```" + cut(_plain(text).replace("```", "'''"), SECTION - 100) + "```"


def _plain(text: str) -> str:
    """A text in which nothing is a link, a mention or a command to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
