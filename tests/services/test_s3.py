"""The demo shop with its feeds and its lake in S3 equals the same shop on local folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.delta.documents import read_document
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.simulate import SimulationPlan, mess_named, simulate
from aura_lake.steps.publish import MANIFEST
from tests.conftest import PROJECT
from tests.services.s3_server import S3Server, s3_server

pytestmark = pytest.mark.services

PLAN = SimulationPlan(seed=11, days=3, end=date(2026, 5, 4), orders=120, clicks=1500, mess=mess_named("all"))
KEY = "k" * 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        running.client().create_bucket(Bucket="lake")
        running.client().create_bucket(Bucket="feeds")
        yield running


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, server: S3Server) -> Path:
    folder = tmp_path_factory.mktemp("records")
    simulate(PLAN, folder)
    assert server.upload(folder, "feeds", "mart") > 30
    return folder


def aura(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from aura_lake.cli.app import main; main()", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_"))}
    return subprocess.run(
        command, cwd=PROJECT, env={**clean, "AURA_PII_KEY": KEY, **environment}, capture_output=True, text=True
    )


def lake_of(home: str, state: Path, data: str, environment: dict[str, str]) -> Lake:
    environ = {**environment, "AURA_MART_DATA": data, "AURA_PII_KEY": KEY}
    shop = PROJECT / "shops" / "aura_mart"
    settings = Settings(project=PROJECT, home=home, state=state, shop=shop, environ=environ)
    return Lake(settings, load_shop(shop, "local", environ))


@pytest.fixture(scope="module")
def both(
    server: S3Server, records: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lake, Lake, dict[str, str]]]:
    """The shop in S3 and the shop in folders, both brought up to date by `aura run`."""
    local, state = tmp_path_factory.mktemp("local"), tmp_path_factory.mktemp("state")
    places = {"AURA_HOME": "s3://lake/mart", "AURA_STATE": str(state), "AURA_MART_DATA": "s3://feeds/mart"}
    in_s3 = {**server.environment, **places}
    ran = aura("run", **in_s3)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    ran = aura("run", AURA_HOME=str(local), AURA_MART_DATA=str(records))
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    here = lake_of(str(local), local / "state", str(records), {})
    there = lake_of("s3://lake/mart", state, "s3://feeds/mart", server.environment)
    with pytest.MonkeyPatch.context() as patch:  # boto3 reads credentials from the process
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield here, there, in_s3


def rows(lake: Lake, model: str) -> pl.DataFrame:
    frame = lake.gold(model).scan().collect()
    return frame.select(sorted(frame.columns)).sort(pl.all())


def test_gold_in_s3_equals_gold_in_a_folder_row_for_row(both: tuple[Lake, Lake, dict[str, str]]) -> None:
    here, there, _ = both
    models = [name for name in (read_document(here, MANIFEST) or {})["tables"] if name.startswith("gold.")]
    assert "gold.fct_sales_revenue" in models
    for name in models:
        model = name.removeprefix("gold.")
        assert rows(here, model).height
        assert rows(here, model).equals(rows(there, model)), f"{model} differs between S3 and the folder"


def test_silver_in_s3_equals_silver_in_a_folder_row_for_row(both: tuple[Lake, Lake, dict[str, str]]) -> None:
    here, there, _ = both
    for table in here.shop.contracts:
        mine, other = (lake.table(table).collect().sort(pl.all()) for lake in (here, there))
        assert mine.height
        assert mine.equals(other), f"{table} differs between S3 and the folder"


def test_the_ledger_of_a_lake_in_s3_balances_and_a_second_run_changes_nothing(
    both: tuple[Lake, Lake, dict[str, str]],
) -> None:
    _, there, environment = both
    versions = (read_document(there, MANIFEST) or {})["tables"]
    again = aura("run", **environment)
    assert again.returncode == 0, again.stderr[-3000:]
    assert (read_document(there, MANIFEST) or {})["tables"] == versions
    ledger = aura("ledger", "--format", "json", **environment)
    assert ledger.returncode == 0, ledger.stderr[-3000:]
    told: Any = json.loads(ledger.stdout)
    assert told


def test_a_bucket_that_is_not_there_is_named(server: S3Server, tmp_path: Path) -> None:
    environment = {**server.environment, "AURA_HOME": str(tmp_path / "lake"), "AURA_MART_DATA": "s3://nowhere/mart"}
    ran = aura("run", **environment)
    assert ran.returncode == 1
    assert "nowhere" in ran.stderr + ran.stdout
    assert not list((tmp_path / "lake").glob("bronze/*/_delta_log/*.json")), "nothing may be half-written"
