"""Hard case 111: calls that are not Slack's, not fresh, not as they were signed, or not the first of their kind."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from aura_lake.contracts.contract import Shop
from aura_lake.decisions import decide, decisions
from aura_lake.errors import AlertRefused, SettingsError
from aura_lake.lake import Lake
from aura_lake.outside.approvals_server import ApprovalsServer, reply_to_slack, serve_in_background
from aura_lake.people.cause import Cause, Level, Look
from aura_lake.people.incident import State
from aura_lake.people.patches import KnownPatch
from aura_lake.people.policy import Policy
from aura_lake.people.secret import Secret
from aura_lake.people.slack_call import sign
from aura_lake.settings import Settings
from aura_lake.steps.answer_calls import Answer, Approvals
from aura_lake.steps.tell_people import read_incidents, tell_people
from tests.changes import feed, things

SECRET = Secret("8f742231b10e8888abcd99yyyzzz85a5")
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
HASH = "4b" * 32


@dataclass
class Book:
    """Patches, and what was decided about them: recorded, and written as decisions into the lake."""

    lake: Lake
    patches: dict[str, KnownPatch] = field(default_factory=dict)
    decided: list[tuple[str, ...]] = field(default_factory=list)
    seconds: float = 0.0

    def find(self, patch_id: str) -> KnownPatch | None:
        return self.patches.get(patch_id)

    def decide(self, action: str, patch_id: str, hash: str, who: str, why: str) -> str:
        time.sleep(self.seconds)
        self.decided.append((action, patch_id, hash, who))
        decide(self.lake, f"patch_{action}", {"patch": patch_id, "hash": hash}, who=who, why=why)
        self.patches[patch_id] = KnownPatch(patch_id, hash, "things", is_open=False, state="approved")
        return f"{patch_id} is approved."


@dataclass
class Desk:
    """A lake whose approvals are answered at `now`."""

    lake: Lake
    book: Book
    now: datetime = NOW

    def answer(self, body: bytes, **signed: Any) -> Answer:
        approvals = Approvals(self.lake, SECRET, find=self.book.find, decide=self.book.decide, clock=lambda: self.now)
        return approvals.answer(headers(body, **signed), body)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    settings = Settings(tmp_path, str(tmp_path / "lake"), tmp_path / "state", tmp_path, environ={})
    contract = things(owner="team:things")
    approvers = {"team:things": ("U1ANN",), "default": ("U2BOB",)}
    lake = Lake(settings, Shop("test", tmp_path, {"things": contract}, {"things": feed(tmp_path)}, approvers=approvers))
    book = Book(lake)
    book.patches["p-7"] = KnownPatch("p-7", HASH, "things", is_open=True)
    return Desk(lake, book)


def press(action: str = "approve", user: str = "U1ANN", press: str = "1", **value: str) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower()},
        "trigger_id": f"13345224609.738474920.{press}",
        "response_url": "https://hooks.slack.com/actions/T0/1/2",
        "actions": [
            {
                "type": "button",
                "action_id": f"aura_{action}",
                "action_ts": f"1548426417.{press}",
                "value": json.dumps(value or {"patch": "p-7", "hash": HASH}),
            }
        ],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def headers(body: bytes, at: datetime = NOW, secret: Secret = SECRET) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(secret, stamp, body)}


def written(desk: Desk) -> list[str]:
    return [decision.kind for decision in decisions(desk.lake)]


def test_case_111_a_signed_call_is_carried_out_and_says_who_and_which_patch(desk: Desk) -> None:
    answer = desk.answer(press())

    assert (answer.status, answer.is_done, answer.says) == (200, True, "p-7 is approved.")
    assert desk.book.decided == [("approve", "p-7", HASH, "slack:U1ANN (u1ann)")]
    assert written(desk) == ["patch_approve"]


def test_case_111_the_signature_is_slacks_own_example() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"

    assert sign(Secret("8f742231b10e8888abcd99yyyzzz85a5"), "1531420618", body) == signature


@pytest.mark.parametrize(
    ("says", "signed"),
    [
        ("not Slack's", {"secret": Secret("guessed")}),
        ("301 s old", {"at": NOW - timedelta(seconds=301)}),
        ("301 s ahead", {"at": NOW + timedelta(seconds=301)}),
    ],
)
def test_case_111_a_forged_or_stale_call_is_401_and_nothing_is_written(
    desk: Desk, says: str, signed: dict[str, Any]
) -> None:
    answer = desk.answer(press(), **signed)

    assert (answer.status, answer.is_done) == (401, False)
    assert says in answer.says
    assert desk.book.decided == written(desk) == []


def test_case_111_five_minutes_are_still_fresh(desk: Desk) -> None:
    assert desk.answer(press(), at=NOW - timedelta(seconds=300)).is_done


@pytest.mark.parametrize("change", ["body", "time", "prefix", "no signature", "no time", "words for a time"])
def test_case_111_an_altered_call_is_401_and_nothing_is_written(desk: Desk, change: str) -> None:
    body = press()
    given = headers(body)
    if change == "body":
        body = body.replace(b"approve", b"reject_")
    elif change == "time":
        given["x-slack-request-timestamp"] = str(int(NOW.timestamp()) + 1)
    elif change == "prefix":
        given["x-slack-signature"] = given["x-slack-signature"].replace("v0=", "v1=")
    elif change == "words for a time":
        given["x-slack-request-timestamp"] = "٣٤٥"
    else:
        del given["x-slack-signature" if change == "no signature" else "x-slack-request-timestamp"]
    approvals = Approvals(desk.lake, SECRET, find=desk.book.find, decide=desk.book.decide, clock=lambda: NOW)

    assert approvals.answer(given, body).status == 401
    assert desk.book.decided == written(desk) == []


def test_case_111_a_repeated_call_counts_once_also_after_a_restart_and_signed_anew(desk: Desk) -> None:
    assert desk.answer(press()).is_done
    desk.book.patches["p-7"] = KnownPatch("p-7", HASH, "things", is_open=True)  # so that nothing else refuses it
    again = Desk(Lake(desk.lake.settings, desk.lake.shop), desk.book, NOW + timedelta(minutes=4))
    replayed = again.answer(press())
    anew = again.answer(press(), at=again.now)
    other_body = again.answer(press(user="U1ANN ").replace(b"U1ANN+", b"U1ANN"), at=again.now)

    for answer in (replayed, anew, other_body):
        assert (answer.status, answer.is_done) == (200, False)
        assert "counts once" in answer.says
    assert written(desk) == ["patch_approve"]
    assert again.answer(press(press="2"), at=again.now).is_done, "another press is another call"


def test_case_111_twenty_at_once_are_one(desk: Desk) -> None:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(desk.answer(press()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(answer.is_done for answer in answers) == 1
    assert len(answers) == 20
    assert written(desk) == ["patch_approve"]


@pytest.mark.parametrize("user", ["U2BOB", "U3EVE", "u1ann"])
def test_case_111_who_is_not_among_the_approvers_decides_nothing(desk: Desk, user: str) -> None:
    answer = desk.answer(press(user=user))

    assert (answer.status, answer.is_done) == (200, False)
    assert answer.says == f"Nothing was written: {user} is not among the approvers of team:things in shop.yaml."
    assert desk.book.decided == written(desk) == []


def test_case_111_a_patch_that_has_changed_or_is_decided_or_gone_is_not_approved(desk: Desk) -> None:
    changed = desk.answer(press(press="1", patch="p-7", hash="5c" * 32))
    gone = desk.answer(press(press="2", patch="p-8", hash=HASH))
    assert desk.answer(press(press="3")).is_done
    decided = desk.answer(press(press="4"))

    assert "has changed since it was shown" in changed.says
    assert "There is no patch p-8" in gone.says
    assert "approved already" in decided.says
    assert [changed.is_done, gone.is_done, decided.is_done] == [False, False, False]
    assert written(desk) == ["patch_approve"]


def test_case_111_what_the_drift_refuses_is_said_and_not_taken_for_done(desk: Desk) -> None:
    def refuses(action: str, patch_id: str, hash: str, who: str, why: str) -> str:
        raise SettingsError("the patch contradicts itself.", fix="Look at it.")

    body = press()
    answer = Approvals(desk.lake, SECRET, find=desk.book.find, decide=refuses, clock=lambda: NOW).answer(
        headers(body), body
    )

    assert (answer.is_done, answer.says) == (False, "Nothing was written: the patch contradicts itself. Look at it.")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload=[]",
        b"payload={}",
        b"\xff\xfe",
        urlencode({"payload": '{"a":' * 50_000}).encode(),
        press(action="delete"),
        press(action="acknowledge"),
        press().replace(b"block_actions", b"view_submission"),
        urlencode({"payload": json.dumps({"type": "block_actions", "user": {"id": 7}, "actions": [{}]})}).encode(),
    ],
)
def test_case_111_a_signed_call_that_is_no_press_of_ours_is_400(desk: Desk, body: bytes) -> None:
    answer = desk.answer(body)

    assert (answer.status, answer.is_done) == (400, False)
    assert desk.book.decided == written(desk) == []


def test_case_111_an_incident_is_acknowledged_and_snoozed_by_who_may(desk: Desk) -> None:
    cause = Cause("quarantine", "quarantine", "silver.things", "r", Level.ERROR, "team:things", "wait.", NOW)
    tell_people(desk.lake, Look((cause,), frozenset()), sinks=[], policy=Policy())

    assert not desk.answer(press(action="acknowledge", user="U3EVE", press="1", incident=cause.key)).is_done
    assert desk.answer(press(action="acknowledge", press="2", incident=cause.key)).is_done
    assert read_incidents(desk.lake)[cause.key].state is State.ACKNOWLEDGED
    assert desk.answer(press(action="snooze", press="3", incident=cause.key)).is_done
    assert read_incidents(desk.lake)[cause.key].snoozed_until is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/x",
        "https://hooks.slack.com.evil.example/x",
        "https://evil.example/hooks.slack.com",
        "https://hooks.slack.com@evil.example/",
        "https://127.0.0.1/",
        "https://hooks.slack.com:8443/x",
        "file:///etc/passwd",
    ],
)
def test_case_111_an_address_in_a_call_that_is_not_slacks_is_not_called(url: str) -> None:
    with pytest.raises(AlertRefused, match="not Slack's"):
        reply_to_slack(url, True, "done")


@pytest.fixture
def server(desk: Desk) -> Iterator[tuple[ApprovalsServer, list[tuple[str, bool, str]], list[str]]]:
    replies: list[tuple[str, bool, str]] = []
    lines: list[str] = []
    desk.now = datetime.now(UTC)
    approvals = Approvals(desk.lake, SECRET, find=desk.book.find, decide=desk.book.decide, clock=lambda: desk.now)
    there = ApprovalsServer(
        approvals.answer, log=lines.append, reply=lambda url, done, says: replies.append((url, done, says))
    )
    thread = serve_in_background(there)
    yield there, replies, lines
    there.close()
    thread.join()


def call(port: int, body: bytes, given: dict[str, str], path: str = "/slack/actions") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, body, given)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def test_case_111_over_http(desk: Desk, server: tuple[ApprovalsServer, list[Any], list[str]]) -> None:
    there, replies, lines = server
    body = press()
    forged = call(there.port, body, headers(body, desk.now, Secret("guessed")))
    done = call(there.port, body, headers(body, desk.now))
    again = call(there.port, body, headers(body, desk.now))
    other = call(there.port, body, headers(body, desk.now), path="/")
    there.close()

    assert (forged[0], done, again[0], other[0]) == (401, (200, {"done": True, "says": "p-7 is approved."}), 200, 404)
    assert again[1]["done"] is False
    assert replies[0] == ("https://hooks.slack.com/actions/T0/1/2", True, "p-7 is approved.")
    assert len(replies) == 2, "a forged call is answered nowhere else"
    assert lines[0].startswith("401 nothing done")
    assert written(desk) == ["patch_approve"]
    assert not any("payload" in line or SECRET.reveal() in line for line in lines)


def test_case_111_a_body_without_end_is_not_read(server: tuple[ApprovalsServer, list[Any], list[str]]) -> None:
    there, _, _ = server
    assert call(there.port, b"", {"Content-Length": "999999999"})[0] == 413


@pytest.mark.slow
def test_case_111_what_takes_longer_than_slack_waits_is_carried_out_and_said(
    desk: Desk, server: tuple[ApprovalsServer, list[Any], list[str]]
) -> None:
    there, replies, _ = server
    desk.book.seconds = 4.0
    body = press()
    begun = time.monotonic()
    answer = call(there.port, body, headers(body, desk.now))
    waited = time.monotonic() - begun
    there.close()

    assert waited < 3.0
    assert answer == (200, {"done": False, "says": "It is being carried out."})
    assert replies == [("https://hooks.slack.com/actions/T0/1/2", True, "p-7 is approved.")]
    assert written(desk) == ["patch_approve"]
