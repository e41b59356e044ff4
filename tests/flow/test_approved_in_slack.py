"""From a field that was renamed to rows that enter: told in Slack, approved by the card's own button, resolved."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.lake import Lake
from aura_lake.people.secret import Secret
from aura_lake.people.slack_call import sign
from aura_lake.settings import Settings
from aura_lake.steps.answer_calls import Answer, Approvals
from aura_lake.steps.drift import detect_drift
from aura_lake.steps.drift_people import DriftPatches
from aura_lake.steps.look_for_causes import look_for_causes
from aura_lake.steps.tell_people import tell_people
from tests import vendors
from tests.changes import column
from tests.small_lake import SmallLake

SECRET = Secret("8f742231b10e8888abcd99yyyzzz85a5")
SYSTEMS = ("iOS", "Android", "Windows", "macOS")


def clicks() -> Contract:
    columns = (
        column("event_id"),
        column("device_os", required=True, allowed_values=SYSTEMS),
        column("email", personal=True),
    )
    return Contract("clicks", Kind.EVENTS, "clicks", columns, owner="team:web")


def click(n: int, name: str) -> dict[str, Any]:
    return {"event_id": f"e{n}", name: SYSTEMS[n * 7 % 4], "email": f"zoe{n}@example.com"}


def press(button: dict[str, Any], user: str, number: int) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": "ann"},
        "trigger_id": f"t{number}",
        "actions": [{**button, "action_ts": str(number)}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def answer(lake: Lake, body: bytes) -> Answer:
    stamp = str(int(datetime.now(UTC).timestamp()))
    patches = DriftPatches(lake)
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(SECRET, stamp, body)}
    return Approvals(lake, SECRET, find=patches.find, decide=patches.decide).answer(headers, body)


def test_a_renamed_field_is_told_once_approved_by_its_card_and_over(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, clicks(), approvers={"team:web": ("U1ANN",)})
    small.arrive("1.jsonl", *(click(n, "device_os") for n in range(600)))
    small.arrive("2.jsonl", *(click(n, "platform_os") for n in range(600, 1200)))
    (drift,) = detect_drift(small.lake).open
    with vendors.slack() as slack:
        environ = {"AURA_ALERT_SLACK_URL": slack.url, "AURA_ALERT_SLACK_SIGNING_SECRET": SECRET.reveal()}
        settings = Settings(**{**vars(small.lake.settings), "environ": {**small.lake.settings.environ, **environ}})
        lake = Lake(settings, small.lake.filed)
        for _ in range(3):
            tell_people(lake, look_for_causes(lake))
        (card,) = slack.documents
        (buttons,) = (block["elements"] for block in card["blocks"] if block["type"] == "actions")
        text = json.dumps(card)

        assert not answer(lake, press(buttons[0], "U2EVE", 1)).is_done
        value = {**json.loads(buttons[0]["value"]), "hash": "0" * 64}
        changed = {**buttons[0], "value": json.dumps(value)}
        assert "has changed since it was shown" in answer(lake, press(changed, "U1ANN", 2)).says
        assert small.verdicts() == {"valid": 600, "quarantined": 600}
        done = answer(lake, press(buttons[0], "U1ANN", 3))
        again = answer(lake, press(buttons[0], "U1ANN", 4))
        after = small.under(clicks()).verdicts()
        tell_people(lake, look_for_causes(lake))

    assert drift.finding.became == "platform_os"
    assert "600" in text
    assert "- verdict=quarantined, device_os=null" in text
    assert "+ verdict=valid, device_os=" in text
    assert "zoe" not in text
    assert done.is_done, done.says
    assert "approved already" in again.says
    assert after == {"valid": 1200}
    assert [document["text"][:9] for document in slack.documents[1:]] == ["Resolved:"]
    assert slack.refused == []
