"""`aura stream` processes on one lake, and what they have to make of the demo shop's records in topics."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.delta.documents import read_document
from aura_lake.delta.watermarks import LANE, of_feed
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.settings import Settings
from aura_lake.simulate import SimulationPlan, mess_named, simulate
from aura_lake.steps.publish import MANIFEST
from tests.conftest import PROJECT

PLAN = SimulationPlan(seed=5, days=2, end=date(2026, 5, 4), orders=80, clicks=800, mess=mess_named("all"))
KEY = "k" * 40
MODELS = ("dim_customers", "dim_products", "fct_orders", "fct_order_items", "fct_sales_revenue")

_AURA = (sys.executable, "-c", "from aura_lake.cli.app import main; main()")


class Stream:
    """One `aura stream` process."""

    def __init__(self, folder: Path, number: int, environment: Mapping[str, str]) -> None:
        self._told = folder / f"stream-{number}.jsonl"
        self.log = folder / f"stream-{number}.log"
        with self._told.open("wb") as told, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_AURA, "stream", "--format", "json"], cwd=PROJECT, env=environment, stdout=told, stderr=log
            )

    def lines(self) -> list[dict[str, Any]]:
        """What it has said of itself, a line a second."""
        whole = self._told.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def await_line(self, seconds: float = 120, **wanted: Any) -> None:
        """Return when its newest line says so; a number is the least."""
        until = time.monotonic() + seconds
        while True:
            line = (self.lines() or [{}])[-1]
            if all(
                line.get(name, 0) >= value if isinstance(value, int) else line.get(name) == value
                for name, value in wanted.items()
            ):
                return
            assert self.process.poll() is None, (
                f"it ended with {self.process.returncode}: {self.log.read_text()[-2000:]}"
            )
            assert time.monotonic() < until, f"no line with {wanted} in {seconds:.0f} s; the newest: {line}"
            time.sleep(0.2)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it; after SIGSTOP return when it stands still."""
        self.process.send_signal(number)
        while number == signal.SIGSTOP and not self._is_stopped():
            time.sleep(0.001)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code, after this signal."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def _is_stopped(self) -> bool:
        return "State:\tT" in Path(f"/proc/{self.process.pid}/status").read_text()


class Streams:
    """`aura stream` processes on one lake. `more`: variables of all of them; on S3 each has a state folder of its own,
    as on machines of their own."""

    def __init__(
        self, folder: Path, brokers: str, shop: Path, home: str | None = None, more: Mapping[str, str] | None = None
    ) -> None:
        self.folder, self.brokers, self.shop = folder, brokers, shop
        self.home, self._more = home or str(folder / "lake"), dict(more or {})
        self.streams: list[Stream] = []

    def environment(self, state: str = "state") -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_"))}
        given = {"AURA_ENV": "live", "KAFKA_BROKERS": self.brokers, "AURA_PII_KEY": KEY, **self._more}
        place = {"AURA_HOME": self.home, "AURA_SHOP": str(self.shop)}
        return {**clean, **given, **place, **({"AURA_STATE": str(self.folder / state)} if "://" in self.home else {})}

    def start(self) -> Stream:
        """One more, begun."""
        number = len(self.streams)
        stream = Stream(self.folder, number, self.environment(f"state-{number}"))
        self.streams.append(stream)
        return stream

    def lake(self) -> Lake:
        """The lake as it stands now."""
        environ = self.environment("state-of-the-test")
        settings = Settings.from_environment({**environ, "AURA_PROJECT": str(PROJECT)})
        return Lake(settings, load_shop(self.shop, "live", environ))

    def records(self) -> int:
        """Records in bronze."""
        lake = self.lake()
        tables = [lake.bronze(feed) for feed in lake.shop.feeds]
        counts = [
            int(files.filter(files["partition.row_kind"] == "record")["num_records"].sum())
            for table in tables
            if "partition.row_kind" in (files := table.files()).columns
        ]
        return sum(counts)

    def await_landed(self, records: int, seconds: float = 240) -> None:
        """Until bronze holds so many records."""
        self._await(lambda: self.records() == records, records, seconds)

    def await_published(self, records: int, seconds: float = 400) -> None:
        """Until bronze holds so many records and gold shows them all."""
        self._await(lambda: self.records() == records and self._is_published(), records, seconds)

    def _await(self, is_so: Any, records: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(1)
            if is_so():
                return
        logs = "".join(stream.log.read_text()[-2000:] + str(stream.lines()[-1:]) for stream in self.streams)
        raise AssertionError(f"{self.records()} of {records} records after {seconds:.0f} s\n{logs}")

    def _is_published(self) -> bool:
        lake = self.lake()
        pinned = (read_document(lake, MANIFEST) or {}).get("tables", {})
        return all(
            lake.log(c).watermark(of_feed(c.feed)) == lake.bronze(c.feed).watermark(LANE)
            and pinned.get(f"silver.{name}_log") == lake.log(c).version
            for name, c in lake.shop.contracts.items()
        )

    def end(self) -> None:
        """All of them, also those that stand still."""
        for stream in self.streams:
            if stream.process.poll() is None:
                stream.process.send_signal(signal.SIGCONT)
                stream.process.terminate()
        for stream in self.streams:
            try:
                stream.process.wait(60)
            except subprocess.TimeoutExpired:
                stream.process.kill()
                stream.process.wait()


@pytest.fixture(scope="session")
def shop_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop's records as files."""
    folder = tmp_path_factory.mktemp("records")
    simulate(PLAN, folder)
    return folder


@pytest.fixture(scope="session")
def topic_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop, whose topics here carry what its files do: decimals by bytes and scale."""
    folder = tmp_path_factory.mktemp("shop") / "aura_mart"
    shutil.copytree(PROJECT / "shops" / "aura_mart", folder)
    said = "      - property: decimals\n        value: string\n"
    for contract in folder.glob("*.odcs.yaml"):
        contract.write_text(contract.read_text().replace(said, ""))
    return folder


@pytest.fixture(scope="session")
def made_from_files(
    shop_records: Path, topic_shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, pl.DataFrame]:
    """What `aura run` makes of the files."""
    home = tmp_path_factory.mktemp("files") / "lake"
    environ = {
        "AURA_HOME": str(home), "AURA_MART_DATA": str(shop_records), "AURA_PII_KEY": KEY, "AURA_SHOP": str(topic_shop),
    }  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_"))}
    ran = subprocess.run([*_AURA, "run"], cwd=PROJECT, env={**clean, **environ}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    settings = Settings(project=PROJECT, home=str(home), state=home / "state", shop=topic_shop, environ=environ)
    return tables(Lake(settings, load_shop(topic_shop, "local", environ)))


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    """Current rows of silver and gold, without what names positions and times of landing."""
    found = {name: lake.table(name).collect() for name in (*lake.shop.contracts, "order_touchpoints")}
    found |= {model: lake.gold(model).scan().collect() for model in MODELS}
    return {name: frame.select(sorted(frame.columns)).sort(sorted(frame.columns)) for name, frame in found.items()}


def assert_ledger_balances(lake: Lake) -> None:
    """Every record is accounted for, once."""
    assert count(lake).problems() == []


def assert_same(found: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]) -> None:
    """Every table has the same rows."""
    differing = [name for name, frame in expected.items() if not frame.equals(found[name], null_equal=True)]
    assert differing == []
