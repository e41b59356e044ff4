"""Why a broker does not let us in, told by a broker that does as a test says."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aura_lake.outside import kafka_refusal
from aura_lake.outside.kafka_refusal import Refusal, address_of, find_refusal

#: From the number of the connection and the key of a message: the body of the answer; None hangs up.
Answers = Callable[[int, int], bytes | None]

VERSIONS, METADATA, HANDSHAKE, AUTHENTICATE = 18, 3, 17, 36
LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "ann",
    "sasl_plain_password": "secret",
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_refusal, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(kafka_refusal, "STEP_SECONDS", 0.3)


@contextmanager
def broker(answers: Answers) -> Iterator[str]:
    """The address of a broker that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in range(kafka_refusal.HANG_UPS):
                try:
                    wire, _ = server.accept()
                except OSError:
                    return
                with wire:
                    while (head := wire.recv(4)) and (message := wire.recv(struct.unpack(">i", head)[0])):
                        body = answers(number, struct.unpack(">h", message[:2])[0])
                        if body is None:
                            break
                        wire.sendall(struct.pack(">ii", len(body) + 4, 1) + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def refusal(answers: Answers, **options: Any) -> Refusal | None:
    with broker(answers) as address:
        return find_refusal({"bootstrap_servers": [address], **options})


def mechanisms(*names: str, code: int = 0) -> bytes:
    words = b"".join(struct.pack(">h", len(name)) + name.encode() for name in names)
    return struct.pack(">hi", code, len(names)) + words


def login_answer(code: int, text: str = "") -> bytes:
    return struct.pack(">hh", code, len(text)) + text.encode() + struct.pack(">i", 0)


def test_a_broker_that_lets_us_in_refuses_nothing() -> None:
    assert refusal(lambda _, key: b"\0" * 6) is None
    assert refusal(lambda _, key: mechanisms("PLAIN") if key == HANDSHAKE else login_answer(0), **LOGIN) is None


def test_a_broker_that_is_away_or_silent_refuses_nothing() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        assert find_refusal({"bootstrap_servers": [f"127.0.0.1:{port}"]}) is None
        nobody.listen()  # takes connections, and says nothing
        assert find_refusal({"bootstrap_servers": [f"127.0.0.1:{port}"]}) is None


def test_a_wrong_password_is_quoted_and_names_its_settings() -> None:
    found = refusal(
        lambda _, key: mechanisms("PLAIN") if key == HANDSHAKE else login_answer(58, "Invalid username or password"),
        **LOGIN,
    )
    assert found is not None
    assert "refuses the login of 'ann' by PLAIN: Invalid username or password" in found.says
    assert "secret" not in found.says + found.fix
    assert "AURA_KAFKA_PASSWORD" in found.fix


def test_a_mechanism_the_broker_does_not_know_is_answered_with_those_it_knows() -> None:
    found = refusal(lambda _, key: mechanisms("SCRAM-SHA-256", "GSSAPI", code=33), **LOGIN)
    assert found is not None
    assert "but by SCRAM-SHA-256, GSSAPI" in found.says
    assert "AURA_KAFKA_SASL_MECHANISM" in found.fix


def test_a_broker_without_logins_says_so() -> None:
    found = refusal(lambda _, key: mechanisms(code=34), **LOGIN)
    assert found is not None
    assert "takes no login" in found.says
    assert found.fix == "Set AURA_KAFKA_SECURITY_PROTOCOL to PLAINTEXT."


def test_a_broker_that_wants_a_login_hangs_up_on_the_second_question() -> None:
    found = refusal(lambda _, key: b"\0" * 6 if key == VERSIONS else None)
    assert found is not None
    assert "hangs up on a client of PLAINTEXT" in found.says
    assert "SASL_SSL or SASL_PLAINTEXT" in found.fix


def test_a_broker_that_hung_up_once_was_only_ending() -> None:
    assert refusal(lambda number, key: None if number == 0 else b"\0" * 6) is None


@pytest.mark.parametrize(
    ("broker_name", "host", "port"),
    [("kafka", "kafka", 9092), ("kafka:9093", "kafka", 9093), ("[::1]:9094", "::1", 9094)],
)
def test_a_broker_has_kafkas_port_where_none_is_named(broker_name: str, host: str, port: int) -> None:
    assert address_of(broker_name) == (host, port)
