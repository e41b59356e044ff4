"""Processes begun, found again by their pid files, and ended: those, and never another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_lake.errors import ServiceError
from aura_lake.services.daemon import Daemon
from aura_lake.services.identity import Identity

ENVIRON = dict(os.environ)
ADDRESS = "somewhere:1"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon("sleeper", tmp_path / "run")
    yield daemon
    daemon.end()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A program that somebody else began."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def sleep(daemon: Daemon) -> Identity:
    return daemon.begin(["sleep", "60"], ADDRESS, ENVIRON).identity


def rewrite(daemon: Daemon, **facts: object) -> None:
    record = json.loads(daemon.pid_file.read_text())
    daemon.pid_file.write_text(json.dumps({**record, **facts}))


def test_a_process_is_found_again_by_its_pid_file(daemon: Daemon, tmp_path: Path) -> None:
    begun = sleep(daemon)
    again = Daemon("sleeper", tmp_path / "run").running()
    assert again is not None
    assert (again.identity, again.address) == (begun, ADDRESS)
    assert os.getsid(begun.pid) == begun.pid, "it has a session of its own, which no terminal's end reaches"


def test_a_process_that_has_gone_leaves_a_stale_pid_file(daemon: Daemon) -> None:
    begun = sleep(daemon)
    os.kill(begun.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while daemon.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert daemon.running() is None
    assert daemon.record() is not None, "so it is known that nobody stopped it"
    assert not daemon.end()
    assert daemon.record() is None


def test_a_pid_that_another_program_has_got_is_neither_taken_for_ours_nor_ended(
    daemon: Daemon, stranger: subprocess.Popen[bytes]
) -> None:
    sleep(daemon)
    daemon.end()
    time.sleep(0.05)  # births are told apart by the clock's tick, a hundredth of a second
    sleep(daemon)
    daemon.kill()
    rewrite(daemon, pid=stranger.pid)
    assert daemon.running() is None
    assert not daemon.end()
    with pytest.raises(ServiceError, match="does not run, so it cannot be killed"):
        daemon.kill()
    assert stranger.poll() is None, "the stranger runs on"


def test_a_process_born_at_another_boot_is_another(daemon: Daemon) -> None:
    begun = sleep(daemon)
    rewrite(daemon, born="another-boot/1")
    assert daemon.running() is None
    rewrite(daemon, born=begun.born)
    assert daemon.end()


def test_a_corpse_that_nobody_fetched_counts_as_gone() -> None:
    process = subprocess.Popen(["sleep", "0"])
    identity = Identity.of(process.pid)
    deadline = time.monotonic() + 10
    while (identity is None or identity.is_alive) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT) is not None, "it is still in the process table"
    assert Identity.of(process.pid) is None
    process.wait()


def test_a_pid_file_of_somebody_else_is_named(daemon: Daemon) -> None:
    daemon.pid_file.parent.mkdir(parents=True)
    daemon.pid_file.write_text("4711\n")
    with pytest.raises(ServiceError, match=r"sleeper\.pid is not a pid file of ours"):
        daemon.running()
    daemon.pid_file.unlink()


def test_a_process_that_does_not_heed_sigterm_is_killed_with_what_it_began(daemon: Daemon) -> None:
    deaf = "import signal, subprocess; signal.signal(15, signal.SIG_IGN); subprocess.run(['sleep', '60'])"
    begun = daemon.begin([sys.executable, "-c", deaf], ADDRESS, ENVIRON).identity
    deadline = time.monotonic() + 30
    while not begun.descendants() and time.monotonic() < deadline:
        time.sleep(0.01)
    (child,) = begun.descendants()
    assert daemon.end(patience_seconds=0.2)
    assert not begun.is_alive
    assert not child.is_alive
    assert not daemon.pid_file.exists()


def test_a_server_that_dies_at_its_start_is_told_with_the_end_of_its_log(daemon: Daemon) -> None:
    daemon.begin(["sh", "-c", "sleep 0.2; echo the port is on fire; exit 3"], ADDRESS, ENVIRON)
    with pytest.raises(ServiceError, match=r"(?s)sleeper ended .* after its start\. The end of .*the port is on fire"):
        daemon.wait_until(lambda: False, 30)


def test_a_server_that_stays_silent_is_told_and_goes_on_running(daemon: Daemon) -> None:
    sleep(daemon)
    with pytest.raises(ServiceError, match=r"sleeper does not answer after 0 s\. Its log, .*sleeper\.log, is empty"):
        daemon.wait_until(lambda: False, 0.1)
    assert daemon.running()


def test_the_log_of_the_run_before_is_kept_once(daemon: Daemon) -> None:
    for word in ("first", "second", "third"):
        daemon.begin(["sh", "-c", f"echo {word}; sleep 60"], ADDRESS, ENVIRON)
        deadline = time.monotonic() + 10
        while not daemon.log_file.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        daemon.kill()
    assert daemon.log_file.read_text() == "third\n"
    assert daemon.log_file.with_suffix(".log.1").read_text() == "second\n"


def test_a_process_has_memory_and_one_that_has_gone_has_none(daemon: Daemon) -> None:
    begun = sleep(daemon)
    memory = begun.memory_bytes()
    assert memory is not None
    assert 10_000 < memory < 100_000_000
    daemon.kill()
    assert begun.memory_bytes() is None
