"""Rows that did not drift give no finding, however they come: at once, day by day, with all the mess there is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from aura_lake.simulate import SimulationPlan, mess_named, simulate
from aura_lake.steps.drift import DriftReport, detect_drift
from aura_lake.steps.drift_kept import drifts
from tests.flow.shop_run import MART, SHOPS, ShopRun, copy_of, open_shop


def look_day_by_day(shop: ShopRun, source: Path, target: Path, days: Sequence[Sequence[Path]]) -> list[DriftReport]:
    """A look after each delivery of files."""
    found = []
    for files in days:
        for file in files:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
        shop.run_silver()
        found.append(detect_drift(shop.lake))
    return found


def test_a_week_of_the_demo_shop_with_all_its_mess(tmp_path: Path) -> None:
    source, target = tmp_path / "made", tmp_path / "landed"
    simulate(SimulationPlan(seed=21, days=7, orders=210, clicks=2_800, mess=mess_named("all")), source)
    target.mkdir()
    shop = open_shop(MART, tmp_path / "lake", {"AURA_MART_DATA": str(target)})
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    dates = {path: "".join(re.findall(r"\d{4}/\d{2}/\d{2}", str(path))[:1]) for path in files}
    days = [[path for path in files if dates[path] == date] for date in sorted(set(dates.values()))]
    assert len(days) >= 7
    reports = look_day_by_day(shop, source, target, days)
    assert [report.open for report in reports] == [()] * len(days)
    assert all(report.looked_at for report in reports)
    assert drifts(shop.lake) == []


@pytest.mark.parametrize(("name", "variable", "folder"), [
    ("uci", "UCI_DATA", "uci_dev"), ("rees46", "REES46_DATA", "rees46_dev/firehose_dev"),
])  # fmt: skip
def test_real_rows_that_come_in_parts(name: str, variable: str, folder: str, shared_data: Path, tmp_path: Path) -> None:
    source, target = shared_data / folder, tmp_path / "landed"
    target.mkdir()
    shop = open_shop(SHOPS / name, tmp_path / "lake", {variable: str(target)})
    files = sorted(path for path in source.rglob("*") if path.suffix in (".gz", ".csv"))
    parts = [files[at : at + len(files) // 4] for at in range(0, len(files), len(files) // 4)]
    assert [report.open for report in look_day_by_day(shop, source, target, parts)] == [()] * len(parts)
    assert drifts(shop.lake) == []


def test_real_rows_that_come_at_once(olist: ShopRun, tmp_path: Path) -> None:
    lake = copy_of(olist, tmp_path / "lake").lake
    report = detect_drift(lake)
    assert report.looked_at == tuple(sorted({contract.feed for contract in lake.shop.contracts.values()}))
    assert drifts(lake) == []
