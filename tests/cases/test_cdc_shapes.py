"""What is not a change, or is one in another dress (cases 16, 17, 20 to 22, 42, 45 to 47)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.changes import change, column, things
from tests.small_lake import SmallLake


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path, things())


def test_case_016_a_tombstone_is_skipped_and_counted(lake: SmallLake) -> None:
    wrapped = {"schema": None, "payload": None}
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), change("d", 20, "a"), None, wrapped)
    assert lake.rows() == []
    assert lake.verdicts() == {"valid": 2, "ignored": 2}
    assert lake.reasons() == ["tombstone", "tombstone"]


def test_case_017_flattened_changes_are_read_by_their_marks(lake: SmallLake) -> None:
    """ExtractNewRecordState with delete.tombstone.handling.mode=rewrite and add.fields=op,lsn,source.ts_ms."""
    lake.arrive(
        "1.jsonl",
        flat("c", 10, "a", "x"),
        flat("c", 11, "b", "x"),
        flat("u", 20, "a", "y"),
        flat("d", 30, "b", None, deleted="true"),
    )
    assert lake.rows() == [("a", "y", None)]
    assert lake.history("id", "word") == [("a", "x", 10, 20), ("a", "y", 20, None), ("b", "x", 11, 30)]
    assert lake.log()["_unknown_fields"].to_list() == [[]] * 4, "marks are no fields of the producer"


def test_case_017_flattened_changes_without_an_operation_upsert_by_position(lake: SmallLake) -> None:
    lake.arrive(
        "1.jsonl", {"id": "a", "word": "x", "__deleted": "false"}, {"id": "a", "word": "y", "__deleted": "false"}
    )
    assert lake.rows() == [("a", "y", None)]
    lake.arrive("2.jsonl", {"id": "a", "word": None, "__deleted": "true"})
    assert lake.rows() == []


def test_case_017_a_row_that_says_no_change_is_quarantined(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", {"id": "a", "word": "x"})
    assert lake.rows() == []
    assert lake.broken_rules() == ["record_is_a_change_envelope"]


def flat(op: str, lsn: int, key: str, word: str | None, deleted: str = "false") -> dict[str, Any]:
    marks = {"__deleted": deleted, "__op": op, "__lsn": lsn, "__source_ts_ms": lsn * 1000}
    return {"id": key, "word": word, "size": None, **marks}


def test_case_020_a_logical_decoding_message_is_ignored_and_counted(lake: SmallLake) -> None:
    message = {"op": "m", "ts_ms": 1, "source": {"lsn": 5}, "message": {"prefix": "p", "content": "aGVsbG8="}}
    lake.arrive("1.jsonl", message)
    assert lake.verdicts() == {"ignored": 1}
    assert lake.reasons() == ["logical_decoding_message"]


@pytest.mark.parametrize("op", ["x", "", None, "U"])
def test_case_021_an_unknown_operation_is_quarantined_and_never_upserts(lake: SmallLake, op: str | None) -> None:
    lake.arrive("1.jsonl", {**change("c", 10, "a", "x"), "op": op})
    assert lake.rows() == []
    assert lake.broken_rules() == ["change_operation_is_known"]


def test_case_021_nor_does_an_unknown_operation_of_a_flattened_change(lake: SmallLake) -> None:
    lake.arrive("1.jsonl", flat("x", 10, "a", "x"), flat("c", 10, "b", "x"))
    assert lake.rows() == [("b", "x", None)]
    assert lake.broken_rules() == ["change_operation_is_known"]


CONTROL = {
    "heartbeat": {"ts_ms": 1795262493693},
    "transaction_metadata": {
        "status": "END",
        "id": "571:53195832",
        "ts_ms": 1,
        "event_count": 2,
        "data_collections": [],
    },
    "schema_change": {"source": {}, "databaseName": "shop", "schemaName": "public", "ddl": "ALTER", "tableChanges": []},
}


@pytest.mark.parametrize("reason", sorted(CONTROL))
def test_case_022_control_messages_on_the_topic_are_ignored_by_name(lake: SmallLake, reason: str) -> None:
    wrapped = {"schema": {"type": "struct"}, "payload": CONTROL[reason]}
    lake.arrive("1.jsonl", CONTROL[reason], wrapped, change("c", 10, "a", "x"))
    assert lake.verdicts() == {"ignored": 2, "valid": 1}
    assert lake.reasons() == [reason, reason]


def test_case_042_a_json_null_is_not_a_sql_null(tmp_path: Path) -> None:
    document = column("word", logical="object", physical_type="jsonb")
    lake = SmallLake(tmp_path, things(columns=(things().columns[0], document, things().columns[2])))
    values = {"scalar": "1", "array": "[1, null]", "json null": "null", "sql null": None, "text": '"null"'}
    lake.arrive("1.jsonl", *(change("c", 10 + n, key, value) for n, (key, value) in enumerate(values.items())))
    assert {row[0]: row[1] for row in lake.rows()} == values
    assert lake.verdicts() == {"valid": 5}


def test_case_045_records_with_and_without_a_schema_are_both_read(lake: SmallLake) -> None:
    with_schema = {"schema": {"type": "struct", "fields": []}, "payload": change("u", 20, "a", "y")}
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), with_schema, change("u", 30, "a", "z"))
    assert lake.history("word") == [("x", 10, 20), ("y", 20, 30), ("z", 30, None)]
    assert lake.verdicts() == {"valid": 3}
    assert lake.log()["_unknown_fields"].to_list() == [[]] * 3


def test_case_046_framed_avro_has_an_error_of_its_own(lake: SmallLake) -> None:
    framed = b"\x00\x00\x00\x00\x07\x02a\x02x"
    lake.arrive("1.jsonl", change("c", 10, "a", "x"), framed)
    assert lake.rows() == [("a", "x", None)]
    assert lake.broken_rules() == ["record_is_json_and_not_framed_avro"]
    waiting = lake.log().filter(pl.col("verdict") == "quarantined").row(0, named=True)
    assert (waiting["object"], waiting["ordinal"], waiting["byte_offset"]) == (
        "1.jsonl",
        1,
        len(json.dumps(change("c", 10, "a", "x"))) + 1,
    )


def test_case_047_leaves_of_a_partitioned_table_are_one_table(lake: SmallLake) -> None:
    """Without publish.via.partition.root each leaf has its own topic; the snapshot comes on the root as well."""
    leaf = change("r", 10, "a", "x", snapshot=True)
    leaf["source"]["table"] = "things_2026_01"
    moved = change("u", 20, "a", "y")
    moved["source"]["table"] = "things_2026_02"
    lake.put("things/0.jsonl", change("r", 10, "a", "x", snapshot=True))
    lake.put("things_2026_01/0.jsonl", leaf).put("things_2026_02/0.jsonl", moved)
    lake.run()
    assert lake.rows() == [("a", "y", None)]
    assert lake.verdicts() == {"valid": 2, "duplicate": 1}
