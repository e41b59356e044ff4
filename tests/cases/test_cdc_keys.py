"""Keys that change, rows without keys, deletes that carry nothing else, truncates (cases 14, 18, 19, 28 to 30)."""

from __future__ import annotations

from pathlib import Path

import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.contracts.problems import ContractProblemsError
from tests.changes import change, things
from tests.small_lake import SmallLake


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path, things())


def test_case_014_a_key_change_closes_the_old_key_and_opens_the_new_one(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 10, "old", "x"))
    lake.arrive("2.jsonl", change("d", 20, "old"), None, change("c", 20, "new", "x"))
    assert lake.rows() == [("new", "x", None)]
    assert lake.history("id", "word") == [("new", "x", 20, None), ("old", "x", 10, 20)]
    assert lake.verdicts() == {"valid": 3, "ignored": 1}
    changes = lake.lake.history(lake.contract).scan().filter(_lsn=20).collect()
    assert sorted(changes.select("id", "_op").iter_rows()) == [("new", "c"), ("old", "d")], "one LSN joins the two"


def test_case_014_the_halves_of_a_key_change_may_come_apart_and_swapped(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("c", 20, "new", "x"))
    lake.arrive("2.jsonl", change("d", 20, "old"))
    lake.arrive("3.jsonl", change("c", 10, "old", "x"))
    assert lake.rows() == [("new", "x", None)]
    assert lake.history("id", "word") == [("new", "x", 20, None), ("old", "x", 10, 20)]


def test_case_018_a_truncate_closes_every_row_before_it(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", *(change("c", 10 + n, key, "x") for n, key in enumerate("abc")))
    lake.arrive("2.jsonl", change("t", 20, None), change("c", 21, "b", "after"))
    assert lake.rows() == [("b", "after", None)]
    assert lake.history("id", "word") == [
        ("a", "x", 10, 20),
        ("b", "x", 11, 20),
        ("b", "after", 21, None),
        ("c", "x", 12, 20),
    ]
    assert lake.verdicts() == {"valid": 5}
    assert lake.rebuild_is_equal()


def test_case_019_a_truncate_is_remembered_for_older_changes_that_come_later(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", change("t", 20, None))
    lake.arrive("2.jsonl", change("c", 10, "a", "older"), change("c", 30, "b", "newer"), change("u", 15, "b", "older"))
    assert lake.rows() == [("b", "newer", None)]
    assert lake.history("id", "word") == [("a", "older", 10, 20), ("b", "older", 15, 20), ("b", "newer", 30, None)]
    lake.arrive("3.jsonl", change("t", 20, None), change("u", 40, "b", "newest"))
    assert lake.rows() == [("b", "newest", None)]
    assert lake.verdicts() == {"valid": 5, "duplicate": 1}


def test_case_028_a_delete_that_carries_its_key_alone_leaves_the_last_values_in_history(lake: SmallLake) -> None:
    # With the default replica identity PostgreSQL fills the rest of `before` with null, "" or 0.
    lake.arrive("1.jsonl", change("c", 10, "a", "x", 7))
    lake.arrive("2.jsonl", change("d", 20, "a", "", 0))
    assert lake.rows() == []
    assert lake.history() == [("a", "x", 7, 10, 20)]


def test_case_029_a_table_of_changes_without_a_key_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("id: test\n")
    (tmp_path / "audit.odcs.yaml").write_text(AUDIT)
    with pytest.raises(
        ContractProblemsError, match=r"audit\.odcs\.yaml:\d+: a table of kind cdc needs a key\."
    ) as error:
        load_shop(tmp_path, "local", {})
    assert "mark the key's columns with primaryKey: true, or write kind: events" in str(error.value)


AUDIT = """\
apiVersion: v3.0.2
kind: DataContract
id: audit
version: 1.0.0
status: active
servers:
  - {server: audit, type: local, path: ., format: jsonl}
schema:
  - name: audit_entries
    customProperties: [{property: kind, value: cdc}]
    properties:
      - {name: who, logicalType: string}
"""


def test_case_030_an_update_without_a_before_image_needs_none(lake: SmallLake) -> None:
    update = change("u", 20, "a", "y")
    assert update["before"] is None
    with_image = {**change("u", 30, "a", "z"), "before": {"id": "a", "word": "not what stood", "size": 1}}
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), update, with_image)
    assert lake.rows() == [("a", "z", None)]
    assert lake.history("word") == [("x", 10, 20), ("y", 20, 30), ("z", 30, None)]
