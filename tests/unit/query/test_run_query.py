"""Questions are answered from the tables people know, at the versions that belong together."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aura_lake.contracts.digest import digest_of
from aura_lake.delta.commit import Commit
from aura_lake.delta.documents import write_document
from aura_lake.delta.layout import Layout
from aura_lake.errors import LakeError, QueryError
from aura_lake.lake import Lake
from aura_lake.query import answer, run_query
from aura_lake.query.reader import Reader
from tests.changes import change, write_lines
from tests.unit.ledger.conftest import open_lake, run


def test_a_folded_table_answers_with_its_current_rows(lake: Lake) -> None:
    found = run_query(lake, "select * from silver.things order by id")

    expected = pl.DataFrame({"id": ["a", "d"], "word": ["axe", "dog"], "size": [4, 3]})
    assert_frame_equal(found, expected)


def test_an_events_table_answers_with_its_valid_rows_each_unit_once(lake: Lake, tmp_path: Path) -> None:
    assert run_query(lake, "select visit_id from silver.visits").height == 4

    write_lines(tmp_path / "visits", "1.jsonl", [{"visit_id": "9", "user_id": "u9", "email": "u9@x.org"}])
    run(lake)
    assert run_query(lake, "select visit_id from silver.visits").rows() == [("9",)]


def test_the_history_answers_with_versions(lake: Lake) -> None:
    found = run_query(
        lake, "select id, word, valid_from, is_current from silver.things_history order by id, valid_from"
    )

    assert found.select("id", "word", "is_current").rows() == [
        ("a", "apple", False),
        ("a", "axe", True),
        ("b", "bird", False),
        ("d", "dog", True),
    ]
    assert found["valid_from"][0] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_the_quarantine_answers_with_place_rules_and_values(lake: Lake) -> None:
    found = run_query(lake, "select object, ordinal, broken_rules, word from silver.things_quarantine order by 1, 2")

    assert found.rows() == [
        ("1.jsonl", 4, ["record_is_valid_json"], None),
        ("2.jsonl", 1, ["size_is_positive"], "cat"),
    ]


def test_bronze_answers_with_bytes(lake: Lake) -> None:
    found = run_query(lake, "select value from bronze.things where ordinal = 4 and row_kind = 'record'")

    assert found.rows() == [(b'{"op": ',)]


def test_the_log_answers_with_every_verdict(lake: Lake) -> None:
    found = run_query(lake, "select verdict, count(*) as n from silver.things_log group by all order by all")

    assert found.rows() == [("duplicate", 1), ("ignored", 1), ("quarantined", 2), ("valid", 5)]


def test_personal_values_stand_hashed(lake: Lake) -> None:
    found = run_query(lake, "select distinct email_hash from silver.visits")

    assert found["email_hash"].str.contains("^[0-9a-f]{8}:[0-9a-f]{64}$").all()


def test_tables_join_and_limits_hold(lake: Lake) -> None:
    sql = "with t as (select id from silver.things) select * from t join silver.things_history using (id) order by all"

    assert run_query(lake, sql, limit=1).height == 1
    found = answer(Reader(lake.settings, digest_of(lake.shop)), sql, limit=2)
    assert (len(found.rows), found.has_more) == (2, True)


def test_a_table_is_read_at_the_version_that_is_published(lake: Lake, tmp_path: Path) -> None:
    contract = lake.contract("things")
    pinned = {"silver.things": lake.current(contract).version, "silver.things_history": lake.history(contract).version}
    write_document(lake, "gold/_manifest.json", {"tables": pinned})
    write_lines(tmp_path / "things", "3.jsonl", [change("c", 9, "e", "eel", 5), change("c", 10, "f", "fox", -5)])
    run(lake)

    assert run_query(lake, "select count(*) from silver.things").item() == 2
    assert run_query(lake, "select count(*) from silver.things_history").item() == 4
    assert run_query(lake, "select count(*) from silver.things_quarantine").item() == 3, (
        "what waits is always the newest"
    )


def test_gold_is_there_once_it_is_published_without_its_technical_columns(lake: Lake) -> None:
    layout = Layout({"id": pl.String(), "net": pl.Decimal(18, 4), "_period": pl.String()}, partition_by=("_period",))
    frame = pl.DataFrame({"id": ["a"], "net": ["1.5"], "_period": ["all"]}).with_columns(
        pl.col("net").cast(pl.Decimal(18, 4))
    )
    table = lake.gold("fct_things", layout)
    with Commit(table) as commit:
        commit.add(frame)
        commit.publish({"publication": (-1, 0)})
    with pytest.raises(QueryError, match=r"There is no table 'gold\.fct_things'"):
        run_query(lake, "select * from gold.fct_things")
    write_document(lake, "gold/_manifest.json", {"tables": {"gold.fct_things": table.version}})

    assert run_query(lake, "select * from gold.fct_things").rows(named=True) == [{"id": "a", "net": Decimal("1.5000")}]


def test_a_table_that_was_never_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"silver\.things has not been written yet\. Run `aura run` first\."):
        run_query(open_lake(tmp_path), "select * from silver.things")


def test_another_shops_lake_is_refused(lake: Lake) -> None:
    write_document(lake, "lake.json", {"shop": "other"})

    with pytest.raises(LakeError, match="the lake is of the shop 'other'"):
        run_query(lake, "select 1")


def test_a_failure_on_a_value_does_not_print_the_value(lake: Lake) -> None:
    with pytest.raises(QueryError, match="failed on a value") as error:
        run_query(lake, "select cast(word as integer) from silver.things")
    assert "axe" not in str(error.value)


def test_a_query_that_runs_too_long_is_stopped(lake: Lake) -> None:
    reader = Reader(lake.settings, digest_of(lake.shop))

    with pytest.raises(QueryError, match=r"ran for 0\.2 s and was stopped"):
        answer(reader, "select count(*) from range(100000000) a, range(100000) b", seconds=0.2)
