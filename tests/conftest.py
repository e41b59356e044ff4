"""What all tests share: a lake in a temporary folder, and rows by others where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Contract, Feed, Shop
from aura_lake.lake import Lake
from aura_lake.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent

#: Lakes that many tests look at. Where tests run on several processes, those of one lake run on one of them.
_WHOLE_SHOPS = ("olist", "rees46", "uci", "mart")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what is dear to make stay on one process: a whole shop's, else a file's."""
    for item in items:
        wanted = {*getattr(item, "fixturenames", ()), *item.name.rstrip("]").split("[")[1:]}
        shared = [name for name in _WHOLE_SHOPS if name in wanted]
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.path.name))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of rows by others: AURA_TEST_DATA, or `shared/data` beside the project."""
    folder = Path(os.environ.get("AURA_TEST_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"NO ROWS BY OTHERS: {folder} is missing (set AURA_TEST_DATA); this test proves nothing here")
    return folder


MakeLake = Callable[..., Lake]


@pytest.fixture
def make_lake(tmp_path: Path) -> MakeLake:
    """Makes a lake of some contracts and feeds under the test's own folder."""

    def make(contracts: Iterable[Contract], feeds: Iterable[Feed], home: Path | None = None) -> Lake:
        shop = Shop(
            id="test",
            path=tmp_path,
            contracts={contract.table: contract for contract in contracts},
            feeds={feed.name: feed for feed in feeds},
        )
        place = home or tmp_path / "lake"
        settings = Settings(project=PROJECT, home=str(place), state=place / "state", shop=tmp_path, environ={})
        return Lake(settings, shop)

    return make
