"""Which services there are, which need which, where they listen, and what is said of those that are missing."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_lake.errors import ServiceError, SettingsError
from aura_lake.services.environment import client_environment, write_environment
from aura_lake.services.service import Standing
from aura_lake.services.stack import DEFAULT_PORTS, Stack
from tests.unit.services.conftest import Pretend

#: Answers PING on the port that its settings name, as Redis does.
PRETENDED_REDIS = """exec python3 -c '
import re, socket, sys
server = socket.create_server(("127.0.0.1", int(re.search(r"(?m)^port (.*)", open(sys.argv[1]).read())[1])))
while True:
    with server.accept()[0] as wire:
        wire.recv(64)
        wire.sendall(b"+PONG\\r\\n")
' "$@" """


@pytest.fixture
def stack(tmp_path: Path, environ: dict[str, str], pretend: Pretend, told: list[str]) -> Iterator[Stack]:
    pretend("redis-server", PRETENDED_REDIS)
    stack = Stack.below(tmp_path / "site", environ=environ, tell=told.append).with_free_ports()
    yield stack
    stack.down()


def again(stack: Stack) -> Stack:
    """The stack as another process finds it."""
    return Stack.below(stack.site.root, environ=stack.site.environ)


def names(stack: Stack, *chosen: str) -> list[str]:
    return [service.name for service in stack.chosen(chosen)]


def test_a_service_comes_with_those_it_needs_and_after_them(stack: Stack) -> None:
    assert names(stack, "connect") == ["kafka", "connect"]
    assert names(stack, "redis", "postgres") == ["postgres", "redis"]
    assert names(stack) == ["postgres", "kafka", "registry", "s3", "redis", "connect"]


def test_a_name_that_is_no_service_is_told_with_those_that_are(stack: Stack) -> None:
    for call in (stack.chosen, stack.up, stack.down, stack.missing):
        with pytest.raises(SettingsError, match=r"no service zookeeper\. There are: postgres, kafka"):
            call(["zookeeper"])
    with pytest.raises(SettingsError, match=r"no service zookeeper to give a port to"):
        Stack.below(stack.site.root, {"zookeeper": 1})


def test_a_service_is_started_found_again_and_stopped(stack: Stack, told: list[str]) -> None:
    assert stack.up(["redis"]) == ["redis"]
    assert stack.up(["redis"]) == [], "what runs is left as it is"
    other = again(stack)
    standing = {one.name: one for one in other.look()}
    assert standing["redis"].state == "running"
    assert standing["redis"].address == f"redis://127.0.0.1:{stack.redis.port}/0"
    assert standing["redis"].memory_bytes
    assert standing["kafka"] == Standing("kafka", "stopped", stack.kafka.daemon.log_file)
    assert other.down() == ["redis"]
    assert stack.look() == other.look()
    assert f"redis answers at {stack.redis.url}" in told


def test_a_service_that_was_killed_has_died_and_starts_again_where_it_was(stack: Stack) -> None:
    stack.up(["redis"])
    stack.redis.kill()
    assert {one.name: one.state for one in again(stack).look()}["redis"] == "died"
    assert again(stack).up(["redis"]) == ["redis"]
    assert again(stack).redis.port == stack.redis.port


def test_a_service_that_runs_and_does_not_answer_is_silent(stack: Stack) -> None:
    stack.up(["redis"])
    record = stack.redis.daemon.running()
    assert record
    stack.redis.daemon.pid_file.rename(stack.site.root / "run" / "s3.pid")  # it runs, and speaks no S3
    standing = {one.name: one.state for one in stack.look()}
    (stack.site.root / "run" / "s3.pid").rename(stack.redis.daemon.pid_file)
    assert (standing["s3"], standing["redis"]) == ("silent", "stopped")


def test_down_stops_those_that_need_the_one_named_and_leaves_the_others(stack: Stack) -> None:
    stack.up(["redis"])
    assert stack.down(["kafka", "s3"]) == []
    assert stack.redis.daemon.running()
    assert stack.down(["redis"]) == ["redis"]


