"""Arrival does not matter (law 4): Olist's files in every order, cut and repeated, end in the same rows.

Most tests take three months: two that follow each other, with redeliveries from one to the next, and the
last one, which holds all deletes and stale copies of what was deleted. The marked tests take all nineteen.
"""

from __future__ import annotations

import gzip
import itertools
import os
import random
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from aura_lake.ledger.count import count
from aura_lake.steps import land as landing
from tests.flow.shop_run import SHOPS, ShopRun, open_shop
from tests.flow.what_people_see import Seen, assert_same, look_at, without_gold

THREE = ("2017/11", "2017/12", "2018/09")
CSVS = ("order_items.csv", "products.csv", "product_category_name_translation.csv")


class Parcel:
    """The files of Olist on their way into a folder that a lake reads."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.shop = open_shop(SHOPS / "olist", folder / "lake", {"OLIST_DATA": str(folder)})
        for feed in self.shop.lake.shop.feeds.values():
            Path(feed.location).mkdir(parents=True, exist_ok=True)

    def month(self, month: str) -> list[Path]:
        """The change files of a month, by their names below the data."""
        found = sorted((self.data / "cdc").glob(f"*/{month}/*.gz"))
        return [file.relative_to(self.data) for file in found]

    def deliver(self, names: Iterable[Path | str]) -> None:
        for name in names:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.data / name, target)

    def deliver_bytes(self, name: str, content: bytes) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def months_of(data: Path) -> list[str]:
    return sorted({f"{file.parts[-3]}/{file.parts[-2]}" for file in (data / "cdc").rglob("*.gz")})


def in_turn(parcel: Parcel, months: Sequence[str], *, csvs_with: int) -> Seen:
    """One run a month, the CSVs with one of them."""
    for number, month in enumerate(months):
        parcel.deliver(parcel.month(month))
        if number == csvs_with:
            parcel.deliver(CSVS)
        parcel.shop.run()
    return look_at(parcel.shop.lake)


def at_once(parcel: Parcel, months: Sequence[str]) -> Seen:
    """Everything in one run."""
    for month in months:
        parcel.deliver(parcel.month(month))
    parcel.deliver(CSVS)
    parcel.shop.run()
    return look_at(parcel.shop.lake)


def again_under_another_name(parcel: Parcel) -> None:
    """A byte-equal copy of every change file, its name before or after the first; the CSVs written again."""
    files = sorted((parcel.folder / "cdc").rglob("*.gz"))
    for number, file in enumerate(files):
        shutil.copyfile(file, file.with_name(f"{'again' if number % 2 else 'zz-again'}-{file.name}"))
    for name in CSVS:
        os.utime(parcel.folder / name)


@pytest.fixture(scope="module")
def three(olist_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What must come out of the three months."""
    parcel = Parcel(olist_data, tmp_path_factory.mktemp("three"))
    seen = at_once(parcel, THREE)
    totals = {told[0]: count for told, count in seen.verdicts["orders"].items()}
    assert min(totals["duplicate"], totals["ignored"]) > 15, "too few redeliveries or deletes: this proves nothing"
    return seen


@pytest.fixture
def parcel(olist_data: Path, tmp_path: Path) -> Parcel:
    return Parcel(olist_data, tmp_path)


def test_the_last_month_first_equals_all_at_once(parcel: Parcel, three: Seen) -> None:
    assert_same(in_turn(parcel, THREE[::-1], csvs_with=len(THREE) - 1), three)
    assert parcel.shop.count().problems() == []


