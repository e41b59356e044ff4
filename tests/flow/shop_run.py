"""A shop with a lake of its own, run through every step; also a program, so that it can be killed.

python -m tests.flow.shop_run FOLDER_OF_CONTRACTS HOME
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.ledger.equation import Ledger
from aura_lake.settings import Settings
from aura_lake.steps.attribute import attribute
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import bring_up_to_date, refresh_silver
from aura_lake.steps.publish import PublishReport
from aura_lake.warehouse.dbt_runner import DbtGold
from aura_lake.warehouse.opening import open_gold, open_warehouse
from aura_lake.warehouse.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parents[2]
SHOPS = PROJECT / "tests" / "shops"
MART = PROJECT / "shops" / "aura_mart"

#: All lakes of the tests hash with one key, so that their rows can be compared.
KEY = "a key that only tests hash with, 32 bytes or more"


@dataclass(frozen=True)
class ShopRun:
    """A lake, its warehouse and its dbt. `run` does everything that is new."""

    lake: Lake
    warehouse: Warehouse
    gold: DbtGold

    def run(self) -> PublishReport:
        """Land, judge, fold, attribute, load, publish; every test of gold passes."""
        report = bring_up_to_date(self.lake, self.warehouse, self.gold)
        assert report.build.failed_tests == ()
        return report

    def run_silver(self) -> None:
        """Land, judge, fold and attribute."""
        for feed in self.lake.shop.feeds.values():
            land(self.lake, feed)
        for contract in self.lake.shop.contracts.values():
            refresh_silver(self.lake, contract)
        attribute(self.lake)

    def count(self) -> Ledger:
        """The ledger, warehouse and money included."""
        try:
            return count(self.lake, self.warehouse)
        finally:
            self.warehouse.release()


def open_shop(contracts: Path, home: Path, environ: Mapping[str, str]) -> ShopRun:
    """The shop of a folder of contracts with its lake in `home`; `environ` says where its feeds lie."""
    environ = {"AURA_PII_KEY": KEY, **environ}
    settings = Settings(project=PROJECT, home=str(home), state=home / "state", shop=contracts, environ=environ)
    shop = load_shop(contracts, settings.environment, environ)
    return ShopRun(Lake(settings, shop), open_warehouse(settings), open_gold(settings, shop))


def copy_of(run: ShopRun, home: Path) -> ShopRun:
    """The same shop with a copy of its lake, which a test may change."""
    shutil.copytree(run.lake.settings.home, home)
    return open_shop(run.lake.settings.shop, home, run.lake.settings.environ)


def main() -> None:
    """One run of the shop in argv, its feeds where the environment says."""
    contracts, home = map(Path, sys.argv[1:])
    open_shop(contracts, home, os.environ).run()


if __name__ == "__main__":
    main()
