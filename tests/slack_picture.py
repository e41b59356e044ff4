"""A Slack message as a picture for the docs: Block Kit's JSON drawn as HTML and photographed by a browser.

python -m tests.slack_picture docs/pictures/slack_card.png            the card of a renamed field
python -m tests.slack_picture picture.png < message.json              any message
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aura_lake.people.incident import Action
from aura_lake.people.masking import MaskedRow
from aura_lake.people.slack_card import card
from tests.unit.people.examples import drift, incident

BROWSER = "chromium"

STYLE = """
body { margin: 0; font: 15px/1.46 'Liberation Sans', Arial, sans-serif; color: #1d1c1d; background: #fff }
main { padding: 16px 20px }
h1 { font-size: 18px; margin: 6px 0 8px }
section, footer, nav { margin: 8px 0 }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px }
pre { font: 12px/1.5 'DejaVu Sans Mono', monospace; background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px;
      padding: 8px; margin: 4px 0; white-space: pre-wrap }
code { font: 12px 'DejaVu Sans Mono', monospace; background: #f8f8f8; border: 1px solid #ddd; padding: 1px 3px }
footer { color: #616061; font-size: 13px }
a { color: #1264a3; text-decoration: none }
button { font: 700 13px 'Liberation Sans', Arial, sans-serif; height: 32px; padding: 0 12px; margin-right: 8px;
         border: 1px solid #bbb; border-radius: 4px; background: #fff; color: #1d1c1d }
.primary { background: #007a5a; border-color: #007a5a; color: #fff }
.danger { background: #e01e5a; border-color: #e01e5a; color: #fff }
.mark { display: inline-block; width: 13px; height: 13px; border-radius: 50%; vertical-align: -1px; margin-right: 4px }
"""

MARKS = {":red_circle:": "#dd2e44", ":rotating_light:": "#dd2e44", ":large_yellow_circle:": "#fdcb58"}


def draw(message: dict[str, Any]) -> str:
    """The message as a page."""
    blocks = "".join(_block(block) for block in message["blocks"])
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><main>{blocks}</main>"


def _block(block: dict[str, Any]) -> str:
    if block["type"] == "header":
        return f"<h1>{html.escape(block['text']['text'])}</h1>"
    if block["type"] == "actions":
        buttons = (f"<button class='{b.get('style', '')}'>{b['text']['text']}</button>" for b in block["elements"])
        return f"<nav>{''.join(buttons)}</nav>"
    if block["type"] == "context":
        return f"<footer>{' '.join(_mrkdwn(element['text']) for element in block['elements'])}</footer>"
    fields = "".join(f"<div>{_mrkdwn(field['text'])}</div>" for field in block.get("fields", []))
    text = _mrkdwn(block["text"]["text"]) if "text" in block else ""
    return f"<section>{text}<div class=fields>{fields}</div></section>"


def _mrkdwn(text: str) -> str:
    """Slack's mark-up as HTML; its text is escaped already."""
    code = text.split("```")
    return "".join(f"<pre>{part}</pre>" if at % 2 else _inline(part) for at, part in enumerate(code))


def _inline(text: str) -> str:
    text = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", r"<a href='\1'>\2</a>", text.strip("\n"))
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text)
    for name, colour in MARKS.items():
        text = text.replace(name, f"<span class=mark style='background:{colour}'></span>")
    return text.replace("\n", "<br>")


def example() -> dict[str, Any]:
    """The card of a field that has another name."""
    place = "clickstream/2026/11/20/part-00007.jsonl.gz"
    at = datetime(2026, 11, 20, 14, 8, tzinfo=UTC)
    rows = tuple(
        MaskedRow(
            f"{place}#{n}",
            ("device_os_is_present",),
            {"event_type": "view", "session_id": "a9a9-99aa-9a", "occurred_at": f"2026-11-20 14:08:{n - 100}+00:00"},
        )
        for n in (118, 119, 121)
    )
    given = drift(first_seen_at=at, rows=rows, first_bad=rows[0].place)
    return card(
        incident(replace(given, impact=("silver.clickstream", *given.impact))),
        Action.TRIGGER,
        lake="aura_mart-local-3c66b4",
        ui="https://dagster.example.com",
        takes_answers=True,
    )


def photograph(page: str, picture: Path) -> None:
    """The page as a PNG, twice as fine as it is large."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page)
        size = ["--force-device-scale-factor=2", "--window-size=720,750"]
        still = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--screenshot={picture.resolve()}",
        ]
        subprocess.run([BROWSER, *still, *size, file.as_uri()], check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    given = None if sys.stdin.isatty() else sys.stdin.read().strip()
    photograph(draw(json.loads(given) if given else example()), Path(sys.argv[1]))
