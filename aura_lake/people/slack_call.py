"""What Slack calls us with when somebody presses a button: whether it is Slack, and what it says.

Slack, "Verifying requests from Slack": `v0=` and the HMAC-SHA256 of `v0:<timestamp>:<raw body>` with the app's signing
secret. A call older than five minutes may be somebody's who listened. "Handling user interaction": the body is a form
whose field `payload` is JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from aura_lake.people.secret import Secret

#: Calls older, or further in the future, are refused.
WINDOW_SECONDS = 300

#: The headers that hold time and signature, in lower case.
TIMESTAMP, SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"

#: What our buttons ask for.
ACTIONS = ("approve", "reject", "snooze", "acknowledge")


class CallRefused(Exception):
    """The call is not one that counts. `status`: the HTTP answer; nothing was done."""

    def __init__(self, status: int, says: str) -> None:
        self.status, self.says = status, says
        super().__init__(says)


@dataclass(frozen=True)
class Call:
    """One press of a button. `ids`: what tells this call from all others."""

    user: str
    name: str
    action: str
    incident: str = ""
    patch: str = ""
    hash: str = ""
    response_url: str = field(default="", repr=False)
    ids: tuple[str, ...] = ()


def verify(headers: Mapping[str, str], body: bytes, secret: Secret, now: datetime) -> None:
    """Raises CallRefused (401) unless Slack signed this very body within the last five minutes. `headers`: names in
    lower case."""
    stamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or not signature:
        raise CallRefused(401, "The call is not signed.")
    # The signature first: who cannot sign learns nothing about our clock.
    if not hmac.compare_digest(sign(secret, stamp, body).encode(), signature.encode(errors="replace")):
        raise CallRefused(401, "The signature is not Slack's.")
    age = now.timestamp() - int(stamp)
    if abs(age) > WINDOW_SECONDS:
        raise CallRefused(401, f"The call is {abs(age):.0f} s {'old' if age > 0 else 'ahead'}; at most 300 s count.")


def sign(secret: Secret, stamp: str, body: bytes) -> str:
    """The signature of a body at a time (seconds since 1970, as text)."""
    text = b"v0:" + stamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.reveal().encode(), text, hashlib.sha256).hexdigest()


def read_call(body: bytes) -> Call:
    """What a verified call asks for. Raises CallRefused (400) where it is no press of a button of ours."""
    try:
        form = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)
        payload = json.loads(form["payload"][0])
        (action,) = payload["actions"]
        value = json.loads(action["value"])
        user, asked = payload["user"], str(action["action_id"]).removeprefix("aura_")
        call = Call(
            user=_text(user["id"]),
            name=_text(user.get("username") or user.get("name") or user["id"]),
            action=asked,
            incident=_text(value.get("incident", "")),
            patch=_text(value.get("patch", "")),
            hash=_text(value.get("hash", "")),
            response_url=_text(payload.get("response_url", "")),
            ids=(
                f"body {hashlib.sha256(body).hexdigest()}",
                f"press {_text(payload.get('trigger_id', ''))} {_text(action.get('action_ts', ''))}",
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CallRefused(400, "The call is no press of a button of Aura Lake.") from None
    if payload.get("type") != "block_actions" or not call.user or call.action not in ACTIONS:
        raise CallRefused(400, "The call is no press of a button of Aura Lake.")
    return call


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 2000:
        raise TypeError("not a short text")
    return value
