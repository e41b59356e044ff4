"""A source that changes its columns stops nothing and loses nothing (cases 41, 43 and 44)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.decisions import decisions
from tests.changes import change, column, things
from tests.small_lake import SmallLake

ID, WORD, SIZE = things().columns


def with_row(op: str, lsn: int, **row: Any) -> dict[str, Any]:
    """A change whose row has exactly these fields."""
    return {**change(op, lsn, "a"), "after": row}


def colours(*allowed: str) -> Contract:
    return things(columns=(ID, column("word", allowed_values=allowed), SIZE))


def test_case_041_a_value_added_to_an_enum_waits_until_the_contract_knows_it(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, colours("red", "blue"))
    lake.arrive("1.jsonl", change("c", 10, "a", "red"), change("c", 11, "b", "blue"))
    lake.arrive("2.jsonl", change("u", 20, "a", "green"))
    assert lake.broken_rules() == ["word_is_an_allowed_value"]
    assert lake.rows() == [("a", "red", None), ("b", "blue", None)], "the last valid version stays"
    marked = lake.lake.current(lake.contract).scan().filter("_has_newer_in_quarantine").select("id").collect()
    assert marked["id"].to_list() == ["a"]

    later = lake.under(colours("red", "blue", "green"))
    assert not later.rebuild_is_equal(), "activating a contract judges again what it can change"
    assert later.rows() == [("a", "green", None), ("b", "blue", None)]
    assert later.history("id", "word") == [("a", "red", 10, 20), ("a", "green", 20, None), ("b", "blue", 11, None)]
    assert later.verdicts() == {"valid": 3}


def test_case_043_an_added_column_is_known_by_name_and_its_values_stay_in_bronze(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("1.jsonl", with_row("c", 10, id="a", word="x", size=1, colour="secret"))
    assert lake.rows() == [("a", "x", 1)]
    assert lake.log()["_unknown_fields"].to_list() == [["colour"]]
    assert "secret" not in str(lake.log().to_dicts())

    later = lake.under(things(columns=(ID, WORD, SIZE, column("colour"))))
    later.rebuild_is_equal()
    assert later.rows() == [("a", "x", 1, "secret")], "nothing was lost meanwhile"


def test_case_043_a_dropped_column_is_null_and_waits_where_it_is_required(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things(columns=(ID, WORD, column("size", pl.Int64(), "integer", required=True))))
    lake.arrive("1.jsonl", with_row("c", 10, id="a", word="x", size=1), with_row("u", 20, id="a", size=2))
    assert lake.rows() == [("a", None, 2)]
    lake.arrive("2.jsonl", with_row("u", 30, id="a", word="y"))
    assert lake.rows() == [("a", None, 2)]
    assert lake.broken_rules() == ["size_is_present"]


def test_case_043_a_renamed_column_is_a_drop_and_an_add_until_somebody_says_otherwise(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("1.jsonl", with_row("c", 10, id="a", word="x", size=1), with_row("u", 20, id="a", term="y", size=1))
    assert lake.rows() == [("a", None, 1)], "never guessed"
    assert lake.log()["_unknown_fields"].to_list() == [[], ["term"]]

    later = lake.under(things(columns=(ID, column("word", synonyms=("term",)), SIZE)))
    later.rebuild_is_equal()
    assert later.rows() == [("a", "y", 1)]
    assert later.history("word") == [("x", 10, 20), ("y", 20, None)]


def test_case_044_widening_passes_and_narrowing_waits(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    wide = [2**31, -(2**63), 2**63 - 1]
    lake.arrive("1.jsonl", *(with_row("c", 10 + n, id=f"wide {n}", size=size) for n, size in enumerate(wide)))
    assert [row[2] for row in lake.rows()] == wide
    long = "x" * 100_000
    lake.arrive("2.jsonl", with_row("c", 20, id="long", word=long))
    assert ("long", long, None) in lake.rows()

    narrow: list[Any] = [2**63, 1.5, "7", True, [7]]
    lake.arrive("3.jsonl", *(with_row("c", 30 + n, id=f"narrow {n}", size=size) for n, size in enumerate(narrow)))
    assert lake.broken_rules() == ["size_is_a_whole_number"] * len(narrow), "nothing is cut, rounded or wrapped"
    assert len(lake.rows()) == 4


def test_case_044_a_column_whose_type_the_contract_changes_is_judged_again(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("1.jsonl", with_row("c", 10, id="a", size=1), with_row("c", 11, id="b", size="2 kg"))
    assert lake.rows() == [("a", None, 1)]

    later = lake.under(things(columns=(ID, WORD, column("size"))))
    later.arrive("2.jsonl", with_row("c", 20, id="c", size="3 kg"))
    assert later.rows() == [("a", None, "1"), ("b", None, "2 kg"), ("c", None, "3 kg")]
    assert [decision.facts["table"] for decision in decisions(later.lake, "activate")] == ["things"]
    assert later.rebuild_is_equal()
    later.arrive("3.jsonl", with_row("u", 30, id="a", size="4 kg"))
    assert later.history("id", "size")[:2] == [("a", "1", 10, 30), ("a", "4 kg", 30, None)]
