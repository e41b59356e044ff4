"""Upkeep: by commits, without a change to rows, watermarks or what a footer tells."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from aura_lake.delta import upkeep
from aura_lake.delta.commit import Commit
from aura_lake.delta.layout import Layout
from aura_lake.delta.table import LakeTable
from aura_lake.delta.upkeep import COMPACT_AFTER_COMMITS, keep_up

LAYOUT = Layout({"number": pl.Int64(), "word": pl.String(), "part": pl.String()}, ("part",), ("number",))


def write(uri: str, commits: int, first: int = 0) -> LakeTable:
    table = LakeTable(uri, LAYOUT)
    for number in range(first, first + commits):
        rows = pl.DataFrame({"number": [number], "word": ["a secret"], "part": [str(number % 2)]}, LAYOUT.columns)
        with Commit(table) as commit:
            commit.add(rows)
            commit.publish({"feed": (number - 1, number)})
    return table


def test_a_table_with_few_commits_is_left_alone(tmp_path: Path) -> None:
    table = write(str(tmp_path / "table"), COMPACT_AFTER_COMMITS - 1)
    version = table.version
    report = keep_up(table)
    assert (report.commits, report.files_before, report.files_after) == (19, 19, 19)
    assert table.version == version


def test_compaction_joins_files_and_keeps_rows_watermark_and_statistics(tmp_path: Path) -> None:
    table = write(str(tmp_path / "table"), 25)
    rows = table.scan().sort("number").collect()
    report = keep_up(table)
    assert (report.files_before, report.files_after) == (25, 2)
    again = LakeTable(table.uri, LAYOUT)
    assert again.scan().sort("number").collect().equals(rows)
    assert again.watermark("feed") == 24
    assert again.files().select("min.number", "max.number").sort("min.number").rows() == [(0, 24), (1, 23)]


def test_a_compacted_file_tells_no_word_in_its_footer(tmp_path: Path) -> None:
    table = write(str(tmp_path / "table"), 25)
    keep_up(table)
    for path in table.files()["path"]:
        group = pq.ParquetFile(f"{table.uri}/{path}").metadata.row_group(0)
        told = {group.column(at).path_in_schema: group.column(at).statistics for at in range(group.num_columns)}
        assert told["word"] is None
        assert told["number"] is not None


def test_a_table_goes_on_after_upkeep_and_is_compacted_by_new_commits_alone(tmp_path: Path) -> None:
    table = write(str(tmp_path / "table"), 25)
    keep_up(table)
    table = write(table.uri, 3, first=25)
    assert keep_up(table).commits == 3
    assert table.watermark("feed") == 27
    assert table.scan().collect().height == 28


def test_vacuum_takes_nothing_younger_than_seven_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "VACUUM_AFTER_COMMITS", 5)
    table = write(str(tmp_path / "table"), 25)
    files = set(Path(table.uri).rglob("part=*/*.parquet"))
    assert keep_up(table, pinned=3).vacuumed == 0
    assert files <= set(Path(table.uri).rglob("part=*/*.parquet"))
    old = LakeTable(table.uri, LAYOUT).delta
    old.load_as_version(10)
    assert len(old.file_uris()) == 10, "readers of an older version are not disturbed"


def test_a_table_that_does_not_exist_needs_nothing(tmp_path: Path) -> None:
    assert keep_up(LakeTable(str(tmp_path / "none"), LAYOUT)).commits == 0
