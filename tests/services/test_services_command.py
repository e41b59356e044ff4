"""`aura services` as a user types it: up, used, seen, down, and nothing left; and servers of tests end with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer

from aura_lake.services.identity import Identity
from aura_lake.services.stack import Stack
from tests.conftest import PROJECT
from tests.services.live import skip_where_missing

pytestmark = pytest.mark.services


@pytest.fixture
def home() -> Iterator[Path]:
    """A lake's folder, which PostgreSQL's own user may enter. Whatever runs there at the end is killed."""
    folder = Path(tempfile.mkdtemp(prefix="aura-services-"))
    folder.chmod(0o711)
    yield folder
    for service in Stack.below(folder / "state" / "services").services:
        if service.daemon.running():
            service.kill()
    shutil.rmtree(folder)


def aura(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from aura_lake.cli.app import main; main()", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AURA_")}
    return subprocess.run(
        command, cwd=PROJECT, env={**clean, "AURA_HOME": str(home)}, capture_output=True, text=True, check=False
    )


def states(home: Path) -> tuple[int, dict[str, Any]]:
    """Exit code of `status`, and what it says of each service that is not stopped."""
    told = aura(home, "services", "status", "--format", "json")
    return told.returncode, {one["name"]: one for one in json.loads(told.stdout) if one["state"] != "stopped"}


def exported(home: Path) -> dict[str, str]:
    """What a shell has that sources the file that `up` names."""
    file = home / "state" / "services" / "environment.sh"
    told = subprocess.run(
        ["sh", "-c", f". {file} && env"], capture_output=True, text=True, env={"PATH": "/bin:/usr/bin"}
    )
    return dict(line.split("=", 1) for line in told.stdout.splitlines())


def test_what_is_up_can_be_used_and_what_is_down_has_gone(home: Path) -> None:
    skip_where_missing(Stack.below(home), "postgres", "kafka", "redis")
    up = aura(home, "services", "up", "kafka", "postgres", "redis", "--free-ports")
    assert up.returncode == 0, up.stderr
    variables = exported(home)
    producer = KafkaProducer(bootstrap_servers=variables["KAFKA_BROKERS"])
    producer.send("greetings", b"hello").get(timeout=60)
    producer.close()
    consumer = KafkaConsumer(
        "greetings",
        bootstrap_servers=variables["KAFKA_BROKERS"],
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
    )
    assert next(consumer).value == b"hello"
    consumer.close()
    with psycopg.connect(variables["AURA_POSTGRES_URL"]) as session:
        assert session.execute("show wal_level").fetchone() == ("logical",)

    code, seen = states(home)
    assert code == 0
    assert {name: one["state"] for name, one in seen.items()} == dict.fromkeys(
        ("postgres", "kafka", "redis"), "running"
    )
    again = aura(home, "services", "up", "kafka", "postgres", "redis")
    assert again.returncode == 0, again.stderr
    assert "starting" not in again.stderr, "what runs is left as it is, on the ports it has"
    assert states(home)[1]["kafka"]["pid"] == seen["kafka"]["pid"]

    os.kill(seen["kafka"]["pid"], signal.SIGKILL)
    family = [Identity.of(one["pid"]) for one in seen.values()]
    others = [child for one in family if one for child in one.descendants()]
    assert len(others) >= 5, "PostgreSQL has processes of its own"
    code, seen = states(home)
    assert (code, seen["kafka"]["state"]) == (1, "died")
    down = aura(home, "services", "down")
    assert (down.returncode, down.stdout) == (0, "Stopped: redis, postgres.\n"), down.stderr
    assert not [one for one in (*family, *others) if one and one.is_alive]
    assert states(home) == (1, {})
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if os.fsencode(home) in _command(path)]


def _command(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a process with its parent")
def test_servers_of_a_test_end_when_pytest_is_killed(home: Path) -> None:
    skip_where_missing(Stack.below(home), "postgres", "redis")
    program = (
        "import sys, time; from pathlib import Path; from aura_lake.services.stack import Stack\n"
        "stack = Stack.below(Path(sys.argv[1]), is_durable=False, dies_with_us=True).with_free_ports()\n"
        "stack.up(['postgres', 'redis']); print('up', flush=True); time.sleep(600)\n"
    )
    root = home / "state" / "services"
    with subprocess.Popen([sys.executable, "-c", program, str(root)], cwd=PROJECT, stdout=subprocess.PIPE) as tests:
        assert tests.stdout
        assert tests.stdout.readline() == b"up\n"
        records = [service.daemon.running() for service in Stack.below(root).chosen(["postgres", "redis"])]
        begun = [record.identity for record in records if record]
        begun += [child for one in begun for child in one.descendants()]
        assert len(begun) >= 7
        tests.kill()
    deadline = time.monotonic() + 60
    while any(one.is_alive for one in begun) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [one for one in begun if one.is_alive]
