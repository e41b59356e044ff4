"""Kafka Connect's answers, and what its refusals mean."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from aura_lake.errors import SourceError, SourceUnavailable
from aura_lake.outside import kafka_connect
from aura_lake.outside.kafka_connect import KafkaConnect, first_line

CLASS = "io.debezium.connector.postgresql.PostgresConnector"


class Worker(BaseHTTPRequestHandler):
    """Answers what `answers` holds for (method, path): a status and a document, one after the other."""

    answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}  # noqa: RUF012
    asked: list[tuple[str, str, dict[str, str], Any]] = []  # noqa: RUF012

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, dict(self.headers), json.loads(body) if body else None))
        left = self.answers.get((self.command, self.path), [(404, {"message": "not found"})])
        status, document = left[0] if len(left) == 1 else left.pop(0)
        self.send_response(status)
        self.end_headers()
        if document is not None:
            self.wfile.write(json.dumps(document).encode())

    do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is told."""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KafkaConnect, type[Worker]]]:
    """A client and the worker it speaks to."""
    monkeypatch.setattr(kafka_connect.time, "sleep", lambda _: None)
    Worker.answers, Worker.asked = {}, []
    server = HTTPServer(("127.0.0.1", 0), Worker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield KafkaConnect(f"http://me:hunter2@127.0.0.1:{server.server_port}/"), Worker
    server.shutdown()
    server.server_close()
    thread.join()


def running(worker: type[Worker], offset: dict[str, Any], **task: str) -> None:
    """A connector `shop` that runs and has stored this offset."""
    worker.answers[("GET", "/connectors/shop/config")] = [(200, {"slot.name": "aura_shop"})]
    state = {"connector": {"state": "RUNNING"}, "tasks": [{"state": "RUNNING", **task}]}
    worker.answers[("GET", "/connectors/shop/status")] = [(200, state)]
    worker.answers[("GET", "/connectors/shop/offsets")] = [(200, {"offsets": [{"partition": {}, "offset": offset}]})]


def test_a_connector_says_its_state_and_how_far_it_has_read(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    client, server = worker
    running(server, {"lsn_proc": 200, "lsn_commit": 150, "lsn": 180, "txId": 999})
    facts = client.facts("shop")

    assert (facts.state, facts.task_state, facts.read_lsn) == ("RUNNING", "RUNNING", 200)
    assert not facts.is_in_snapshot
    running(server, {"snapshot": True, "lsn": 180})
    assert client.facts("shop").is_in_snapshot


def test_a_connector_that_is_not_there_has_no_facts(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    assert not worker[0].facts("shop").exists


def test_user_and_password_of_the_address_are_sent_and_never_told(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    client, server = worker
    server.answers[("GET", "/connectors")] = [(401, {"message": "no"})]
    with pytest.raises(SourceError, match="lets nobody in without a login") as error:
        client.names()

    assert server.asked[0][2]["Authorization"] == "Basic bWU6aHVudGVyMg=="
    assert "hunter2" not in str(error.value)
    assert "hunter2" not in client.url


def test_a_configuration_is_looked_at_before_it_is_kept(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    client, server = worker
    wrong = {"value": {"name": "database.hostname", "errors": ["Unable to connect"]}}
    server.answers[("PUT", f"/connector-plugins/{CLASS}/config/validate")] = [(200, {"configs": [wrong]})]
    config = {"connector.class": CLASS, "database.password": "hunter2"}
    with pytest.raises(SourceError, match=r"database\.hostname: Unable to connect") as error:
        client.put("shop", config)

    assert "hunter2" not in str(error.value)
    assert [path for method, path, _, _ in server.asked if method == "PUT"] == [
        f"/connector-plugins/{CLASS}/config/validate"
    ]


def test_it_waits_while_the_workers_rebalance(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    client, server = worker
    server.answers[("PUT", f"/connector-plugins/{CLASS}/config/validate")] = [(200, {"configs": []})]
    server.answers[("PUT", "/connectors/shop/config")] = [(409, {"message": "rebalance"}), (201, {"name": "shop"})]

    assert client.put("shop", {"connector.class": CLASS})
    server.answers[("GET", "/connectors")] = [(409, {"message": "rebalance in process"})]
    with pytest.raises(SourceUnavailable, match=r"is busy \(409\): rebalance in process"):
        client.names()


def test_a_worker_that_does_not_answer_is_told_with_what_to_do(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    with pytest.raises(SourceUnavailable, match=r"does not answer at http://127\.0\.0\.1:9") as error:
        KafkaConnect("http://127.0.0.1:9").names()
    assert "AURA_CONNECT_URL" in error.value.fix
    with pytest.raises(SourceError, match="not an http"):
        KafkaConnect("kafka:9092")


def test_a_connector_that_does_not_stop_in_time_is_told(worker: tuple[KafkaConnect, type[Worker]]) -> None:
    client, server = worker
    running(server, {})
    server.answers[("PUT", "/connectors/shop/stop")] = [(204, None)]
    with pytest.raises(SourceUnavailable, match="shop did not stop within 0 s"):
        client.stop("shop", seconds=0.05)
    server.answers[("GET", "/connectors/shop/status")] = [(200, {"connector": {"state": "STOPPED"}, "tasks": []})]
    client.stop("shop")


def test_a_trace_is_told_by_its_last_cause_and_without_secrets() -> None:
    trace = (
        "org.apache.kafka.connect.errors.ConnectException: Error\n\tat a.b(C.java:1)\n"
        "Caused by: org.postgresql.util.PSQLException: FATAL: no pg_hba.conf entry\n\tat x.y(Z.java:2)\n"
    )
    assert first_line(trace) == "FATAL: no pg_hba.conf entry"
    state = "io.debezium.DebeziumException: reads at PostgresOffsetContext [a=[b], c], but this is no longer available"
    assert first_line(state) == "reads at its offset, but this is no longer available"
    assert first_line("bad password=hunter2 given") == "bad password=… given"
    assert (
        first_line("Failed to convert value 'ann@x.org' of public.users") == "Failed to convert value … of public.users"
    )
    assert first_line("slot 'aura_shop' is active for PID 7") == "slot 'aura_shop' is active for PID 7"
    assert first_line("") == ""
