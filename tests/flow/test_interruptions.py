"""The one rule: any step may die at any point and be run again (law 3).

A run dies once at every point there is, before and after every commit, inside the warehouse's transaction,
between models, before and after the manifest; each new process begins with nothing but what is on disk. What
comes out equals the lake that was never disturbed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aura_lake.delta.commit import Commit
from aura_lake.steps import publish as publishing
from aura_lake.warehouse.dbt_runner import DbtGold
from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
from tests.flow.conftest import Mart
from tests.flow.shop_run import MART, ShopRun, open_shop
from tests.flow.what_people_see import assert_same, look_at


class Killed(BaseException):
    """The process is gone."""


class Reaper:
    """Kills at every point once, or at `only` those it is told."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self.active = False
        self.only: frozenset[str] | None = None

    def is_due(self, point: str) -> bool:
        return self.active and point not in self.met and (self.only is None or point in self.only)

    def at(self, point: str) -> None:
        if self.is_due(point):
            self.met.append(point)
            raise Killed(point)

    def around(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, told: Callable[..., str]) -> None:
        """Kill before and after a call."""
        original = getattr(owner, name)

        def call(*given: Any, **named: Any) -> Any:
            point = told(*given)
            self.at(f"before {point}")
            answer = original(*given, **named)
            self.at(f"after {point}")
            return answer

        monkeypatch.setattr(owner, name, call)


@pytest.fixture
def reaper(monkeypatch: pytest.MonkeyPatch) -> Reaper:
    reaper = Reaper()

    def table_of(commit: Commit, *_: Any) -> str:
        return "commit of " + "/".join(commit.table.uri.split("/")[-2:])

    reaper.around(monkeypatch, Commit, "publish", table_of)
    reaper.around(monkeypatch, DuckDBWarehouse, "load", lambda _, spec, *rest: f"load of {spec.name}")
    reaper.around(monkeypatch, DuckDBWarehouse, "_mark_touched", lambda _, spec, *rest: f"the marks of {spec.name}")
    reaper.around(monkeypatch, publishing, "_swap_manifest", lambda *_: "the manifest")
    reaper.around(monkeypatch, DuckDBWarehouse, "clear_changed", lambda *_: "the list of changes")
    # A process that is killed removes nothing: files that no commit names stay behind.
    monkeypatch.setattr(Commit, "delete_file", lambda *_: None)
    build = DbtGold.build

    def build_half(gold: DbtGold, **options: Any) -> Any:
        if reaper.is_due("between the models"):
            build(gold, select=["fct_orders", "dim_products"])
        reaper.at("between the models")
        answer = build(gold, **options)
        reaper.at("after the build")
        return answer

    monkeypatch.setattr(DbtGold, "build", build_half)
    return reaper


def deliver(feeds: Path, target: Path, until: str) -> None:
    """The objects of the days before `until`."""
    for file in sorted(feeds.rglob("*.gz")):
        name = file.relative_to(feeds)
        day = re.search(r"\d{4}/\d{2}/\d{2}", name.as_posix())
        if day is not None and day[0] < until and not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / name)


def days_of(feeds: Path) -> list[str]:
    found = (re.search(r"\d{4}/\d{2}/\d{2}", file.as_posix()) for file in feeds.rglob("*.gz"))
    return sorted({day[0] for day in found if day})


#: Every commit that an order's change passes through, and each kind of point behind them.
CHAIN_OF_AN_ORDER = frozenset(
    {
        *(f"{when} commit of bronze/aura_orders" for when in ("before", "after")),
        *(f"{when} commit of silver/orders{end}" for when in ("before", "after") for end in ("_log", "_history", "")),
        *(f"{when} commit of silver/order_touchpoints" for when in ("before", "after")),
        "after commit of silver/clickstream_log",
        "after the marks of users_history",
        "before load of orders",
        "after load of orders",
        "between the models",
        "after the build",
        "after commit of gold/fct_orders",
        "after the manifest",
        "after the list of changes",
    }
)


def test_a_run_that_dies_along_the_chain_of_an_order_equals_one_that_was_left_alone(
    mart: Mart, reaper: Reaper, tmp_path: Path
) -> None:
    reaper.only = CHAIN_OF_AN_ORDER
    die_and_go_on(mart, reaper, tmp_path)
    assert set(reaper.met) == CHAIN_OF_AN_ORDER


@pytest.mark.slow
def test_a_run_that_dies_at_every_point_there_is_equals_one_that_was_left_alone(
    mart: Mart, reaper: Reaper, tmp_path: Path
) -> None:
    die_and_go_on(mart, reaper, tmp_path)
    places = {point.partition(" ")[2] for point in reaper.met}
    tables = list(mart.shop.lake.shop.contracts)
    assert {f"commit of silver/{name}_log" for name in tables} <= places
    folded = [name for name in tables if name != "clickstream"]
    assert {f"commit of silver/{name}{end}" for name in folded for end in ("", "_history")} <= places
    assert {f"commit of bronze/aura_{name}" for name in folded} <= places
    assert {"commit of silver/order_touchpoints", "commit of gold/fct_sales_revenue"} <= places
    assert {"load of orders", "the marks of users_history", "the manifest", "the list of changes"} <= places


def die_and_go_on(mart: Mart, reaper: Reaper, tmp_path: Path) -> None:
    """Two days undisturbed, then the rest with a death at each point; it equals the lake left alone."""
    days = days_of(mart.feeds)
    deliver(mart.feeds, tmp_path / "feeds", until=days[2])
    opened = open_shop(MART, tmp_path / "lake", {"AURA_MART_DATA": str(tmp_path / "feeds")})
    opened.run()
    deliver(mart.feeds, tmp_path / "feeds", until="9999")
    reaper.active = True
    deaths = 0
    while True:
        shop = anew(opened)
        try:
            shop.run()
            break
        except Killed:
            shop.warehouse.release()
            deaths += 1
            assert deaths < 200, reaper.met[-3:]
    reaper.active = False
    assert deaths == len(reaper.met) == len(set(reaper.met))
    assert_same(look_at(opened.lake), look_at(mart.shop.lake))
    assert anew(opened).count().problems() == []


def anew(shop: ShopRun) -> ShopRun:
    """The shop as a new process finds it; only dbt stays warm, it keeps no rows."""
    lake = shop.lake.settings
    fresh = open_shop(lake.shop, Path(lake.home), lake.environ)
    return ShopRun(fresh.lake, fresh.warehouse, shop.gold)


def test_a_lost_state_folder_is_made_again_and_gold_is_what_it_was(mart: Mart, tmp_path: Path) -> None:
    """DuckDB's file and dbt's target are a cache: they can be lost without harm."""
    home = tmp_path / "lake"
    shutil.copytree(mart.shop.lake.settings.home, home)
    shutil.rmtree(home / "state")
    shop = open_shop(MART, home, mart.shop.lake.settings.environ)
    shop.run()
    assert_same(look_at(shop.lake), look_at(mart.shop.lake))
    assert shop.count().problems() == []
