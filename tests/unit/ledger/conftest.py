"""A lake with three tables over one feed and two batches, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Contract, Format, Kind, RowRule, Severity, Shop
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.settings import Settings
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from tests.changes import change, column, feed, things, write_lines

KEY = "a key that only tests hash with, 32 bytes or more"

CONTRACTS = (
    things(row_rules=(RowRule("size_is_positive", "size > 0", Severity.BLOCK),)),
    Contract(
        "visits",
        Kind.EVENTS,
        "visits",
        (column("visit_id"), column("user_id"), column("email", personal=True)),
        event_id=("visit_id",),
    ),
    Contract("parts", Kind.ROWS, "boxes", (column("id", key_position=1), column("color")), array="parts"),
)

FIRST = (
    change("c", 1, "a", "apple", 1),
    change("c", 2, "b", "bird", 2),
    change("u", 3, "a", "axe", 4),
    change("u", 3, "a", "axe", 4),
    b'{"op": ',
)
SECOND = (change("d", 5, "b", "bird", 2), change("c", 6, "c", "cat", -1), change("c", 7, "d", "dog", 3), None)


def run(lake: Lake) -> None:
    """Land, judge and fold what is new."""
    for place in lake.shop.feeds.values():
        land(lake, place)
    for contract in lake.shop.contracts.values():
        judge(lake, contract)
        if is_folded(contract):
            fold(lake, contract)


def open_lake(folder: Path) -> Lake:
    """The lake in `folder/lake` over the feeds beside it."""
    feeds = [feed(folder / name, name, Format.JSONL) for name in ("things", "visits", "boxes")]
    shop = Shop("small", folder, {c.table: c for c in CONTRACTS}, {place.name: place for place in feeds})
    home = folder / "lake"
    environ = {"AURA_PII_KEY": KEY}
    return Lake(Settings(folder, str(home), home / "state", folder, environ=environ), shop)


@pytest.fixture(scope="session")
def whole_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lake after two runs. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("whole")
    write_lines(folder / "things", "1.jsonl", FIRST)
    visits = [{"visit_id": str(n), "user_id": f"u{n % 2}", "email": f"U{n % 2}@x.org"} for n in range(4)]
    write_lines(folder / "visits", "1.jsonl", [*visits, visits[0], b"{"])
    write_lines(folder / "boxes", "1.jsonl", [{"parts": [{"id": "p1", "color": "red"}, {"id": "p2"}]}])
    run(open_lake(folder))
    write_lines(folder / "things", "2.jsonl", SECOND)
    run(open_lake(folder))
    return folder


@pytest.fixture
def lake(whole_lake: Path, tmp_path: Path) -> Lake:
    """A lake of one's own, to be looked at or broken."""
    shutil.copytree(whole_lake, tmp_path, dirs_exist_ok=True)
    return open_lake(tmp_path)


@pytest.fixture
def only(lake: Lake) -> Callable[[str], Lake]:
    """The lake with one of its tables alone."""

    def keep(table: str) -> Lake:
        shop = replace(lake.shop, contracts={table: lake.shop.contracts[table]})
        return Lake(lake.settings, shop)

    return keep
