"""Must show 4: `aura run` on Olist killed with SIGKILL at random instants, and run again, equals one left alone.

A marked suite. AURA_KILLS says how many instants (25), AURA_SEED which ones, so that CI runs a seeded fifth:

    AURA_KILLS=5 AURA_SEED=7 python -m pytest -m slow tests/flow/test_sigkill.py

Half of the lakes begin empty. The other half already hold all months but the last four, so that the deaths
fall upon merges of standing tables too.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.shop_run import KEY, PROJECT, SHOPS, ShopRun, open_shop
from tests.flow.what_people_see import Seen, assert_same, look_at

KILLS = int(os.environ.get("AURA_KILLS", "25"))
SEED = int(os.environ.get("AURA_SEED", "2024"))
LAST_MONTHS = ("2018/06", "2018/07", "2018/08", "2018/09")

pytestmark = pytest.mark.slow


def command() -> list[str]:
    """What a person types."""
    aura = Path(sys.executable).with_name("aura")
    assert aura.is_file(), "make setup installs .venv/bin/aura"
    return [str(aura), "run"]


def environment(home: Path, data: Path) -> dict[str, str]:
    mine = {"AURA_HOME": str(home), "AURA_SHOP": str(SHOPS / "olist"), "OLIST_DATA": str(data), "AURA_PII_KEY": KEY}
    passed = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "OLIST_"))}
    return {**passed, **mine, "AURA_PROJECT": str(PROJECT), "DAGSTER_DISABLE_TELEMETRY": "1"}


def commits_in(home: Path) -> int:
    return sum(1 for _ in home.glob("*/*/_delta_log/*.json"))


@dataclass
class Run:
    """One `aura run` in a process group of its own."""

    home: Path
    data: Path

    @property
    def log(self) -> Path:
        """What it wrote to the terminal."""
        return self.home.parent / f"{self.home.name}.log"

    def start(self) -> subprocess.Popen[bytes]:
        """Begun, and its first commit of this run is there."""
        before = commits_in(self.home)
        env = environment(self.home, self.data)
        with self.log.open("ab") as log:
            process = subprocess.Popen(command(), env=env, stdout=log, stderr=log, cwd=PROJECT, start_new_session=True)
        deadline = time.monotonic() + 600
        while commits_in(self.home) == before and process.poll() is None:
            assert time.monotonic() < deadline, "no commit in ten minutes"
            time.sleep(0.01)
        return process

    def to_its_end(self) -> float:
        """Seconds from its first commit to its end; it ends well."""
        process = self.start()
        begun = time.monotonic()
        code = process.wait(timeout=900)
        assert code == 0, self.log.read_text()[-3000:]
        return time.monotonic() - begun

    def killed_after(self, seconds: float) -> bool:
        """Killed so many seconds after its first commit; False where it had ended by then."""
        process = self.start()
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return True
        assert process.returncode == 0, self.log.read_text()[-3000:]
        return False


@dataclass(frozen=True)
class Undisturbed:
    """The lake left alone, and a lake that holds all but the last months."""

    seen: Seen
    begun: Path  #: the home of the lake that has begun
    seconds_from_nothing: float
    seconds_from_begun: float


def shop_at(home: Path, data: Path) -> ShopRun:
    return open_shop(SHOPS / "olist", home, {"OLIST_DATA": str(data)})


@pytest.fixture(scope="module")
def undisturbed(olist_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    from_nothing = Run(folder / "whole", olist_data).to_its_end()
    early = folder / "early"
    shutil.copytree(olist_data, early)
    for feed in (early / "cdc").iterdir():
        for month in LAST_MONTHS:
            shutil.rmtree(feed / month, ignore_errors=True)
    begun = folder / "begun"
    Run(begun, early).to_its_end()
    again = folder / "again"
    shutil.copytree(begun, again)
    from_begun = Run(again, olist_data).to_its_end()
    seen = look_at(shop_at(folder / "whole", olist_data).lake)
    assert_same(look_at(shop_at(again, olist_data).lake), seen)
    return Undisturbed(seen, begun, from_nothing, from_begun)


def instants() -> list[tuple[int, float]]:
    """Kill number and the share of a run after which it comes; odd ones fall upon lakes that have begun."""
    chance = random.Random(SEED)
    return [(number, chance.random()) for number in range(KILLS)]


@pytest.mark.parametrize(("number", "share"), instants(), ids=[f"{n}-at-{s:.3f}" for n, s in instants()])
def test_killed_and_run_again_equals_the_lake_left_alone(
    undisturbed: Undisturbed, olist_data: Path, tmp_path: Path, number: int, share: float
) -> None:
    home = tmp_path / "lake"
    seconds = undisturbed.seconds_from_nothing
    if number % 2:
        shutil.copytree(undisturbed.begun, home)
        seconds = undisturbed.seconds_from_begun
    run = Run(home, olist_data)
    was_killed = run.killed_after(share * seconds)
    if was_killed and number % 5 == 0:
        run.killed_after(share * seconds / 2)  # once more, while it mends what the first one left
    Run(home, olist_data).to_its_end()
    shop = shop_at(home, olist_data)
    assert_same(look_at(shop.lake), undisturbed.seen)
    assert shop.count().problems() == []
