"""Tables that are written to twice, at once, from behind, or by nobody's leave (cases 79 to 91)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from aura_lake.delta.commit import Commit
from aura_lake.delta.layout import CONFIGURATION, Layout
from aura_lake.delta.table import LakeTable
from aura_lake.delta.upkeep import KEEP_HOURS
from aura_lake.errors import CommitConflict, LakeError, WatermarkError
from aura_lake.ledger.count import count
from tests.changes import change, things
from tests.small_lake import SmallLake

LAYOUT = Layout(columns={"name": pl.String(), "amount": pl.Decimal(18, 4), "day": pl.String()}, partition_by=("day",))


def rows(*names: str, day: str | None = "2026-01-01") -> pl.DataFrame:
    return pl.DataFrame(
        {"name": list(names), "amount": ["1.5"] * len(names), "day": [day] * len(names)},
        schema_overrides={"name": pl.String, "day": pl.String},
    ).cast({"amount": LAYOUT.columns["amount"]})


def append(table: LakeTable, before: int, after: int, *names: str) -> int:
    with Commit(table) as commit:
        commit.add(rows(*names))
        return commit.publish({"bronze/x": (before, after)})


def names_in(table: LakeTable) -> list[str]:
    return sorted(table.refresh().scan().select("name").collect()["name"].to_list())


def data_files(table: LakeTable) -> int:
    return len(list(Path(table.uri).rglob("*.parquet")))


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    fresh = LakeTable(str(tmp_path / "table"), LAYOUT)
    append(fresh, -1, 0, "first")
    return fresh


def test_case_079_a_batch_written_again_is_refused_and_not_doubled(table: LakeTable) -> None:
    with pytest.raises(WatermarkError, match="a commit reads bronze/x from -1 to 0, and the table has read to 0"):
        append(LakeTable(table.uri, LAYOUT), -1, 0, "first")
    assert names_in(table) == ["first"]
    assert data_files(table) == 1, "and its file is gone"


def test_case_080_who_checked_before_another_committed_writes_nothing(table: LakeTable) -> None:
    stale = LakeTable(table.uri, LAYOUT)
    append(table, 0, 1, "second")
    with pytest.raises(CommitConflict, match="another writer committed after version 1"):
        append(stale, 0, 1, "second")
    assert names_in(table) == ["first", "second"]
    assert data_files(table) == 2


def test_case_081_a_watermark_never_moves_back_nor_leaves_a_gap(table: LakeTable) -> None:
    append(table, 0, 5, "second")
    for before, after in ((5, 4), (5, 5), (4, 6), (6, 7)):
        with pytest.raises(
            WatermarkError, match=f"reads bronze/x from {before} to {after}, and the table has read to 5"
        ):
            append(table, before, after, "third")
    assert names_in(table) == ["first", "second"]


def test_case_082_rows_that_somebody_restored_away_are_noticed_before_anything_is_written(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("1.jsonl", change("c", 10, "a", "x")).arrive("2.jsonl", change("c", 20, "b", "x"))
    log = lake.lake.log(lake.contract)
    DeltaTable(log.uri).restore(log.version - 1)
    assert lake.lake.log(lake.contract).watermark("log") == 1, "Delta keeps the watermark: the rows would never return"

    ledger = count(lake.lake)
    assert not ledger.balanced
    assert "things, batch 1: 1 units in bronze, 0 with a verdict, off by +1" in "\n".join(ledger.problems())
    with pytest.raises(LakeError, match=r"things_log: the table holds 1 rows, and its last commit by Aura Lake left 2"):
        lake.arrive("3.jsonl", change("c", 30, "c", "x"))
    lake.rebuild_is_equal()  # what the message says; it judges what has landed since, too
    assert [row[0] for row in lake.rows()] == ["a", "b", "c"]
    assert count(lake.lake).balanced


def test_case_082_rows_that_another_tool_appended_are_noticed(table: LakeTable) -> None:
    write_deltalake(table.uri, rows("alien").to_arrow(), mode="append")
    with pytest.raises(
        LakeError, match="the table holds 2 rows, and its last commit by Aura Lake left 1: another tool"
    ):
        append(LakeTable(table.uri, LAYOUT), 0, 1, "second")


def test_case_082_compaction_keeps_the_count(table: LakeTable) -> None:
    append(table, 0, 1, "second")
    DeltaTable(table.uri).optimize.compact()
    append(LakeTable(table.uri, LAYOUT), 1, 2, "third")
    assert names_in(table) == ["first", "second", "third"]


def test_case_083_a_table_that_would_forget_its_watermarks_is_refused(table: LakeTable) -> None:
    assert not any("Transaction" in name for name in CONFIGURATION)
    DeltaTable(table.uri).alter.set_table_properties({"delta.setTransactionRetentionDuration": "interval 1 days"})
    with pytest.raises(LakeError, match="setTransactionRetentionDuration set; its watermarks would vanish"):
        LakeTable(table.uri, LAYOUT)


def test_case_084_many_writers_at_once_lose_nothing_and_double_nothing(table: LakeTable) -> None:
    conflicts = []

    def write_three(writer: int) -> None:
        mine = LakeTable(table.uri, LAYOUT)
        for number in range(3):
            while True:
                read_to = mine.watermark("bronze/x")
                try:
                    append(mine, read_to, read_to + 1, f"{writer}.{number}")
                    break
                except CommitConflict as conflict:
                    conflicts.append(conflict)
                    mine.refresh()

    threads = [threading.Thread(target=write_three, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(table) == sorted(["first", *(f"{w}.{n}" for w in range(4) for n in range(3))])
    assert table.watermark("bronze/x") == 12
    assert data_files(table) == 13, "what lost a race left no file"


def test_case_085_many_changes_of_a_key_in_one_batch_are_one_row(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("1.jsonl", *(change("u", 10 + n, "a", str(n)) for n in range(20)), change("u", 29, "a", "19"))
    assert lake.rows() == [("a", "19", None)]
    assert lake.verdicts() == {"valid": 20, "duplicate": 1}


def test_case_086_a_null_key_is_refused_however_often_it_comes(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    nobody = {**change("c", 10, "a", "x"), "after": {"id": None, "word": "x", "size": 1}}
    again = {**change("u", 20, "a", "x"), "after": {"word": "y", "size": 1}}
    lake.arrive("1.jsonl", nobody).arrive("2.jsonl", again, {**change("d", 30, "a"), "before": {"id": None}})
    assert (lake.rows(), lake.history()) == ([], [])
    assert lake.broken_rules() == ["id_is_present"] * 3


def test_case_087_a_frame_of_another_schema_is_never_cast_into_the_table(table: LakeTable) -> None:
    wrong = rows("second").with_columns(pl.col("amount").cast(pl.Float64))
    with (
        Commit(table) as commit,
        pytest.raises(LakeError, match=r"amount: Float64 instead of Decimal\(precision=18, scale=4\)"),
    ):
        commit.add(wrong)
    with Commit(table) as commit, pytest.raises(LakeError, match="amount: absent instead of"):
        commit.add(rows("second").drop("amount"))
    with Commit(table) as commit, pytest.raises(LakeError, match="their order differs"):
        commit.add(rows("second").select("day", "name", "amount"))
    assert names_in(table) == ["first"]


def test_case_088_nanoseconds_voids_and_empty_partitions_are_refused(tmp_path: Path) -> None:
    layout = Layout(
        columns={"at": pl.Datetime("us", "UTC"), "note": pl.String(), "day": pl.String()}, partition_by=("day",)
    )
    table = LakeTable(str(tmp_path / "table"), layout)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    exact = pl.DataFrame({"at": [at], "note": [None], "day": ["x"]}, schema=layout.columns)
    with Commit(table) as commit:
        for nanoseconds_or_void, why in (
            (exact.cast({"at": pl.Datetime("ns", "UTC")}), r"at: Datetime\(time_unit='ns'"),
            (exact.with_columns(note=pl.lit(None)), "note: Null instead of String"),
        ):
            with pytest.raises(LakeError, match=why):
                commit.add(nanoseconds_or_void)
        with pytest.raises(LakeError, match=r"an empty text cannot name a partition \(day\)"):
            commit.add(exact.with_columns(day=pl.lit("")))
        commit.add(exact)
        commit.add(exact.with_columns(day=pl.lit(None, pl.String)))
        commit.publish({"bronze/x": (-1, 0)})
    assert table.scan().collect().sort("day", nulls_last=True)["day"].to_list() == ["x", None]
    assert [field.type.type for field in DeltaTable(table.uri).schema().fields] == ["timestamp", "string", "string"]


@pytest.mark.parametrize(("kept", "word"), [(0, "empty"), (60, "cut off")])
def test_case_089_a_commit_that_lost_its_bytes_is_found_when_the_table_is_opened(
    table: LakeTable, kept: int, word: str
) -> None:
    append(table, 0, 1, "second")
    newest = max((Path(table.uri) / "_delta_log").glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:kept])
    with pytest.raises(LakeError, match=rf"the commit is {word} \({kept} bytes\), as after a power failure") as error:
        LakeTable(table.uri, LAYOUT)
    assert "remove the file: nothing after it was confirmed" in str(error.value)

    newest.unlink()  # what the message says
    healed = LakeTable(table.uri, LAYOUT)
    append(healed, 0, 1, "second")
    assert names_in(healed) == ["first", "second"]


def test_case_089_also_an_empty_commit_under_newer_ones_is_found(table: LakeTable) -> None:
    for number in range(3):
        append(table, number, number + 1, str(number))
    (Path(table.uri) / "_delta_log" / f"{2:020}.json").write_bytes(b"")
    with pytest.raises(LakeError, match=r"0002\.json: the commit is empty \(0 bytes\)"):
        LakeTable(table.uri, LAYOUT)


def test_case_090_a_vacuum_beside_a_writer_takes_nothing_from_it(table: LakeTable) -> None:
    assert KEEP_HOURS >= 168
    with Commit(table) as commit:
        commit.add(rows("being written"))
        vacuumed = DeltaTable(table.uri).vacuum(retention_hours=KEEP_HOURS, dry_run=False, full=True)
        assert vacuumed == []
        commit.publish({"bronze/x": (0, 1)})
    assert names_in(table) == ["being written", "first"]


CRASH = """
import os, resource, sys
import polars as pl
from aura_lake.delta.commit import Commit
from aura_lake.delta.layout import Layout
from aura_lake.delta.table import LakeTable
from aura_lake.delta.upkeep import KEEP_HOURS
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
layout = Layout({"name": pl.String(), "amount": pl.Decimal(18, 4), "day": pl.String()}, ("day",))
frame = pl.DataFrame({"name": ["second"], "amount": [None], "day": ["2026-01-01"]}, schema=layout.columns)
with Commit(LakeTable(sys.argv[1], layout)) as commit:
    commit.add(frame)
    commit.publish({"bronze/x": (0, 1)})
    os.abort()
