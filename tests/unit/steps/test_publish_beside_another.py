"""Two processes publish gold: who began earlier and comes later publishes nothing over the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.swap import swap_document
from aura_lake.errors import CommitConflict
from aura_lake.lake import Lake
from aura_lake.steps.publish import MANIFEST, publish, shown
from aura_lake.warehouse.dbt_runner import DbtReport, ModelResult
from tests.conftest import MakeLake

MODEL = "dim_things"


class OneModel:
    """A warehouse and a dbt project of one model that always changed; `size` is what it says."""

    def __init__(self, size: int) -> None:
        self._rows = pa.table({"size": pa.array([size], pa.int64())})

    def build(self, **_: Any) -> DbtReport:
        return DbtReport(models=(ModelResult(MODEL, "success", 0.0),), tests=(), seconds=0.0)

    def changed_periods(self, _model: str) -> set[None]:
        return {None}

    def read(self, _model: str, _periods: object) -> pa.Table:
        return self._rows

    def release(self) -> None: ...

    def publish(self, _models: object) -> None: ...

    def clear_changed(self, _models: object) -> None: ...

    def forget_touched(self) -> None: ...


def publish_size(lake: Lake, size: int, **more: Any) -> None:
    both: Any = OneModel(size)
    publish(lake, both, both, held={}, showing={}, **more)


def sizes_shown(lake: Lake) -> list[int]:
    pinned = (read_document(lake, MANIFEST) or {})["tables"][f"gold.{MODEL}"]
    table = lake.gold(MODEL)
    assert table.version == pinned
    return pl.Series(table.scan().select("size").collect()["size"]).to_list()


@pytest.fixture
def lake(make_lake: MakeLake) -> Lake:
    return make_lake([], [])


def test_who_was_published_over_publishes_nothing_and_then_everything(lake: Lake) -> None:
    before = shown(lake, [MODEL])
    publish_size(lake, 1)
    with pytest.raises(CommitConflict, match="published it 1 times since this build began"):
        publish_size(lake, 0, since=before)
    assert sizes_shown(lake) == [1]
    publish_size(lake, 2, since=shown(lake, [MODEL]))
    assert sizes_shown(lake) == [2]


def test_a_manifest_that_another_replaced_is_left_as_it_is(lake: Lake) -> None:
    before = shown(lake, [])
    write_document(lake, MANIFEST, {"tables": {"gold.other": 7}, "held": {}, "published_at": "now"})
    with pytest.raises(CommitConflict, match="another process has replaced it"):
        publish_size(lake, 1, since=before)
    assert (read_document(lake, MANIFEST) or {})["tables"] == {"gold.other": 7}


def test_a_document_is_replaced_while_it_is_as_it_was_read(lake: Lake, tmp_path: Path) -> None:
    swap_document(lake, "state.json", None, {"a": 1})
    swap_document(lake, "state.json", {"a": 1}, {"a": 2})
    for stale in (None, {"a": 1}):
        with pytest.raises(CommitConflict):
            swap_document(lake, "state.json", stale, {"a": 3})
    assert read_document(lake, "state.json") == {"a": 2}
