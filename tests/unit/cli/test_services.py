"""`aura services`: what it prints, and with which code it ends. The servers only pretend."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_lake.services.stack import Stack
from tests.unit.cli.conftest import Enter, Shell, write_shop

#: Answers PING on the port that its settings name, as Redis does.
REDIS = """#!/bin/sh
exec python3 -c '
import re, socket, sys
server = socket.create_server(("127.0.0.1", int(re.search(r"(?m)^port (.*)", open(sys.argv[1]).read())[1])))
while True:
    with server.accept()[0] as wire:
        wire.recv(64)
        wire.sendall(b"+PONG\\r\\n")
' "$@"
"""


@pytest.fixture
def aura(tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell on a machine that has Redis, and nothing else."""
    write_shop(tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "redis-server").write_text(REDIS)
    (programs / "redis-server").chmod(0o755)
    shell = enter(tmp_path)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield shell
    Stack.below(tmp_path / "lake" / "state" / "services").down()


@pytest.mark.parametrize("command", ["up", "install", "status", "down"])
def test_every_command_has_a_help_with_an_example(aura: Shell, command: str) -> None:
    code, out, _ = aura("services", command, "--help")
    assert code == 0
    assert f"Example: aura services {command}" in out


def test_a_service_is_up_seen_and_down(aura: Shell) -> None:
    code, out, err = aura("services", "up", "--only", "redis", "--free-ports")
    assert code == 0, err
    assert "redis://127.0.0.1:" in out
    assert "redis answers at redis://127.0.0.1:" in err
    (redis,) = [one for one in aura.json("services", "status") if one["state"] != "stopped"]
    assert (redis["name"], redis["state"]) == ("redis", "running")
    assert redis["pid"] > 1
    assert redis["memory_bytes"] > 0
    assert aura("services", "status")[0] == 0
    assert aura("services", "down")[:2] == (0, "Stopped: redis.\n")
    assert aura("services", "down")[:2] == (0, "Nothing ran.\n")


def test_status_ends_with_1_where_nothing_was_started_or_something_has_died(aura: Shell) -> None:
    code, out, err = aura("services", "status")
    assert code == 1
    assert out.count("stopped") == 6
    assert "Nothing was started" in err
    aura("services", "up", "redis", "--free-ports")
    Stack.below(aura.folder / "lake" / "state" / "services").redis.kill()
    code, out, err = aura("services", "status")
    assert code == 1
    assert "died" in out
    assert "redis has gone, and nobody stopped it" in err
    assert aura("services", "down")[0] == 0
    assert aura("services", "status", "--format", "csv")[1].splitlines()[5] == "redis,stopped,,,,"


def test_what_cannot_be_installed_is_listed(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(aura.folder / "programs"))
    code, out, err = aura("services", "up", "s3", "redis", "--yes")
    assert code == 1
    assert "versitygw: keeps S3 objects in files. Install it by hand: with Go (https://go.dev/dl): go install " in out
    assert "Not installed: versitygw." in err
    assert aura("services", "status")[0] == 1, "nothing was started"


def test_what_is_there_need_not_be_installed(aura: Shell) -> None:
    assert aura("services", "install", "redis")[:2] == (0, "redis: all it needs is here\n")
    assert aura("services", "status")[0] == 1, "nothing was started"


def test_nothing_is_installed_without_a_yes(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(aura.folder / "programs"))
    go = aura.folder / "programs" / "go"
    go.write_text(f"#!/bin/sh\n: > {aura.folder}/installed\n")
    go.chmod(0o755)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, err = aura("services", "up", "s3")
    assert code == 1
    assert "Run these commands?" in out + err
    assert not (aura.folder / "installed").exists()
    code, _, err = aura("services", "up", "s3", "--yes")
    assert (aura.folder / "installed").exists()
    assert code == 1
    assert "Not installed: versitygw." in err


@pytest.mark.parametrize("port", ["kafka", "kafka=x", "kafka=0", "kafka=70000"])
def test_a_port_that_is_none_is_refused(aura: Shell, port: str) -> None:
    code, _, err = aura("services", "up", "--port", port)
    assert code == 2
    assert "is not NAME=PORT" in " ".join(err.split())