def test_a_port_that_another_program_has_is_told_and_nothing_is_started(stack: Stack) -> None:
    with (
        socket.create_server(("127.0.0.1", stack.redis.port)),
        pytest.raises(ServiceError, match="another program does"),
    ):
        stack.up(["redis"])
    assert stack.redis.daemon.record() is None
    assert not (stack.site.root / "ports.json").exists(), "a port that could not be had is not kept"


def test_ports_are_kept_for_the_next_time_and_a_new_one_is_refused_while_it_runs(stack: Stack) -> None:
    stack.up(["redis"])
    kept = json.loads((stack.site.root / "ports.json").read_text())
    assert kept == {"redis": stack.redis.port}
    moved = Stack.below(stack.site.root, {"redis": 4444}, environ=stack.site.environ)
    with pytest.raises(ServiceError, match=r"redis runs already, at .* and not at redis://127.0.0.1:4444/0"):
        moved.up(["redis"])
    free = again(stack).with_free_ports()
    assert free.redis.port == stack.redis.port, "what runs stays where it is"
    assert free.kafka.port not in DEFAULT_PORTS.values()


def test_two_lakes_have_services_of_their_own(stack: Stack, tmp_path: Path) -> None:
    stack.up(["redis"])
    other = Stack.below(tmp_path / "another lake", environ=stack.site.environ)
    assert other.down() == []
    assert {one.state for one in other.look()} == {"stopped"}
    assert stack.redis.daemon.running()


def test_what_is_missing_is_named_once_with_its_package(tmp_path: Path, bare: dict[str, str]) -> None:
    stack = Stack.below(tmp_path / "site", environ=bare)
    missing = {one.program: one for one in stack.missing(["connect", "registry", "redis", "s3"])}
    assert sorted(missing) == ["java", "mvn", "redis-server", "versitygw"]
    assert missing["java"].apt == "default-jre-headless"
    assert missing["versitygw"].go.endswith("/versitygw@v1.8.0")
    with pytest.raises(ServiceError, match="redis needs redis-server, which is not on this machine"):
        stack.up(["redis"])


@pytest.mark.parametrize(
    ("told", "is_missing"), [("17.0.15", False), ("21", False), ("11.0.2", True), ("1.8.0_402", True)]
)
def test_java_must_be_new_enough(
    tmp_path: Path, bare: dict[str, str], pretend: Pretend, told: str, is_missing: bool
) -> None:
    pretend("java", f"echo 'openjdk version \"{told}\"' >&2")
    missing = Stack.below(tmp_path / "site", environ=bare).missing(["kafka"])
    assert ("java" in [one.program for one in missing]) is is_missing


def test_clients_are_told_where_the_services_are(stack: Stack) -> None:
    found = client_environment(stack, ["kafka", "postgres", "connect"])
    assert found == {
        "AURA_ENV": "live",
        "KAFKA_BROKERS": stack.kafka.bootstrap,
        "AURA_POSTGRES_URL": stack.postgres.dsn("aura_mart"),
        "AURA_CONNECT_URL": stack.connect.url,
    }
    stack.site.root.mkdir(exist_ok=True)
    lines = write_environment(stack, ["kafka", "s3"]).read_text().splitlines()
    assert f"export KAFKA_BROKERS={stack.kafka.bootstrap}" in lines
    assert not [line for line in lines if line.startswith("export AWS_")], "it would hide the shell's own keys"


def test_a_service_may_be_tied_to_the_life_of_this_program(tmp_path: Path, environ: dict[str, str]) -> None:
    stack = Stack.below(tmp_path / "site", environ=environ, dies_with_us=True)
    assert stack.redis.launcher()[-2:] == ["--pdeathsig", "KILL"]
    assert stack.postgres.launcher()[-2:] == ["--pdeathsig", "QUIT"]
    assert Stack.below(tmp_path / "site", environ=environ).redis.launcher() == []
    assert stack.postgres.ending is signal.SIGINT
