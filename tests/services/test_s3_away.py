"""The store of a lake goes away and comes back: what it was asked meanwhile is Transient, and stands whole or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.contract import Shop
from aura_lake.delta.commit import Commit
from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.layout import Layout
from aura_lake.delta.lease import ApplyLease
from aura_lake.delta.swap import swap_document
from aura_lake.delta.table import LakeTable
from aura_lake.errors import StoreUnavailable
from aura_lake.lake import Lake
from aura_lake.services.stack import Stack
from aura_lake.settings import Settings
from tests.services.live import running

pytestmark = pytest.mark.services


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running("s3") as stack:
        stack.s3.make_bucket("lake")
        yield stack


@pytest.fixture
def lake(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    for name, value in stack.s3.client_environment.items():
        monkeypatch.setenv(name, value)  # boto3 reads the process's own
    environ = stack.s3.client_environment
    settings = Settings(project=tmp_path, home="s3://lake/mart", state=tmp_path, shop=tmp_path, environ=environ)
    return Lake(settings, Shop("test", tmp_path, {}, {}))


def table_of(lake: Lake) -> LakeTable:
    return LakeTable(lake.settings.uri("silver", "things"), Layout({"number": pl.Int64()}), lake.storage_options)


def append(table: LakeTable, number: int) -> None:
    with Commit(table) as commit:
        commit.add(pl.DataFrame({"number": [number]}))
        commit.publish({"feed": (number - 1, number)})


def test_a_store_that_is_away_is_waited_for_and_not_taken_for_damage(stack: Stack, lake: Lake) -> None:
    table = table_of(lake)
    append(table, 0)
    write_document(lake, "state.json", {"a": 1})
    with ApplyLease(lake) as lease:
        stack.s3.kill()
        attempts: dict[str, Callable[[], object]] = {
            "a commit": lambda: append(table, 1),
            "a refresh": lambda: table.refresh(),
            "a document": lambda: read_document(lake, "state.json"),
            "a lease": lambda: ApplyLease(lake, wait_seconds=0).__enter__(),
            "a swap": lambda: swap_document(lake, "state.json", {"a": 1}, {"a": 2}),
        }
        for what, attempt in attempts.items():
            with pytest.raises(StoreUnavailable, match="does not answer"):
                raise AssertionError(f"{what} went through: {attempt()}")
        stack.s3.start()
        lease.check()
    append(table_of(lake), 1)
    assert table_of(lake).scan().collect()["number"].sort().to_list() == [0, 1]
    assert read_document(lake, "state.json") == {"a": 1}
