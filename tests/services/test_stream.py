"""`aura stream` on a real broker: what it makes of topics equals what `aura run` makes of the same records in files,
whoever is killed, and however many processes land."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.services.kafka import Kafka
from aura_lake.settings import Settings
from aura_lake.simulate import SimulationPlan, mess_named, simulate
from aura_lake.steps.publish import MANIFEST
from tests.conftest import PROJECT
from tests.services.live import running
from tests.services.topics_of_a_shop import make_topics, send_shop

pytestmark = pytest.mark.services

PLAN = SimulationPlan(seed=5, days=2, end=date(2026, 5, 4), orders=80, clicks=800, mess=mess_named("all"))
KEY = "k" * 40
MODELS = ("dim_customers", "dim_products", "fct_orders", "fct_order_items", "fct_sales_revenue")


class Live:
    """`aura stream` processes on one lake."""

    def __init__(self, home: Path, brokers: str, shop: Path) -> None:
        self.home, self.brokers, self.shop = home, brokers, shop
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_"))}
        given = {"AURA_ENV": "live", "KAFKA_BROKERS": self.brokers, "AURA_PII_KEY": KEY}
        return {**clean, **given, "AURA_HOME": str(self.home), "AURA_SHOP": str(self.shop)}

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from aura_lake.cli.app import main; main()", "stream", "--format", "json"]
        with (self.home.parent / f"stream-{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.processes.append(process)
        return process

    def lake(self) -> Lake:
        settings = Settings(
            project=PROJECT, home=str(self.home), state=self.home / "state", shop=self.shop, environment="live",
            environ=self.environment,
        )  # fmt: skip
        return Lake(settings, load_shop(self.shop, "live", self.environment))

    def wait_until_published(self, records: int, seconds: float = 240) -> None:
        """Until bronze holds so many records and gold shows them all."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(1)
            if self.records() == records and self._is_published():
                return
        logs = "".join(path.read_text()[-2000:] for path in sorted(self.home.parent.glob("stream-*.log")))
        raise AssertionError(f"{self.records()} of {records} records after {seconds:.0f} s\n{logs}")

    def records(self) -> int:
        lake = self.lake()
        tables = [lake.bronze(feed) for feed in lake.shop.feeds]
        counts = [
            int(files.filter(files["partition.row_kind"] == "record")["num_records"].sum())
            for table in tables
            if "partition.row_kind" in (files := table.files()).columns
        ]
        return sum(counts)

    def _is_published(self) -> bool:
        from aura_lake.delta.documents import read_document
        from aura_lake.delta.watermarks import LANE, of_feed

        lake = self.lake()
        pinned = (read_document(lake, MANIFEST) or {}).get("tables", {})
        return all(
            lake.log(c).watermark(of_feed(c.feed)) == lake.bronze(c.feed).watermark(LANE)
            and pinned.get(f"silver.{name}_log") == lake.log(c).version
            for name, c in lake.shop.contracts.items()
        )

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            process.wait(60)
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    simulate(PLAN, folder)
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop, whose topics here carry what its files do: decimals by bytes and scale."""
    folder = tmp_path_factory.mktemp("shop") / "aura_mart"
    shutil.copytree(PROJECT / "shops" / "aura_mart", folder)
    said = "      - property: decimals\n        value: string\n"
    for contract in folder.glob("*.odcs.yaml"):
        contract.write_text(contract.read_text().replace(said, ""))
    return folder


@pytest.fixture(scope="module")
def expected(records: Path, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, pl.DataFrame]:
    """What `aura run` makes of the files."""
    home = tmp_path_factory.mktemp("files") / "lake"
    environ = {"AURA_HOME": str(home), "AURA_MART_DATA": str(records), "AURA_PII_KEY": KEY, "AURA_SHOP": str(shop)}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_"))}
    command = [sys.executable, "-c", "from aura_lake.cli.app import main; main()", "run"]
    ran = subprocess.run(command, cwd=PROJECT, env={**clean, **environ}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    settings = Settings(project=PROJECT, home=str(home), state=home / "state", shop=shop, environ=environ)
    return tables(Lake(settings, load_shop(shop, "local", environ)))


@pytest.fixture
def live(tmp_path: Path, shop: Path) -> Iterator[tuple[Live, Kafka]]:
    with running("kafka") as stack:
        live = Live(tmp_path / "lake", stack.kafka.bootstrap, shop)
        try:
            yield live, stack.kafka
        finally:
            live.end()


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    """Current rows of silver and gold, without what names positions and times of landing."""
    found = {name: lake.table(name).collect() for name in (*lake.shop.contracts, "order_touchpoints")}
    found |= {model: lake.gold(model).scan().collect() for model in MODELS}
    return {name: frame.select(sorted(frame.columns)).sort(sorted(frame.columns)) for name, frame in found.items()}


def verdicts(lake: Lake) -> dict[str, Any]:
    ledger = count(lake)
    assert ledger.problems() == []
    return {line.table: dict(line.verdicts) for line in ledger.tables}


def same(found: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]) -> None:
    differing = [name for name, frame in expected.items() if not frame.equals(found[name], null_equal=True)]
    assert differing == []


def test_what_is_streamed_equals_what_is_run_from_files(
    live: tuple[Live, Kafka], records: Path, expected: Mapping[str, pl.DataFrame]
) -> None:
    stream, kafka = live
    make_topics(kafka.bootstrap, records)
    process = stream.start()
    sent = send_shop(kafka.bootstrap, records)
    stream.wait_until_published(sent)
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, "SIGTERM ends it cleanly"
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["records"] == sent
    assert any(line["role"] == "applies" for line in lines)
    same(tables(stream.lake()), expected)
    verdicts(stream.lake())
    assert _shown_in_dagster(stream) >= {"silver/orders", "gold/fct_sales_revenue", "bronze/aura_orders"}


def test_two_streams_share_the_lanes_and_the_other_takes_over_when_the_applier_dies(
    live: tuple[Live, Kafka], records: Path, expected: Mapping[str, pl.DataFrame]
) -> None:
    stream, kafka = live
    make_topics(kafka.bootstrap, records)
    first = stream.start()
    time.sleep(8)
    stream.start()
    sent = send_shop(kafka.bootstrap, records)
    time.sleep(6)
    first.send_signal(signal.SIGKILL)
    stream.wait_until_published(sent)
    same(tables(stream.lake()), expected)
    verdicts(stream.lake())


def test_a_stream_waits_for_brokers_that_are_away_and_goes_on(
    live: tuple[Live, Kafka], records: Path, expected: Mapping[str, pl.DataFrame]
) -> None:
    stream, kafka = live
    make_topics(kafka.bootstrap, records)
    process = stream.start()
    sent = send_shop(kafka.bootstrap, records)
    time.sleep(5)
    kafka.kill()
    time.sleep(5)
    kafka.start()
    stream.wait_until_published(sent)
    assert process.poll() is None, "it went on by itself"
    same(tables(stream.lake()), expected)


def _shown_in_dagster(stream: Live) -> set[str]:
    from aura_lake.orchestration.instance import open_instance

    with open_instance(stream.lake().settings) as instance:
        return {"/".join(key.path) for key in instance.get_asset_keys()}