def test_month_by_month_in_small_pieces_and_every_file_twice_equals_all_at_once(
    parcel: Parcel, three: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BATCH_OBJECTS", 1)
    monkeypatch.setattr("aura_lake.steps.judge.SLICE_RECORDS", 100)
    monkeypatch.setattr("aura_lake.steps.fold.FOLD_RECORDS", 300)
    monkeypatch.setattr("aura_lake.steps.fold.GROUP_RECORDS", 50)
    parcel.deliver(CSVS)
    for month in THREE:
        parcel.deliver(parcel.month(month))
        parcel.shop.run_silver()
    again_under_another_name(parcel)
    parcel.shop.run()
    assert_same(look_at(parcel.shop.lake), three)
    assert parcel.shop.count().problems() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_lines_shuffled_over_other_files_equal_all_at_once(parcel: Parcel, three: Seen, seed: int) -> None:
    """The LSN alone orders the changes of a key: neither names nor lines do."""
    chance = random.Random(seed)
    runs: list[list[tuple[str, bytes]]] = [[], [], []]
    for feed in sorted((parcel.data / "cdc").iterdir()):
        lines = [
            line
            for month in THREE
            for file in sorted((feed / month).glob("*.gz"))
            for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        ]
        chance.shuffle(lines)
        cuts = [0, *sorted(chance.sample(range(1, len(lines)), 8)), len(lines)]
        for number, (begin, end) in enumerate(itertools.pairwise(cuts)):
            name = f"cdc/{feed.name}/{chance.randrange(10**6):06}-{number}.jsonl"
            chance.choice(runs).append((name, b"".join(lines[begin:end])))
    for number, objects in enumerate(runs):
        for name, content in objects:
            parcel.deliver_bytes(name, content)
        if number == seed % 3:
            parcel.deliver(CSVS)
        parcel.shop.run_silver()
    assert_same(look_at(parcel.shop.lake, gold=False), without_gold(three))
    assert count(parcel.shop.lake).problems() == []


def test_records_delivered_again_at_new_positions_only_raise_duplicates(parcel: Parcel, three: Seen) -> None:
    """The same changes in other bytes are no copies: each is a duplicate, and no row differs."""
    for month in THREE:
        parcel.deliver(parcel.month(month))
    parcel.deliver(CSVS)
    parcel.shop.run_silver()
    for file in sorted((parcel.folder / "cdc").rglob("*.gz")):
        plain = file.with_name(f"0-{file.name.removesuffix('.gz')}")
        plain.write_bytes(gzip.decompress(file.read_bytes()))
    parcel.shop.run_silver()
    seen = look_at(parcel.shop.lake, gold=False)
    for name, before in without_gold(three).verdicts.items():
        now = {told[0]: count for told, count in seen.verdicts[name].items()}
        then = {told[0]: count for told, count in before.items()}
        redelivered = name in ("orders", "payments", "users")
        assert now.get("valid") == then.get("valid"), name
        assert now.get("ignored", 0) == then.get("ignored", 0) * (2 if redelivered else 1), name
        raised = then["valid"] + then.get("duplicate", 0) if redelivered else 0
        assert now.get("duplicate", 0) == then.get("duplicate", 0) + raised, name
    assert_same(Seen(seen.tables, three.verdicts), without_gold(three))
    assert count(parcel.shop.lake).problems() == []


@pytest.mark.slow
@pytest.mark.parametrize("order", ["by month", "reversed", "shuffled"])
def test_all_nineteen_months_one_run_each_equal_all_at_once(parcel: Parcel, olist: ShopRun, order: str) -> None:
    months = months_of(parcel.data)
    assert len(months) == 19
    if order == "reversed":
        months.reverse()
    elif order == "shuffled":
        random.Random(19).shuffle(months)
    seen = in_turn(parcel, months, csvs_with={"by month": 0, "reversed": 18, "shuffled": 9}[order])
    assert_same(seen, look_at(olist.lake))
    assert parcel.shop.count().problems() == []


@pytest.mark.slow
def test_all_files_twice_under_another_name_equal_all_at_once(parcel: Parcel, olist: ShopRun) -> None:
    seen = at_once(parcel, months_of(parcel.data))
    assert_same(seen, look_at(olist.lake))
    again_under_another_name(parcel)
    parcel.shop.run()
    assert_same(look_at(parcel.shop.lake), seen)
    assert parcel.shop.count().problems() == []
