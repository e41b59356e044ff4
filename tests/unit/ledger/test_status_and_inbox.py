"""How far each table is, and what waits in quarantine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aura_lake.contracts.digest import digest_of
from aura_lake.delta.documents import write_document
from aura_lake.errors import QueryError
from aura_lake.lake import Lake
from aura_lake.ledger.inbox import Inbox
from aura_lake.ledger.status import TableStatus, read_status
from aura_lake.query.reader import Reader
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from tests.changes import change, write_lines
from tests.unit.ledger.conftest import open_lake, run


def reader(lake: Lake) -> Reader:
    return Reader(lake.settings, digest_of(lake.shop))


def status(lake: Lake, table: str) -> TableStatus:
    return next(line for line in read_status(reader(lake)) if line.table == table)


def test_a_table_that_has_read_everything_lags_by_nothing_but_publication(lake: Lake) -> None:
    things = status(lake, "things")

    assert (things.watermark, things.to_judge, things.to_fold, things.waiting) == (1, 0, 0, 0)
    assert things.to_publish == 2
    assert (things.quarantined, things.blocked) == (2, 1)


def test_landed_batches_wait_to_be_judged_and_judged_ones_to_be_folded(lake: Lake, tmp_path: Path) -> None:
    write_lines(tmp_path / "things", "3.jsonl", [change("c", 9, "e", "eel", 5), change("c", 10, "f", "fox", 5)])
    land(lake, lake.shop.feeds["things"])
    landed = status(lake, "things")
    judge(lake, lake.contract("things"))
    judged = status(lake, "things")

    assert (landed.to_judge, landed.waiting, landed.to_fold) == (1, 2, 0)
    assert (judged.to_judge, judged.waiting, judged.to_fold) == (0, 0, 1)


def test_publication_is_as_far_as_the_pinned_log_has_read(lake: Lake, tmp_path: Path) -> None:
    pinned = {"silver.things_log": lake.log(lake.contract("things")).version}
    write_document(lake, "gold/_manifest.json", {"tables": pinned, "held": {"visits": "a rule blocks"}})
    assert status(lake, "things").to_publish == 0

    write_lines(tmp_path / "things", "3.jsonl", [change("c", 9, "e", "eel", 5)])
    run(lake)
    assert status(lake, "things").to_publish == 1
    assert status(lake, "visits").held == "a rule blocks"


def test_age_is_the_time_since_the_last_commit(lake: Lake) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    line = read_status(reader(lake), now=later)[0]

    assert line.age_seconds is not None
    assert 7_000 < line.age_seconds < 8_000


def test_a_lake_in_which_nothing_ran_says_so(tmp_path: Path) -> None:
    things = status(open_lake(tmp_path), "things")

    assert (things.watermark, things.to_judge, things.changed_at) == (-1, 0, None)


def test_quarantined_units_are_counted_by_their_last_judgement(lake: Lake, tmp_path: Path) -> None:
    assert status(lake, "visits").quarantined == 1

    write_lines(tmp_path / "visits", "1.jsonl", [{"visit_id": "9", "user_id": "u9", "email": "u9@x.org"}])
    run(lake)
    assert status(lake, "visits").quarantined == 0


def test_the_inbox_counts_by_table_and_rule_and_says_which_block(lake: Lake) -> None:
    lines = {(line.table, line.rule): line for line in Inbox(reader(lake)).waiting()}

    assert {key: line.units for key, line in lines.items()} == {
        ("things", "record_is_valid_json"): 1,
        ("things", "size_is_positive"): 1,
        ("visits", "record_is_valid_json"): 1,
    }
    assert lines["things", "size_is_positive"].blocks
    assert not lines["things", "record_is_valid_json"].blocks


def test_a_waiting_row_shows_its_place_and_what_could_be_read(lake: Lake) -> None:
    (row,) = Inbox(reader(lake)).rows("things", rule="size_is_positive")

    assert row.place == "2.jsonl#1"
    assert row.broken_rules == ("size_is_positive",)
    assert row.values == {"id": "c", "word": "cat", "size": -1}
    assert row.raw is None


def test_the_bytes_of_a_waiting_row_come_out_of_bronze_when_asked_for(lake: Lake) -> None:
    (row,) = Inbox(reader(lake)).rows("things", rule="record_is_valid_json", raw=True)

    assert row.raw == b'{"op": '


def test_a_table_that_is_not_there_is_named_with_those_that_are(lake: Lake) -> None:
    with pytest.raises(QueryError, match="has no table 'nothing'") as error:
        Inbox(reader(lake)).rows("nothing")
    assert error.value.fix == "Its tables: parts, things, visits."
