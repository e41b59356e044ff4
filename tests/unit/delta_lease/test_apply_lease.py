"""One process applies at a time; the second names the first and waits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Shop
from aura_lake.delta.lease import ApplyLease, Holder
from aura_lake.errors import LakeError, LeaseHeld
from aura_lake.lake import Lake
from aura_lake.settings import Settings

#: Takes the lease, says so, and sleeps until it is killed.
HOLD = """
import sys, time
from pathlib import Path
from aura_lake.contracts.contract import Shop
from aura_lake.delta.lease import ApplyLease
from aura_lake.lake import Lake
from aura_lake.settings import Settings

home = Path(sys.argv[1])
lake = Lake(Settings(home, str(home), home / "state", home), Shop("s", home, {}, {}))
with ApplyLease(lake, command="the first"):
    print("held", flush=True)
    time.sleep(60)
"""


def a_lake(home: Path) -> Lake:
    return Lake(Settings(home, str(home), home / "state", home), Shop("s", home, {}, {}))


def line_of(home: Path) -> str:
    return (home / "apply.lease").read_text()


def test_the_lease_says_who_holds_it_and_nothing_afterwards(tmp_path: Path) -> None:
    with ApplyLease(a_lake(tmp_path), command="aura run") as lease:
        document = json.loads(line_of(tmp_path))
        lease.check()

    assert document["command"] == "aura run"
    assert set(document) == {"pid", "host", "since", "command"}
    assert line_of(tmp_path) == ""


def test_a_second_one_names_the_holder_waits_and_gives_up(tmp_path: Path) -> None:
    told: list[Holder | None] = []
    with (
        ApplyLease(a_lake(tmp_path), command="the first"),
        pytest.raises(LeaseHeld, match=r"process \d+ on .* \(the first\), since .* applies changes to this lake"),
        ApplyLease(a_lake(tmp_path), wait_seconds=0.3, on_wait=told.append),
    ):
        pytest.fail("both hold the lease")

    assert [holder.command for holder in told if holder] == ["the first"]


def test_a_second_one_goes_on_when_the_first_ends(tmp_path: Path) -> None:
    order: list[str] = []
    first = ApplyLease(a_lake(tmp_path))

    def wait_for_it() -> None:
        with ApplyLease(a_lake(tmp_path), wait_seconds=10):
            order.append("second")

    with first:
        second = threading.Thread(target=wait_for_it)
        second.start()
        time.sleep(0.3)
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]


def test_a_lease_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LeaseHeld, match=f"process {process.pid} "), ApplyLease(a_lake(tmp_path), wait_seconds=0):
            pytest.fail("both hold the lease")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        with ApplyLease(a_lake(tmp_path), wait_seconds=0) as lease:
            lease.check()
    finally:
        process.kill()
        process.communicate()


def test_an_error_inside_gives_the_lease_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), ApplyLease(a_lake(tmp_path)):
        raise ValueError("inside")

    with ApplyLease(a_lake(tmp_path), wait_seconds=0):
        pass


def test_a_home_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")

    with pytest.raises(LakeError, match=r"apply\.lease: cannot be written") as error, ApplyLease(a_lake(home)):
        pytest.fail("a file held a lease")
    assert error.value.fix == "Point AURA_HOME at a place you may write to."
