"""PagerDuty and Slack as far as they say what they take, and servers that take it: written from their documents.

PagerDuty: "Events API v2: Send an alert event" and the published OpenAPI document of the Events API; a routing key
has 32 characters, a dedup_key 255 at most, a summary 1,024, an event 512 KB. Slack: "Block Kit: Blocks", "Block
elements", "Composition objects", "Sending messages using incoming webhooks".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Check = Callable[[bytes], list[str]]

_EVENT = {"payload", "routing_key", "event_action", "dedup_key", "client", "client_url", "links", "images"}
_PAYLOAD = {"summary", "timestamp", "severity", "source", "component", "group", "class", "custom_details"}


def pagerduty_problems(body: bytes) -> list[str]:
    """What PagerDuty would find wrong with an event; empty where it accepts it."""
    found: list[str] = []
    if len(body) > 512 * 1024:
        found.append("over 512 KB")
    event = json.loads(body)
    found += [f"unknown member {name}" for name in event.keys() - _EVENT]
    if not isinstance(event.get("routing_key"), str) or len(event["routing_key"]) != 32:
        found.append("routing_key has to have 32 characters")
    action = event.get("event_action")
    if action not in ("trigger", "acknowledge", "resolve"):
        found.append("event_action")
    key = event.get("dedup_key")
    if action != "trigger" and not key:
        found.append("dedup_key is needed")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= 255):
        found.append("dedup_key has 255 characters at most")
    if action == "trigger":
        found += _payload_problems(event.get("payload"))
    for link in event.get("links", []):
        if not str(link.get("href", "")).startswith(("http://", "https://")):
            found.append("a link without an address")
    return found


def _payload_problems(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["payload is needed to trigger"]
    found = [f"unknown member payload.{name}" for name in payload.keys() - _PAYLOAD]
    for name in ("summary", "source"):
        if not isinstance(payload.get(name), str) or not payload[name]:
            found.append(f"payload.{name} is needed")
    if len(payload.get("summary", "")) > 1024:
        found.append("payload.summary has 1,024 characters at most")
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        found.append("payload.severity")
    if "timestamp" in payload:
        datetime.fromisoformat(payload["timestamp"])
    if not isinstance(payload.get("custom_details", {}), dict):
        found.append("payload.custom_details is an object")
    return found


def slack_problems(body: bytes) -> list[str]:
    """What Slack would find wrong with a message; empty where it accepts it."""
    message = json.loads(body)
    blocks = message.get("blocks", [])
    found = [] if message.get("text") or blocks else ["no_text"]
    if len(message.get("text", "")) > 40_000:
        found.append("msg_too_long")
    if len(blocks) > 50:
        found.append("50 blocks at most")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(ids)) < len(ids) or any(len(id_) > 255 for id_ in ids):
        found.append("block_id: 255 characters, each once")
    for at, block in enumerate(blocks):
        found += [f"block {at} ({block.get('type')}): {problem}" for problem in _block_problems(block)]
    return found


def _block_problems(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "header":
        yield from _text_problems(block.get("text"), 150, ("plain_text",))
    elif kind == "section":
        if "text" not in block and "fields" not in block:
            yield "a section has text or fields"
        if "text" in block:
            yield from _text_problems(block["text"], 3000, ("plain_text", "mrkdwn"))
        fields = block.get("fields", [])
        if "fields" in block and not 1 <= len(fields) <= 10:
            yield "1 to 10 fields"
        for one in fields:
            yield from _text_problems(one, 2000, ("plain_text", "mrkdwn"))
    elif kind == "context":
        if not 1 <= len(block.get("elements", [])) <= 10:
            yield "1 to 10 elements"
        for element in block.get("elements", []):
            yield from _text_problems(element, 3000, ("plain_text", "mrkdwn"))
    elif kind == "actions":
        if not 1 <= len(block.get("elements", [])) <= 25:
            yield "1 to 25 elements"
        ids = [element.get("action_id") for element in block.get("elements", [])]
        if len(set(ids)) < len(ids):
            yield "action_id: each once in a block"
        for element in block.get("elements", []):
            yield from _button_problems(element)
    elif kind != "divider":
        yield f"a block of type {kind!r}"


def _button_problems(button: dict[str, Any]) -> Iterator[str]:
    if button.get("type") != "button":
        yield "an element that is no button"
    yield from _text_problems(button.get("text"), 75, ("plain_text",))
    if not 1 <= len(button.get("action_id", "")) <= 255:
        yield "action_id: 1 to 255 characters"
    if len(button.get("value", "")) > 2000:
        yield "value: 2,000 characters at most"
    if button.get("style") not in (None, "primary", "danger"):
        yield "style"
    if confirm := button.get("confirm"):
        yield from _text_problems(confirm.get("title"), 100, ("plain_text",))
        yield from _text_problems(confirm.get("text"), 300, ("plain_text", "mrkdwn"))
        yield from _text_problems(confirm.get("confirm"), 30, ("plain_text",))
        yield from _text_problems(confirm.get("deny"), 30, ("plain_text",))


def _text_problems(text: Any, longest: int, kinds: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield f"a text of type {' or '.join(kinds)} is needed"
    elif not 1 <= len(text.get("text", "")) <= longest:
        yield f"{len(text.get('text', ''))} characters; 1 to {longest:,}"
    elif "emoji" in text and text["type"] != "plain_text":
        yield "emoji is of plain_text alone"


@dataclass
class Vendor:
    """A server that answers as the vendor does. `away`: it answers 503; `bodies`: what it accepted."""

    url: str
    accepts: int
    bodies: list[bytes] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    away: bool = False
    asked: int = 0

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


@contextmanager
def vendor(check: Check, path: str, accepts: int) -> Iterator[Vendor]:
    """The vendor at `url`, while the block lasts."""
    state = Vendor("", accepts)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked += 1
            problems = [] if self.path == path else ["not_found"]
            problems += check(body)
            if state.away:
                status = 503
            elif problems:
                state.refused += problems
                status = 400
            else:
                state.bodies.append(body)
                status = state.accepts
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def pagerduty() -> Iterator[Vendor]:
    """PagerDuty's /v2/enqueue."""
    with vendor(pagerduty_problems, "/v2/enqueue", 202) as state:
        yield state


@contextmanager
def slack() -> Iterator[Vendor]:
    """An incoming webhook of Slack's."""
    with vendor(slack_problems, "/services/T0/B0/secretpartofthewebhook", 200) as state:
        yield state


@contextmanager
def mail_server() -> Iterator[tuple[str, list[bytes]]]:
    """(address, mails): an SMTP server (RFC 5321) that takes every mail."""
    import socketserver

    mails: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (row := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(row)
                    mails.append(b"".join(lines))
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{server.server_address[1]}", mails
        finally:
            server.shutdown()
            thread.join()