"""


def test_case_091_a_process_that_aborts_after_its_commit_has_done_its_work(table: LakeTable) -> None:
    project = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    died = subprocess.run([sys.executable, "-c", CRASH, table.uri], cwd=project, env=environment, capture_output=True)
    assert died.returncode == -6
    assert names_in(table) == ["first", "second"]
    with pytest.raises(WatermarkError, match="the table has read to 1"):
        append(table, 0, 1, "second")
    assert names_in(table) == ["first", "second"], "the retry is a no-op"


@pytest.mark.parametrize("behind", [KeyboardInterrupt(), OSError("writing the checkpoint (os error 28)")])
def test_case_091_what_fails_right_behind_a_commit_takes_nothing_from_it(
    table: LakeTable, monkeypatch: pytest.MonkeyPatch, behind: BaseException
) -> None:
    write = DeltaTable.create_write_transaction

    def write_and_fail(*given: Any, **named: Any) -> None:
        write(*given, **named)
        raise behind

    monkeypatch.setattr(DeltaTable, "create_write_transaction", write_and_fail)
    with pytest.raises(KeyboardInterrupt) if isinstance(behind, KeyboardInterrupt) else nullcontext():
        append(table, 0, 1, "second")
    assert names_in(LakeTable(table.uri, LAYOUT)) == ["first", "second"], "its files are still there"
