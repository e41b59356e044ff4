"""The three real shops and a simulated one, each run once from its records to gold for all tests that look."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aura_lake.simulate import SimulationPlan, SimulationReport, mess_named, simulate
from tests.flow.shop_run import MART, SHOPS, ShopRun, open_shop


@pytest.fixture(scope="session")
def olist_data(shared_data: Path) -> Path:
    """4,000 orders of Olist: change files by month, and CSVs."""
    return shared_data / "olist_dev"


@pytest.fixture(scope="session")
def rees46_data(shared_data: Path) -> Path:
    """5,019 events of REES46 as Firehose objects."""
    return shared_data / "rees46_dev"


@pytest.fixture(scope="session")
def uci_data(shared_data: Path) -> Path:
    """A month of UCI Online Retail, one CSV a day."""
    return shared_data / "uci_dev"


@pytest.fixture(scope="session")
def olist(olist_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    """Olist after one run of everything at once. To be looked at, not changed."""
    return _run("olist", {"OLIST_DATA": str(olist_data)}, tmp_path_factory)


@pytest.fixture(scope="session")
def rees46(rees46_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    """REES46 after one run. To be looked at, not changed."""
    return _run("rees46", {"REES46_DATA": str(rees46_data / "firehose_dev")}, tmp_path_factory)


@pytest.fixture(scope="session")
def uci(uci_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    """UCI after one run, its files in a folder of their own. What a test delivers there must change nothing."""
    folder = tmp_path_factory.mktemp("uci-files")
    shutil.copytree(uci_data / "by-day", folder / "by-day")
    return _run("uci", {"UCI_DATA": str(folder)}, tmp_path_factory)


@dataclass(frozen=True)
class Mart:
    """The demo shop, simulated with all its mess, and its lake after one run of everything."""

    shop: ShopRun
    feeds: Path  #: the folder the simulator wrote
    report: SimulationReport


@pytest.fixture(scope="session")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Mart:
    """Five days of the demo shop after one run. To be looked at, not changed."""
    folder = tmp_path_factory.mktemp("mart")
    plan = SimulationPlan(seed=11, days=5, orders=300, clicks=4_000, mess=mess_named("all"))
    report = simulate(plan, folder / "feeds")
    shop = open_shop(MART, folder / "lake", {"AURA_MART_DATA": str(folder / "feeds")})
    shop.run()
    return Mart(shop, folder / "feeds", report)


def _run(name: str, environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    run = open_shop(SHOPS / name, tmp_path_factory.mktemp(name) / "lake", environ)
    run.run()
    return run


def _expected(file: Path) -> dict[str, Any]:
    numbers: dict[str, Any] = json.loads(file.read_text())
    return numbers


@pytest.fixture(scope="session")
def olist_expected(olist_data: Path) -> dict[str, Any]:
    """What must come out of Olist, computed by others from the source CSVs."""
    return _expected(olist_data / "expected.json")


@pytest.fixture(scope="session")
def rees46_expected(rees46_data: Path) -> dict[str, Any]:
    """What must come out of REES46."""
    return _expected(rees46_data / "expected_dev.json")


@pytest.fixture(scope="session")
def uci_expected(uci_data: Path) -> dict[str, Any]:
    """What must come out of UCI."""
    return _expected(uci_data / "expected_dev.json")
