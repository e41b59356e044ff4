"""The plan decides every byte; the objects look like those of Debezium's sink and of Firehose."""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aura_lake.errors import SettingsError
from aura_lake.simulate import MESSES, SimulationPlan, mess_named, simulate

#: Of the uncompressed objects of PLAN; another number means that every demo changes.
GOLDEN = "8a08203ba1cc52dc86c5c77faccb52b2e93501657a2a9e4b04f41b7cf5130a7b"
PLAN = SimulationPlan(seed=3, days=3, end=date(2026, 2, 2), orders=120, clicks=1_200, mess=mess_named("all"))


def fingerprint(folder: Path, *, unpacked: bool = False) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(gzip.decompress(path.read_bytes()) if unpacked else path.read_bytes())
    return digest.hexdigest()


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path / "one")
    simulate(PLAN, tmp_path / "two")
    simulate(PLAN, tmp_path / "two")
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")


def test_the_bytes_are_those_of_every_other_machine(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path)
    assert fingerprint(tmp_path, unpacked=True) == GOLDEN


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    other = SimulationPlan(seed=4, days=3, end=PLAN.end, orders=120, clicks=1_200, mess=PLAN.mess)
    simulate(PLAN, tmp_path / "one")
    simulate(other, tmp_path / "two")
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "two")


def test_more_clicks_do_not_change_the_orders(tmp_path: Path) -> None:
    fewer = SimulationPlan(seed=3, days=3, end=PLAN.end, orders=120, clicks=300, mess=PLAN.mess)
    simulate(PLAN, tmp_path / "one")
    simulate(fewer, tmp_path / "two")
    assert fingerprint(tmp_path / "one" / "cdc") == fingerprint(tmp_path / "two" / "cdc")


def test_the_report_names_every_file_and_its_size(messy_shop: Any) -> None:
    files = {p.relative_to(messy_shop.folder).as_posix() for p in messy_shop.folder.rglob("*") if p.is_file()}
    assert sorted(messy_shop.report.files) == sorted(files)
    assert messy_shop.report.size == sum((messy_shop.folder / name).stat().st_size for name in files)


def test_objects_have_the_names_of_their_makers(messy_shop: Any) -> None:
    change = re.compile(
        r"cdc/aura\.public\.(users|products|orders|order_items|payments)/\d{4}/\d\d/\d\d/part-\d{5}\.jsonl\.gz"
    )
    click = re.compile(
        r"firehose/clickstream/(\d{4})/(\d\d)/(\d\d)/(\d\d)/aura-clickstream-1-\1-\2-\3-\4-\d\d-\d\d-[0-9a-f-]{36}\.gz"
    )
    for name in messy_shop.report.files:
        assert change.fullmatch(name) or click.fullmatch(name), name


def test_gzip_headers_hold_no_time(clean_shop: Any) -> None:
    for name in clean_shop.report.files:
        assert (clean_shop.folder / name).read_bytes()[4:8] == b"\0\0\0\0"


def test_firehose_objects_have_no_newline_and_changes_end_in_one(messy_shop: Any) -> None:
    for name in messy_shop.report.files:
        data = gzip.decompress((messy_shop.folder / name).read_bytes())
        assert (b"\n" not in data) if name.startswith("firehose") else data.endswith(b"\n"), name


def test_progress_is_told_day_by_day(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate(PLAN, tmp_path, lambda done, days: seen.append((done, days)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_shop_without_orders_or_clicks_is_quiet(tmp_path: Path) -> None:
    report = simulate(SimulationPlan(days=1, orders=0, clicks=0), tmp_path)
    assert report.records["orders"] == 0
    assert report.records["clickstream"] == 0
    assert report.truth.net_revenue == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": 0}, "A simulation with days=0 is not possible. Give days of at least 1."),
        ({"orders": -1}, "A simulation with orders=-1 is not possible. Give orders of at least 0."),
        (
            {"mess": frozenset({"rain"})},
            "There is no mess called 'rain'. Choose from: all, none, redeliveries",
        ),
    ],
)
def test_an_impossible_plan_says_what_is_possible(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        SimulationPlan(**wrong)
    assert message in str(raised.value)


def test_messes_are_named_in_a_list_or_all_at_once() -> None:
    assert mess_named("all") == frozenset(MESSES)
    assert mess_named("none") == mess_named("") == frozenset()
    assert mess_named("swaps, deletes") == {"swaps", "deletes"}
    with pytest.raises(SettingsError, match="There is no mess called 'swap'"):
        mess_named("swap")


def test_every_mess_is_explained() -> None:
    assert all(mess.description and mess.verdict for mess in MESSES.values())
