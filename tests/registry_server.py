"""A schema registry of a few lines on a port of its own, which may lag, falter and go away."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class RegistryServer:
    """`schemas` by id and `subjects` by (subject, version) are what it answers with, as Confluent's API has it.

    `lag`: an id is unknown to so many questions first. `status`: answered to everything. `asked`: paths, counted.
    """

    def __init__(self, port: int = 0) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[tuple[str, int], dict[str, Any]] = {}
        self.lag: Counter[int] = Counter()
        self.status: int | None = None
        self.answer: bytes | None = None
        self.account: str | None = None
        self.asked: Counter[str] = Counter()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = registry.answer_to(urlsplit(self.path).path, self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, id_: int, schema: Any, kind: str | None = None, *references: tuple[str, str, int]) -> None:
        """Register a schema under an id; `references` are (name, subject, version)."""
        self.schemas[id_] = _entry(schema, kind, references)

    def add_subject(self, subject: str, version: int, schema: Any, *references: tuple[str, str, int]) -> None:
        """Register what others refer to."""
        self.subjects[subject, version] = {"subject": subject, "version": version, **_entry(schema, None, references)}

    def stop(self) -> None:
        """Go away: nobody listens on the port any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer_to(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        self.asked[path] += 1
        if self.account and authorization != "Basic " + base64.b64encode(self.account.encode()).decode():
            return 401, b'{"error_code": 401, "message": "Unauthorized"}'
        if self.status is not None:
            return self.status, self.answer or b"{}"
        steps = [unquote(step) for step in path.split("/")[1:]]
        if steps[:2] == ["schemas", "ids"]:
            id_ = int(steps[2])
            if self.lag[id_] > 0:
                self.lag[id_] -= 1
                return 404, b'{"error_code": 40403, "message": "Schema not found"}'
            return _found(self.schemas.get(id_), 40403)
        return _found(self.subjects.get((steps[1], int(steps[3]))), 40402)


def _entry(schema: Any, kind: str | None, references: tuple[tuple[str, str, int], ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {"schema": json.dumps(schema)}
    if kind is not None:
        entry["schemaType"] = kind
    if references:
        entry["references"] = [{"name": n, "subject": s, "version": v} for n, s, v in references]
    return entry


def _found(entry: dict[str, Any] | None, otherwise: int) -> tuple[int, bytes]:
    if entry is None:
        return 404, json.dumps({"error_code": otherwise, "message": "not found"}).encode()
    return 200, json.dumps(entry).encode()


@contextmanager
def registry_server(port: int = 0) -> Iterator[RegistryServer]:
    """A registry for as long as the block lasts, unless it was stopped inside it."""
    server = RegistryServer(port)
    try:
        yield server
    finally:
        server.stop()
