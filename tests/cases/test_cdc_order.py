"""Changes of a key in the order of the source, whatever the order in which they come (cases 1 to 13)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.cdc.order import in_change_order
from aura_lake.errors import SettingsError, SourceRewound
from aura_lake.layouts import POSITION
from aura_lake.steps.epochs import begin_epoch, epochs_of
from tests.changes import change, column, things
from tests.small_lake import SmallLake

MADE_AT = column("made_at", pl.Datetime("us", "UTC"), "timestamp", physical_type="timestamptz")


def made(op: str, lsn: int, key: str, word: str, at: int) -> dict[str, Any]:
    """A change of a row that tells when it was made."""
    envelope = change(op, lsn, key, word)
    envelope["after"]["made_at"] = datetime.fromtimestamp(at, UTC).isoformat()
    return envelope


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path, things())


def test_case_001_a_change_sent_again_after_a_crash_changes_nothing(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), change("u", 20, "a", "y"))
    lake.arrive("2.jsonl", change("c", 10, "a", "x"), change("u", 20, "a", "y"), change("u", 20, "a", "y"))
    assert lake.verdicts() == {"valid": 2, "duplicate": 3}
    assert lake.rows() == [("a", "y", None)]
    assert lake.history("word") == [("x", 10, 20), ("y", 20, None)]


def test_case_002_a_replay_cut_between_its_changes_never_goes_back(lake: SmallLake) -> None:
    first, second = change("c", 10, "a", "x"), change("u", 20, "a", "y")
    lake.arrive("1.jsonl", first, second)
    lake.arrive("2.jsonl", first)
    assert lake.rows() == [("a", "y", None)]
    lake.arrive("3.jsonl", second)
    assert lake.rows() == [("a", "y", None)]
    assert lake.verdicts() == {"valid": 2, "duplicate": 2}


def test_case_003_rows_of_one_copy_share_an_lsn_and_all_stand(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", *(change("c", 10, key, "x") for key in "abc"))
    assert [row[0] for row in lake.rows()] == ["a", "b", "c"]
    assert lake.verdicts() == {"valid": 3}


def test_case_004_a_transaction_that_commits_late_is_not_fenced_off_by_a_higher_lsn(lake: SmallLake) -> None:
    # A began first (LSN 10, 12) and committed last: B's LSN 20 is there before it.
    lake.arrive("1.jsonl", change("c", 20, "b", "B"))
    lake.arrive("2.jsonl", change("c", 10, "a", "A"), change("u", 12, "a", "A again"))
    assert lake.rows() == [("a", "A again", None), ("b", "B", None)]
    assert lake.verdicts() == {"valid": 3}


def test_case_005_the_order_is_the_lsn_and_never_the_sequence(lake: SmallLake) -> None:
    # sequence[0] is the commit before, which may be the same for both, or null.
    early, late = change("u", 20, "a", "late"), change("c", 10, "a", "early")
    early["source"]["sequence"], late["source"]["sequence"] = '["5","20"]', '["30","10"]'
    lake.arrive("1.jsonl", early, late)
    assert lake.rows() == [("a", "late", None)]


def test_case_006_an_incremental_read_without_an_lsn_stands_where_its_lane_was(lake: SmallLake) -> None:
    read = change("r", None, "a", "read", at=25)
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), change("u", 20, "a", "y"), read)
    assert lake.rows() == [("a", "read", None)], "it saw the row after every change before it"
    lake.arrive("2.jsonl", change("u", 30, "a", "z"), change("u", 15, "a", "late, older than the read"))
    assert lake.rows() == [("a", "z", None)], "it never wins over a newer change"
    assert lake.history("word") == [
        ("x", 10, 15),
        ("late, older than the read", 15, 20),
        ("y", 20, 25),
        ("read", 25, 30),
        ("z", 30, None),
    ]
    assert lake.verdicts() == {"valid": 5}, "and it is never dropped"


def test_case_006_reads_without_an_lsn_are_never_duplicates(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("r", None, "a", "x", at=10), change("r", None, "a", "x", at=10))
    assert lake.verdicts() == {"valid": 2}
    assert lake.history("word") == [("x", 10, None)]


def test_case_007_a_snapshot_read_older_than_a_streamed_delete_does_not_bring_the_row_back(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), change("d", 30, "a"))
    lake.arrive("2.jsonl", change("r", 20, "a", "x", snapshot=True), change("r", 20, "b", "x", snapshot=True))
    assert [row[0] for row in lake.rows()] == ["b"]
    assert lake.folded.stale_reads == 1, "the overlap of snapshot and stream is told"
    assert lake.verdicts() == {"valid": 4}


def test_case_007_a_snapshot_before_the_delete_is_no_alarm(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("r", 20, "a", "x", snapshot=True), change("d", 30, "a"))
    assert lake.rows() == []
    assert lake.folded.stale_reads == 0


def test_case_008_a_full_snapshot_in_mid_stream_makes_no_version_where_the_row_is_the_same(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "x", 1), change("c", 11, "b", "x", 1))
    snapshot = [change("r", 50, "a", "x", 1, snapshot=True), change("r", 50, "b", "repaired", 1, snapshot=True)]
    lake.arrive("2.jsonl", *snapshot)
    assert lake.rows() == [("a", "x", 1), ("b", "repaired", 1)]
    assert lake.history("id", "word") == [("a", "x", 10, None), ("b", "x", 11, 50), ("b", "repaired", 50, None)]


def test_case_010_insert_delete_insert_in_one_batch_leaves_the_last(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "first"), change("d", 20, "a"), change("c", 30, "a", "last"))
    assert lake.rows() == [("a", "last", None)]
    assert lake.history("word") == [("first", 10, 20), ("last", 30, None)]


def test_case_011_a_delete_and_an_insert_in_one_batch_leave_the_row(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "x"))
    lake.arrive("2.jsonl", change("d", 20, "a"), change("c", 21, "a", "x"))
    assert lake.rows() == [("a", "x", None)]
    assert lake.history("word") == [("x", 10, 20), ("x", 21, None)], "it was gone in between"


def test_case_011_a_row_created_again_another_day_stands_once(tmp_path: Path) -> None:
    """Also where the day of its creation says in which partition it lies."""
    day = 86_400
    lake = SmallLake(tmp_path, things(period="made_at", columns=(*things().columns, MADE_AT)))
    lake.arrive("1.jsonl", made("c", 10, "a", "first", 1 * day))
    lake.arrive("2.jsonl", change("d", 20, "a"))
    assert lake.rows() == []
    lake.arrive("3.jsonl", made("c", 30, "a", "second", 9 * day))
    assert [row[:2] for row in lake.rows()] == [("a", "second")]
    lake.arrive("4.jsonl", change("d", 40, "a"), made("c", 50, "a", "third", 5 * day))
    lake.arrive("5.jsonl", made("u", 15, "a", "late", 1 * day))
    assert [row[:2] for row in lake.rows()] == [("a", "third")]
    assert lake.history("word") == [("first", 10, 15), ("late", 15, 20), ("second", 30, 40), ("third", 50, None)]
    assert lake.rebuild_is_equal()
    lake.arrive("6.jsonl", change("d", 60, "a"))
    assert lake.rows() == []


def test_case_012_a_row_that_lived_inside_one_batch_is_in_history_alone(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), change("u", 20, "a", "y"), change("d", 30, "a"))
    assert lake.rows() == []
    assert lake.history("word") == [("x", 10, 20), ("y", 20, 30)]


def test_case_013_a_delete_of_an_unknown_key_is_no_error_and_no_row(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("d", 10, "never seen"))
    assert (lake.rows(), lake.history()) == ([], [])
    assert lake.verdicts() == {"valid": 1}
    lake.arrive("2.jsonl", change("c", 5, "never seen", "older"))
    assert lake.rows() == [], "what comes late and is older stays deleted"


def test_case_049_a_lower_lsn_after_a_failover_stops_its_table_by_name_and_nothing_is_taken_in(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things(lsn_fence=100))
    lake.arrive("1.jsonl", change("c", 900, "a", "old", at=1), change("c", 1000, "b", "old", at=2))
    lake.put("2.jsonl", change("u", 40, "a", "new", at=3), change("u", 950, "b", "newer", at=4))
    with pytest.raises(SourceRewound, match=r"1 changes .* LSN down to 40, .* has 1000") as stopped:
        lake.run()
    assert "aura source new-epoch things --after 1970-01-01T00:00:02+00:00" in stopped.value.fix
    assert lake.verdicts() == {"valid": 2}
    begin_epoch(lake.lake, ["things"], datetime.fromtimestamp(2, UTC), who="me", why="restored on Monday")
    lake.run()
    assert lake.rows() == [("a", "new", None), ("b", "newer", None)]
    assert lake.log()["_epoch"].to_list() == [0, 0, 1, 1]
    lake.arrive("3.jsonl", change("u", 990, "a", "late, of the old life", at=2))
    assert lake.rows()[0] == ("a", "new", None), "what the old life said last stands below what the new one says"
    assert lake.rebuild_is_equal()


def test_case_049_what_comes_late_is_low_and_no_alarm(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things(lsn_fence=100))
    lake.arrive("2.jsonl", change("c", 5000, "b", "second", at=9))
    lake.arrive("1.jsonl", change("c", 10, "a", "first", at=1), change("r", 1, "c", "read later", at=20, snapshot=True))
    lake.arrive("0.jsonl", b'{"op": "c", "after": {"id": "x"}, "source": {"lsn": "9999999999", "ts_ms": "never"}}')
    lake.arrive("3.jsonl", change("u", 5001, "b", "third", at=10))
    assert [row[1] for row in lake.rows()] == ["first", "third", "read later", None]


def test_case_049_an_epoch_begins_after_the_one_before_it_and_not_ahead(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things()).lake
    begin_epoch(lake, ["things"], datetime(2026, 5, 2, tzinfo=UTC), who="me", why="failover")
    assert epochs_of(lake, "things") == [datetime(2026, 5, 2, tzinfo=UTC)]
    assert epochs_of(lake, "other") == []
    for wrong in (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1), datetime(2999, 1, 1, tzinfo=UTC)):
        with pytest.raises(SettingsError, match="epoch"):
            begin_epoch(lake, ["things"], wrong, who="me", why="again")


def test_case_049_versions_of_a_later_epoch_follow_whatever_their_lsn() -> None:
    position = dict.fromkeys([*POSITION, "part"])
    rows = [
        {**position, "ordinal": n, "part": 0, "id": "a", "_epoch": epoch, "_lsn": lsn, "_is_snapshot": False}
        for n, (epoch, lsn) in enumerate([(1, 5), (0, 900), (0, 800), (1, 4)])
    ]
    schema = {**POSITION, "part": pl.Int32(), "id": pl.String(), "_epoch": pl.Int64(), "_lsn": pl.Int64()}
    frame = pl.DataFrame(rows, schema={**schema, "_is_snapshot": pl.Boolean()})
    ordered = in_change_order(frame, ["id"]).select("_epoch", "_lsn").rows()
    assert ordered == [(0, 800), (0, 900), (1, 4), (1, 5)]
