"""Kafka Connect's REST interface: connectors are looked at, made, changed, and started again.

(Kafka's documentation, "Kafka Connect: REST API".) No message holds a configuration: it may hold a password.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from aura_lake.errors import SourceError, SourceUnavailable
from aura_lake.source.facts import ConnectorFacts, Lsn

#: Where the worker of this machine's own stack listens.
DEFAULT_URL = "http://127.0.0.1:18083"

#: Seconds to wait for an answer; a worker that rebalances takes its time.
TIMEOUT = 30

#: How often a request is sent again that the worker refuses while it rebalances.
ATTEMPTS = 10


class KafkaConnect:
    """One worker, or a cluster of them behind one address. User and password may stand in the URL."""

    def __init__(self, url: str = DEFAULT_URL) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SourceError(
                "The address of Kafka Connect is not an http(s) URL.",
                fix="Set AURA_CONNECT_URL, e.g. http://host:8083.",
            )
        place = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
        self.url = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        login = f"{parts.username or ''}:{parts.password or ''}"
        self._authorization = f"Basic {base64.b64encode(login.encode()).decode()}" if parts.username else None

    def plugins(self) -> list[str]:
        """The classes of all plugins that the worker has: connectors, converters, transforms."""
        return [str(plugin["class"]) for plugin in self._ask("GET", "/connector-plugins?connectorsOnly=false")]

    def names(self) -> list[str]:
        """The names of its connectors."""
        return sorted(self._ask("GET", "/connectors"))

    def config(self, name: str) -> dict[str, str] | None:
        """The configuration of a connector as the worker has it, None where there is none of that name."""
        found = self._ask("GET", f"/connectors/{quote(name, safe='')}/config", absent=None)
        return None if found is None else {str(key): str(value) for key, value in found.items()}

    def facts(self, name: str) -> ConnectorFacts:
        """What the worker says of a connector: state, trouble, configuration, and how far it has read."""
        config = self.config(name)
        if config is None:
            return ConnectorFacts(name)
        status = self._ask("GET", f"/connectors/{quote(name, safe='')}/status", absent={}) or {}
        tasks = status.get("tasks") or [{}]
        connector = status.get("connector", {})
        read_lsn, is_in_snapshot = self._offset(name)
        trace = str(tasks[0].get("trace") or connector.get("trace") or "")
        return ConnectorFacts(
            name=name,
            state=str(connector.get("state", "")),
            task_state=str(tasks[0].get("state", "")),
            trouble=first_line(trace),
            config=config,
            read_lsn=read_lsn,
            is_in_snapshot=is_in_snapshot,
        )

    def put(self, name: str, config: Mapping[str, str]) -> bool:
        """Make the connector, or give it this configuration; True where it is new. Raises SourceError with what the
        worker finds wrong."""
        self.check(name, config)
        is_new = self.config(name) is None
        self._ask("PUT", f"/connectors/{quote(name, safe='')}/config", dict(config))
        return is_new

    def restart(self, name: str) -> None:
        """Start a connector and its failed tasks again, and resume it where it was paused or stopped."""
        self._ask("PUT", f"/connectors/{quote(name, safe='')}/resume")
        self._ask("POST", f"/connectors/{quote(name, safe='')}/restart?includeTasks=true&onlyFailed=true")

    def stop(self, name: str, seconds: float = 60) -> None:
        """Stop a connector and wait until no task of it runs."""
        self._ask("PUT", f"/connectors/{quote(name, safe='')}/stop")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self._ask("GET", f"/connectors/{quote(name, safe='')}/status")
            if status["connector"]["state"] == "STOPPED" and not status["tasks"]:
                return
            time.sleep(0.2)
        raise SourceUnavailable(f"{self.url}: {name} did not stop within {seconds:.0f} s.", fix="Run again.")

    def resume(self, name: str) -> None:
        """Let a stopped or paused connector run."""
        self._ask("PUT", f"/connectors/{quote(name, safe='')}/resume")

    def forget_offsets(self, name: str) -> None:
        """Remove how far a stopped connector has read: it begins with a snapshot again."""
        self._ask("DELETE", f"/connectors/{quote(name, safe='')}/offsets")

    def delete(self, name: str) -> None:
        """Remove a connector; its offsets stay with the worker."""
        self._ask("DELETE", f"/connectors/{quote(name, safe='')}", absent=None)

    def _offset(self, name: str) -> tuple[Lsn | None, bool]:
        """How far the connector's own stored offset says that it has read, None before the first; and whether it is
        of a snapshot."""
        found = self._ask("GET", f"/connectors/{quote(name, safe='')}/offsets", absent={}) or {}
        offsets = [entry.get("offset") or {} for entry in found.get("offsets", [])]
        keys = ("lsn", "lsn_proc", "lsn_commit")
        read = [int(offset[key]) for offset in offsets for key in keys if offset.get(key) is not None]
        return (Lsn(max(read)) if read else None), any(offset.get("snapshot") for offset in offsets)

    def check(self, name: str, config: Mapping[str, str]) -> None:
        """Let the plugin look at a configuration before it is kept; it tries the database too. Raises SourceError."""
        plugin = config["connector.class"]
        found = self._ask(
            "PUT", f"/connector-plugins/{quote(plugin, safe='')}/config/validate", {**config, "name": name}
        )
        wrong = [
            f"{entry['value']['name']}: {' '.join(entry['value']['errors'])}"
            for entry in found.get("configs", [])
            if entry.get("value", {}).get("errors")
        ]
        if wrong:
            raise SourceError(
                f"Kafka Connect refuses the configuration of {name}: {'; '.join(wrong)}",
                fix="The worker has to reach the database under the host that is given: --database-host.",
            )

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **absent: Any) -> Any:
        """The answer as JSON. `absent`: what a 404 means; without it that is an error."""
        for attempt in range(ATTEMPTS):
            status, answer = self._once(method, path, body)
            if status == 404 and "absent" in absent:
                return absent["absent"]
            if status < 300:
                return json.loads(answer) if answer else None
            # The workers rebalance, or do not all know yet of a connector that was made or changed just now.
            if (status == 409 or b"Status for connector" in answer) and attempt < ATTEMPTS - 1:
                time.sleep(0.5)
                continue
            raise self._refusal(status, path, answer)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self.url + path, data, headers, method=method), timeout=TIMEOUT) as response:
                return int(response.status), response.read()
        except HTTPError as error:
            return error.code, error.read()
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise SourceUnavailable(
                f"Kafka Connect does not answer at {self.url} ({type(reason).__name__}).",
                fix="Start it (`aura services up connect` on this machine), or set AURA_CONNECT_URL.",
            ) from None

    def _refusal(self, status: int, path: str, answer: bytes) -> Exception:
        try:
            said = str(json.loads(answer).get("message", ""))
        except (ValueError, AttributeError):
            said = ""
        told = f": {first_line(said)}" if said else ""
        if status in (401, 403):
            return SourceError(
                f"Kafka Connect at {self.url} lets nobody in without a login ({status}).",
                fix="Write user and password into AURA_CONNECT_URL.",
            )
        if status >= 500 or status in (408, 409, 429):
            return SourceUnavailable(f"Kafka Connect at {self.url} is busy ({status}){told}", fix="Run again.")
        place = re.sub(r"\?.*", "", path)
        fixes = {
            404: "`aura source connect postgres` makes a connector that is not there.",
            405: "Kafka 3.6 is needed.",
        }
        return SourceError(
            f"Kafka Connect at {self.url} refused {place} ({status}){told}", fix=fixes.get(status, "Correct it.")
        )


def first_line(text: str) -> str:
    """The reason in a Java trace: the line of its last cause, without what Debezium prints of its state, without a
    password, and without what may be a row's value."""
    lines = [line for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    line = (causes or lines or [""])[-1 if causes else 0].removeprefix("Caused by: ")
    line = re.sub(r"^(?:[\w$]+\.)+[\w$]+(?:Exception|Error): ", "", line)
    line = re.sub(r"PostgresOffsetContext \[.*\](, but)", r"its offset\1", line)
    line = re.sub(r"(?i)(password[\w.]*\s*[=:]\s*)\S+", r"\1…", line)
    if re.search(r"(?i)\b(?:values?|rows?|records?|key|struct)\b", line):  # what is quoted may be a person's
        line = re.sub(r"'.*'|\".*\"|\[.*\]|\{.*\}", "…", line)
    return line if len(line) <= 300 else f"{line[:299]}…"
