"""The life of one row: its records, verdicts, versions and gold rows, found by any of its names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aura_lake.delta.commit import Commit
from aura_lake.delta.documents import write_document
from aura_lake.delta.layout import Layout
from aura_lake.lake import Lake
from aura_lake.ledger.life import TableLife
from aura_lake.ledger.why import why
from aura_lake.steps.land import land
from tests.changes import change, write_lines
from tests.unit.ledger.conftest import run


def only_table(lake: Lake, key: str) -> TableLife:
    (table,) = why(lake, key).tables
    return table


def test_a_key_tells_its_records_verdicts_and_versions(lake: Lake) -> None:
    life = only_table(lake, "a")

    assert life.table == "things"
    assert [(r.place, r.batch, r.judgements[0].verdict) for r in life.records] == [
        ("1.jsonl#0", 0, "valid"),
        ("1.jsonl#2", 0, "valid"),
        ("1.jsonl#3", 0, "duplicate"),
    ]
    assert life.records[0].feed == "things"
    assert life.records[0].position["byte_offset"] == 0
    assert life.records[1].change["lsn"] == 3
    assert [(v["word"], v["is_current"]) for v in life.versions] == [("apple", False), ("axe", True)]
    assert life.versions[0]["valid_to"] == life.versions[1]["valid_from"]
    assert [row["word"] for row in life.current] == ["axe"]


def test_a_quarantined_record_names_every_rule_it_broke(lake: Lake) -> None:
    life = only_table(lake, "c")

    (judgement,) = life.records[0].judgements
    assert (judgement.verdict, judgement.broken_rules, judgement.stands) == ("quarantined", ("size_is_positive",), True)
    assert life.versions == ()
    assert life.current == ()


def test_a_deleted_key_has_versions_and_no_current_row(lake: Lake) -> None:
    life = only_table(lake, "b")

    assert [record.change["op"] for record in life.records] == ["c", "d"]
    assert len(life.versions) == 1
    assert life.current == ()


def test_a_place_tells_the_record_that_nobody_can_name_otherwise(lake: Lake) -> None:
    life = next(table for table in why(lake, "1.jsonl#4").tables if table.table == "things")

    assert life.records[0].judgements[0].broken_rules == ("record_is_valid_json",)


def test_a_place_in_several_feeds_tells_all_of_them(lake: Lake) -> None:
    assert [table.table for table in why(lake, "1.jsonl#0").tables] == ["parts", "things", "visits"]


def test_an_event_id_tells_the_event_and_its_duplicate(lake: Lake) -> None:
    life = only_table(lake, "0")

    assert [record.judgements[0].verdict for record in life.records] == ["valid", "duplicate"]


def test_a_user_id_tells_the_events_that_carry_it(lake: Lake) -> None:
    life = only_table(lake, "u1")

    assert life.found_by == ("user_id",)
    assert life.total_records == 2


def test_a_personal_value_is_hashed_before_it_is_looked_for(lake: Lake) -> None:
    life = why(lake, "U1@X.org")

    assert life.tables[0].found_by == ("email_hash",)
    assert life.tables[0].total_records == 2
    told = json.dumps({**life.to_json(), "key": ""})
    assert "u1@x.org" not in told.lower()


def test_what_is_not_there_says_where_was_looked(lake: Lake) -> None:
    life = why(lake, "nobody")

    assert not life.is_known
    assert "things.id" in life.searched
    assert "visits.email_hash" in life.searched


def test_a_record_that_landed_and_waits_is_found_by_its_place(lake: Lake, tmp_path: Path) -> None:
    write_lines(tmp_path / "things", "3.jsonl", [change("c", 9, "e", "eel", 5)])
    land(lake, lake.shop.feeds["things"])

    life = why(lake, "3.jsonl#0")
    assert life.tables == ()
    assert [(row["feed"], row["batch"]) for row in life.waiting] == [("things", 2)]


def test_every_judgement_of_a_unit_is_told_and_the_last_stands(lake: Lake, tmp_path: Path) -> None:
    write_lines(tmp_path / "visits", "1.jsonl", [{"visit_id": "9", "user_id": "u9", "email": "u9@x.org"}])
    run(lake)

    (table,) = why(lake, "2").tables
    assert [(j.verdict, j.stands) for j in table.records[0].judgements] == [("valid", False), ("superseded", True)]


def test_gold_rows_are_told_at_the_published_version(lake: Lake) -> None:
    import polars as pl

    layout = Layout({"id": pl.String(), "net_revenue": pl.Decimal(18, 4)})
    for amount in ("1.5", "99"):
        frame = pl.DataFrame({"id": ["a"], "net_revenue": [amount]}).with_columns(
            pl.col("net_revenue").cast(pl.Decimal(18, 4))
        )
        table = lake.gold("fct_things", layout)
        with Commit(table) as commit:
            commit.remove(table.files())
            commit.add(frame)
            number = table.watermark("publication")
            commit.publish({"publication": (number, number + 1)})
        if amount == "1.5":
            write_document(lake, "gold/_manifest.json", {"tables": {"gold.fct_things": table.version}})

    (gold,) = why(lake, "a").gold
    assert gold.model == "fct_things"
    assert [str(row["net_revenue"]) for row in gold.rows] == ["1.5000"]


@pytest.mark.parametrize("key", ["' or 1=1 --", '"', "a#b#1", "[x]@", "%", "\\", "a/b"])
def test_a_key_is_a_value_and_never_a_piece_of_sql(lake: Lake, key: str) -> None:
    assert not why(lake, key).is_known
