"""A small HTTP server that hands Slack's calls to whoever answers them. It keeps nothing and logs no body."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import urlsplit

from aura_lake.errors import AlertRefused, AlertUnavailable, SettingsError
from aura_lake.outside.alert_http import post_json

#: Where Slack is told to call.
PATH = "/slack/actions"

#: Slack's own payloads are a few KB; a body of more is nobody's we know.
LARGEST_BODY = 256 * 1024

#: Slack waits three seconds for an answer ("Acknowledgment response"); what takes longer is said later.
ANSWER_WITHIN_SECONDS = 2.5

#: Seconds until a caller that sends nothing is hung up on.
PATIENCE_SECONDS = 10

#: The only hosts that are told what came of a call, whatever address the call names.
SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")


class Answered(Protocol):
    """What the server needs of an answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""

    @property
    def says(self) -> str:
        """What to say."""

    @property
    def response_url(self) -> str:
        """Where Slack takes it; may be empty."""


Answerer = Callable[[Mapping[str, str], bytes], Answered]
Log = Callable[[str], None]


class ApprovalsServer:
    """Listens until it is closed. `port` 0 takes a free one. `reply`: says back to Slack what came of a call."""

    def __init__(
        self,
        answer: Answerer,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Log = lambda line: None,
        reply: Callable[[str, bool, str], None] | None = None,
    ) -> None:
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="approvals")
        self._answer, self._log, self._reply = answer, log, reply or reply_to_slack
        try:
            self._server = ThreadingHTTPServer((host, port), self._handler())
        except OSError as error:
            raise SettingsError(
                f"{host}:{port} cannot be listened on ({error.strerror}).", fix="Choose another --port or --host."
            ) from error
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def serve(self) -> None:
        """Answer calls until `close` is called from another thread."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop listening; what was begun is ended."""
        self._server.shutdown()
        self._server.server_close()
        self._pool.shutdown(wait=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            timeout = PATIENCE_SECONDS
            server_version, sys_version = "aura-lake", ""

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if urlsplit(self.path).path != PATH:
                    self._say(404, {"says": f"Calls go to {PATH}."})
                elif not (length.isascii() and length.isdigit()) or int(length) > LARGEST_BODY:
                    self._say(413, {"says": f"A call has a Content-Length of at most {LARGEST_BODY}."})
                else:
                    self._call(self.rfile.read(int(length)))

            def _call(self, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                working = server._pool.submit(server._answer, headers, body)
                try:
                    answered = working.result(timeout=ANSWER_WITHIN_SECONDS)
                except NotYet:
                    self._say(200, {"done": False, "says": "It is being carried out."})
                    working.add_done_callback(server._finish)
                except Exception as error:  # the log has its kind; its message may hold what was sent
                    server._log(f"500 a defect: {type(error).__name__}")
                    self._say(500, {"done": False, "says": "A defect; nothing is known to be written."})
                else:
                    self._say(answered.status, {"done": answered.is_done, "says": answered.says})
                    server._finish(working)

            def _say(self, status: int, document: Mapping[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the answers are logged, the callers' words are not."""

        return Handler

    def _finish(self, working: Future[Answered]) -> None:
        """Log what came of a call, and say it back to Slack."""
        error = working.exception()
        if error is not None:
            self._log(f"a defect: {type(error).__name__}")
            return
        answered = working.result()
        self._log(f"{answered.status} {'done' if answered.is_done else 'nothing done'}: {answered.says}")
        if not answered.response_url:
            return
        try:
            self._reply(answered.response_url, answered.is_done, answered.says)
        except (AlertUnavailable, AlertRefused) as failed:
            self._log(f"Slack was not told what came of it: {failed.what}")


def reply_to_slack(url: str, is_done: bool, says: str) -> None:
    """Say in the channel what was done, or to the one who pressed why nothing was. Slack's own hosts alone are told:
    an address in a call is not one to be called."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname not in SLACK_HOSTS or parts.port not in (None, 443):
        raise AlertRefused("The call names an address that is not Slack's; nothing was sent there.")
    kind = "in_channel" if is_done else "ephemeral"
    post_json("Slack", url, {"response_type": kind, "replace_original": False, "text": says})


def serve_in_background(server: ApprovalsServer) -> threading.Thread:
    """The server, listening in a thread."""
    thread = threading.Thread(target=server.serve, name="approvals", daemon=True)
    thread.start()
    return thread
