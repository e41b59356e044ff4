"""Values that PostgreSQL did not log: unchanged TOAST, and where they are found (cases 23 to 27)."""

from __future__ import annotations

import base64
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from aura_lake.contracts.digest import digest_of
from aura_lake.ledger.status import read_status
from aura_lake.query.reader import Reader
from tests.changes import change, column, things
from tests.small_lake import SmallLake

LEFT = "__debezium_unavailable_value"


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path, things())


def test_case_023_unchanged_toast_keeps_the_prior_value(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "long", 1))
    lake.arrive("2.jsonl", change("u", 20, "a", LEFT, 2))
    assert lake.rows() == [("a", "long", 2)]
    assert lake.history("word", "size") == [("long", 1, 10, 20), ("long", 2, 20, None)]
    assert lake.log()["_left_out"].to_list() == [[], ["word"]]


def test_case_023_the_prior_value_may_come_late_and_is_the_nearest_one(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "first", 1), change("u", 30, "a", LEFT, 3))
    assert lake.rows() == [("a", "first", 3)]
    lake.arrive("2.jsonl", change("u", 20, "a", "second", 2))
    assert lake.rows() == [("a", "second", 3)]
    assert lake.history("word", "size")[1:] == [("second", 2, 20, 30), ("second", 3, 30, None)]
    assert lake.rebuild_is_equal()


def test_case_023_a_left_out_column_is_not_judged(tmp_path: Path) -> None:
    columns = (*things().columns[:1], column("word", required=True, allowed_values=("x",)), things().columns[2])
    lake = SmallLake(tmp_path, things(columns=columns))
    lake.arrive("1.jsonl", change("c", 10, "a", "x", 1), change("u", 20, "a", LEFT, 2))
    assert lake.verdicts() == {"valid": 2}
    assert lake.rows() == [("a", "x", 2)]


def test_case_023_a_value_that_waits_in_quarantine_is_not_passed_over(tmp_path: Path) -> None:
    """The row with the older word and the newer size never was; the last valid version stays."""
    columns = (*things().columns[:2], column("size", things().columns[2].dtype, "integer", allowed_values=("1", "3")))
    lake = SmallLake(tmp_path, things(columns=columns))
    lake.arrive("1.jsonl", change("c", 10, "a", "x", 1), change("u", 20, "a", "y", 2), change("u", 30, "a", LEFT, 3))
    assert lake.rows() == [("a", "x", 1)]
    assert (lake.folded.held_back, lake.held()) == (1, [("a",)])


FORMS: list[tuple[str, Any]] = [
    ("text", LEFT),
    ("bytes", base64.b64encode(LEFT.encode()).decode()),
    ("text array", [LEFT]),
    ("bytes array", [base64.b64encode(LEFT.encode()).decode()]),
    ("uuid array", ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]),
    ("integer array", list(LEFT.encode())),
    ("hstore", {LEFT: LEFT}),
]


@pytest.mark.parametrize(("form", "stand_in"), FORMS, ids=[form for form, _ in FORMS])
def test_case_024_the_placeholder_is_known_in_every_type(tmp_path: Path, form: str, stand_in: Any) -> None:
    plain = form in ("text", "bytes")
    word = column("word") if plain else column("word", logical="object" if form == "hstore" else "array")
    lake = SmallLake(tmp_path, things(columns=(things().columns[0], word, things().columns[2])))
    told: Any = "value" if plain else ["value"]
    first, second = change("c", 10, "a", told, 1), change("u", 20, "a", stand_in, 2)
    lake.arrive("1.jsonl", first, second)
    assert lake.rows() == [("a", "value" if plain else '["value"]', 2)]
    assert lake.log()["_left_out"].to_list() == [[], ["word"]]


def test_case_025_an_insert_and_an_update_that_leaves_out_fill_within_one_batch(lake: SmallLake) -> None:
    lake.arrive(
        "1.jsonl", change("c", 10, "a", "long", 1), change("u", 20, "a", LEFT, 2), change("u", 30, "a", LEFT, 3)
    )
    assert lake.rows() == [("a", "long", 3)]
    assert lake.folded.held_back == 0


