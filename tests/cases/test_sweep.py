"""Rows that vanished from their source unseen (case 9): a read of the table cannot show that they are gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from aura_lake.cdc.absence import NoRow, delete_like
from aura_lake.contracts.contract import Contract
from aura_lake.ledger.count import count
from aura_lake.source.facts import Lsn
from aura_lake.steps.absence_batch import commit_absences
from aura_lake.steps.epochs import begin_epoch
from aura_lake.steps.vanished import deletes_of_vanished
from tests.changes import change, things
from tests.small_topics import SmallTopicLake, lane, sent

AT = datetime.fromtimestamp(1_000, UTC)


def sweep(lake: SmallTopicLake, keys: list[str], lsn: int, at: datetime = AT, request: str = "r1") -> int:
    """Compare the table with the keys its source has, and take the deletes in; how many there were."""
    name = lake.contract.key[0]
    found = deletes_of_vanished(lake.lake, lake.contract, pl.DataFrame({name: keys}), Lsn(lsn), at)
    if found:
        commit_absences(lake.bronze, found, request, at)
    lake.catch_up()
    return len(found)


@pytest.fixture
def lake(tmp_path: Path) -> SmallTopicLake:
    made = SmallTopicLake(tmp_path, things())
    return made.arrive_at(
        lane(), *(sent(n, change("c", 10 + n, key, f"word {key}", n)) for n, key in enumerate(["a", "b", "c", "d"]))
    )


def test_case_009_keys_that_vanished_in_a_gap_are_deleted_and_the_ledger_counts_it(lake: SmallTopicLake) -> None:
    assert sweep(lake, ["a", "c"], 500) == 2
    assert [row[0] for row in lake.rows()] == ["a", "c"]
    assert lake.history("id")[1] == ("b", 11, 1_000), "it lived until the keys were read"
    assert lake.verdicts() == {"valid": 6}
    assert count(lake.lake).problems() == []
    assert lake.rebuild_is_equal()


def test_case_009_sweeping_again_finds_nothing(lake: SmallTopicLake) -> None:
    sweep(lake, ["a", "c"], 500)
    assert sweep(lake, ["a", "c"], 600, request="r2") == 0
    assert lake.verdicts() == {"valid": 6}


def test_case_009_a_row_that_changed_behind_the_look_is_left_alone(lake: SmallTopicLake) -> None:
    lake.arrive_at(lane(), sent(4, change("u", 700, "b", "made anew since", 9)))
    assert sweep(lake, ["a", "c", "d"], 500) == 0


def test_case_009_a_delete_that_was_on_its_way_does_no_harm(lake: SmallTopicLake) -> None:
    assert sweep(lake, ["a", "b", "c"], 500) == 1
    lake.arrive_at(lane(), sent(4, change("d", 400, "d")), sent(5, change("c", 900, "d", "again", 1)))
    assert [row[1] for row in lake.rows()] == ["word a", "word b", "word c", "again"]
    assert lake.rebuild_is_equal()


def test_case_009_a_key_without_any_row_left_empties_the_table(lake: SmallTopicLake) -> None:
    assert sweep(lake, [], 500) == 4
    assert lake.rows() == []


def test_case_009_rows_of_an_earlier_life_of_the_log_vanish_whatever_their_lsn(lake: SmallTopicLake) -> None:
    begin_epoch(lake.lake, ["things"], datetime.fromtimestamp(20, UTC), who="me", why="restored")
    lake.arrive_at(lane(), sent(4, change("u", 2, "a", "of the new life", at=30)))
    assert sweep(lake, ["a", "b", "c"], 5) == 1
    assert [row[0] for row in lake.rows()] == ["a", "b", "c"]
    assert lake.rebuild_is_equal()


def test_case_009_a_personal_key_is_hashed_as_it_was(tmp_path: Path) -> None:
    columns = tuple(replace(c, personal=c.name == "id") for c in things().columns)
    contract: Contract = replace(things(), columns=columns)
    lake = SmallTopicLake(tmp_path, contract)
    lake.arrive_at(lane(), sent(0, change("c", 1, "a@x.org", "one")), sent(1, change("c", 2, "b@x.org", "two")))
    hashes = {row[1]: row[0] for row in lake.rows()}
    assert sweep(lake, [hashes["two"]], 50) == 1
    assert lake.rows() == [(hashes["two"], "two", None)]


def test_the_delete_has_the_form_in_which_the_row_came() -> None:
    envelope = change("u", 3, "a", "word", 1)
    schema = {"type": "struct", "fields": []}
    wrapped = json.loads(delete_like(json.dumps({"schema": schema, "payload": envelope}).encode(), [["id"]], 9, AT))
    assert wrapped["schema"] == schema
    assert (wrapped["payload"]["op"], wrapped["payload"]["before"]) == ("d", {"id": "a"})
    flat = json.loads(delete_like(b'{"number": 9007199254740993, "__op": "u"}', [["id", "number"]], 9, AT))
    assert (flat["before"], flat["source"]["lsn"]) == ({"number": 9007199254740993}, 9)
    for value in (b'{"op": "c", "after": null}', b"[1]", b'{"op": "c", "after": {"word": 1}}'):
        with pytest.raises(NoRow):
            delete_like(value, [["id"]], 9, AT)