def test_case_026_without_a_prior_value_the_row_is_held_back_and_counted(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("u", 20, "a", LEFT, 2), change("c", 10, "b", "whole"))
    assert lake.rows() == [("b", "whole", None)], "no row with a null that PostgreSQL does not have"
    assert (lake.folded.held_back, lake.held()) == (1, [("a",)])
    (status,) = read_status(Reader(lake.lake.settings, digest_of(lake.lake.shop)))
    assert status.held_back == 1
    assert lake.verdicts() == {"valid": 2}
    lake.arrive("2.jsonl", change("c", 10, "a", "long", 1))
    assert lake.rows() == [("a", "long", 2), ("b", "whole", None)]
    assert (lake.folded.held_back, lake.held()) == (0, [])
    assert lake.history("word", "size")[:2] == [("long", 1, 10, 20), ("long", 2, 20, None)]


def test_case_026_a_row_that_was_deleted_lends_nothing_to_the_next_of_its_key(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "a", "first life"), change("d", 20, "a"), change("u", 40, "a", LEFT, 4))
    assert (lake.rows(), lake.held()) == ([], [("a",)])
    lake.arrive("2.jsonl", change("c", 30, "a", "second life"))
    assert lake.rows() == [("a", "second life", 4)]


def test_case_027_a_contract_names_another_placeholder(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things(placeholder="<left out>"))
    lake.arrive(
        "1.jsonl", change("c", 10, "a", LEFT, 1), change("c", 11, "b", "x"), change("u", 20, "b", "<left out>", 2)
    )
    assert lake.rows() == [("a", LEFT, 1), ("b", "x", 2)]


MOVE = [change("c", 10, "old", "long", 1), change("d", 20, "old"), change("c", 20, "new", LEFT, 2)]


@pytest.mark.parametrize("arrival", list(permutations(range(3))), ids=lambda order: "".join(map(str, order)))
def test_case_014_a_moved_row_takes_what_it_left_out_from_its_old_key(
    lake: SmallLake, arrival: tuple[int, ...]
) -> None:
    for number, place in enumerate(arrival):
        lake.arrive(f"{number}.jsonl", MOVE[place])
        filled = {0, 1, 2} == set(arrival[: number + 1])
        assert lake.rows().count(("new", "long", 2)) == filled
    assert lake.rows() == [("new", "long", 2)]
    assert lake.held() == []


def test_case_014_a_move_is_followed_over_several_keys_and_partitions(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    keys = [f"key {number}" for number in range(6)]
    lake.arrive("1.jsonl", change("u", 70, keys[5], LEFT, 70))
    for number in range(5, 0, -1):
        lsn = 10 + 10 * number
        lake.arrive(f"{number}.jsonl", change("c", lsn, keys[number], LEFT, lsn), change("d", lsn, keys[number - 1]))
    buckets = lake.lake.history(lake.contract).partition_values("_bucket")
    assert len(buckets) > 1, "the keys lie in several partitions"
    assert (lake.rows(), len(lake.held())) == ([], 6)
    lake.arrive("9.jsonl", change("c", 10, keys[0], "long", 1))
    assert lake.rows() == [(keys[5], "long", 70)]
    assert lake.held() == []
    before = lake.history()
    assert lake.rebuild_is_equal()
    assert lake.history() == before


def test_case_014_a_moved_row_takes_nothing_from_an_earlier_life_of_its_new_key(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 5, "new", "another row's"), change("d", 6, "new"), MOVE[2])
    assert (lake.rows(), lake.held()) == ([], [("new",)])
    lake.arrive("2.jsonl", *MOVE[:2])
    assert lake.rows() == [("new", "long", 2)]


def test_case_014_a_value_of_the_old_key_that_comes_late_reaches_the_new_one(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", *MOVE, change("u", 30, "new", LEFT, 3))
    lake.arrive("2.jsonl", change("u", 15, "old", "longer", 1))
    assert lake.rows() == [("new", "longer", 3)]
    assert lake.history("id", "word")[:2] == [("new", "longer", 20, 30), ("new", "longer", 30, None)]
    assert lake.rebuild_is_equal()
