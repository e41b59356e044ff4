"""What becomes of odd bytes and odd files in silver: each alone, with its object and place (cases 66 to 78)."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract, Format, Kind
from aura_lake.ledger.count import count
from tests.changes import column
from tests.small_lake import SmallLake

NAME, AMOUNT = column("name", required=True), column("amount", pl.Decimal(18, 4), "number")


def events(*columns: Column, **more: Any) -> Contract:
    """A table of events with these columns (default: a required `name` and an `amount`)."""
    return Contract(table="seen", kind=Kind.EVENTS, feed="seen", columns=columns or (NAME, AMOUNT), **more)


def identified(**more: Any) -> Contract:
    """A table of events told by their `id`."""
    return events(column("id"), NAME, event_id=("id",), **more)


def rows_of_last(**more: Any) -> Contract:
    """A table in which the last record of an `id` stands."""
    return replace(events(column("id", key_position=1), NAME), kind=Kind.ROWS, **more)


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "amount": 1.5, **more}


def names(lake: SmallLake) -> list[str]:
    return sorted(lake.lake.table("seen").select("name").collect()["name"].to_list())


def waiting(lake: SmallLake) -> list[tuple[str, int, int, list[str]]]:
    """Object, record number, byte offset and broken rules of what is quarantined."""
    rows = lake.log().filter(pl.col("verdict") == "quarantined")
    return list(rows.select("object", "ordinal", "byte_offset", "broken_rules").iter_rows())


def bytes_at(lake: SmallLake, object: str, ordinal: int) -> bytes:
    """What bronze keeps of a record."""
    rows = lake.lake.bronze("seen").scan().filter(object=object, ordinal=ordinal, row_kind="record")
    return bytes(rows.select("value").collect().item())


def test_case_062_objects_without_newlines_between_them_become_rows(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events(), Format.JSON)
    lake.put_bytes("a", b"".join(json.dumps(event(name)).encode() for name in ("x", "y }{ z", "}"))).run()
    assert names(lake) == ["x", "y }{ z", "}"]


def test_case_063_a_cut_gzip_gives_no_rows_and_is_recorded(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    whole = gzip.compress(b"".join(json.dumps(event(str(n))).encode() + b"\n" for n in range(1000)))
    lake.put_bytes("cut.jsonl.gz", whole[: len(whole) // 2]).put("sound.jsonl", event("x")).run()
    assert names(lake) == ["x"]
    assert lake.landed.corrupt == {"cut.jsonl.gz": "the gzip stream ends within a member"} or (
        lake.landed.corrupt["cut.jsonl.gz"].startswith("the gzip stream ends within a member")
    )
    lake.put_bytes("cut.jsonl.gz", whole).run()
    assert len(names(lake)) == 1001, "sent again whole it is loaded"
    assert count(lake.lake).balanced


def test_case_066_the_same_bytes_under_another_name_add_no_row(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", event("x"), event("x")).arrive("copy of a.jsonl", event("x"), event("x"))
    assert names(lake) == ["x", "x"]
    assert lake.verdicts() == {"valid": 2}, "equal records in one object are two events"
    assert lake.landed.copies == 1


def test_case_066_new_bytes_under_the_same_name_take_the_place_of_the_old(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", event("old"), event("kept"), modified_at=100)
    lake.arrive("a.jsonl", event("new"), event("kept"), modified_at=200)
    assert names(lake) == ["kept", "new"]
    assert lake.verdicts() == {"superseded": 2, "valid": 2}
    assert count(lake.lake).balanced


def test_case_066_old_bytes_that_return_count_again(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, rows_of_last())
    lake.arrive("a.jsonl", {"id": "1", "name": "old"}, modified_at=100)
    lake.arrive("a.jsonl", {"id": "1", "name": "new"}, {"id": "2", "name": "new"}, modified_at=200)
    assert lake.rows() == [("1", "new"), ("2", "new")]
    lake.arrive("a.jsonl", {"id": "1", "name": "old"}, modified_at=300)
    assert lake.rows() == [("1", "old")]
    assert lake.verdicts() == {"valid": 1, "superseded": 2}
    assert lake.rebuild_is_equal()
    assert count(lake.lake).balanced


def test_case_066_a_copy_keeps_the_content_alive(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", event("old"), modified_at=100).arrive("b.jsonl", event("old"), modified_at=110)
    lake.arrive("a.jsonl", event("new"), modified_at=200)
    assert names(lake) == ["new", "old"], "it still stands under the other name"
    lake.arrive("b.jsonl", event("other"), modified_at=210)
    assert names(lake) == ["new", "other"]
    assert lake.verdicts() == {"superseded": 1, "valid": 2}


def test_case_066_a_version_that_is_older_than_the_one_loaded_does_not_count(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", event("new"), modified_at=200).arrive("a.jsonl", event("old"), modified_at=100)
    assert names(lake) == ["new"]
    assert lake.verdicts() == {"valid": 1, "superseded": 1}


def test_case_066_a_duplicate_whose_valid_copy_was_superseded_becomes_valid(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, identified())
    lake.arrive("a.jsonl", {"id": "1", "name": "x"}, {"id": "2", "name": "y"}, modified_at=100)
    lake.arrive(
        "b.jsonl", {"id": "1", "name": "x"}, {"id": "3", "name": "z"}, {"id": "1", "name": "x"}, modified_at=110
    )
    assert lake.verdicts() == {"valid": 3, "duplicate": 2}
    lake.arrive("a.jsonl", {"id": "2", "name": "y"}, modified_at=200)
    assert names(lake) == ["x", "y", "z"]
    assert lake.verdicts() == {"valid": 3, "duplicate": 1, "superseded": 2}
    assert lake.rebuild_is_equal()
    assert lake.verdicts() == {"valid": 3, "duplicate": 1, "superseded": 2}


def test_case_066_an_event_in_the_new_version_is_no_duplicate_of_the_old_one(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, identified())
    lake.arrive("a.jsonl", {"id": "1", "name": "x"}, modified_at=100)
    lake.arrive("a.jsonl", {"id": "1", "name": "x"}, {"id": "2", "name": "y"}, modified_at=200)
    assert names(lake) == ["x", "y"]
    assert lake.verdicts() == {"valid": 2, "superseded": 1}


def test_case_066_what_returns_is_a_duplicate_where_its_event_stands_elsewhere_by_now(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, identified())
    lake.arrive("a.jsonl", {"id": "1", "name": "x"}, modified_at=100)
    lake.arrive("a.jsonl", {"id": "2", "name": "y"}, modified_at=200)
    lake.arrive("b.jsonl", {"id": "1", "name": "x"}, {"id": "3", "name": "z"}, modified_at=210)
    assert names(lake) == ["x", "y", "z"]
    lake.arrive("a.jsonl", {"id": "1", "name": "x"}, modified_at=300)
    assert names(lake) == ["x", "z"]
    assert lake.verdicts() == {"valid": 2, "duplicate": 1, "superseded": 1}
    assert lake.rebuild_is_equal()


def test_case_068_a_late_file_in_an_old_prefix_is_loaded(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("2026/02/01/b.jsonl", event("new"), modified_at=200)
    lake.arrive("2026/01/01/a.jsonl", event("late"), modified_at=100)
    assert names(lake) == ["late", "new"]


def test_case_072_one_bad_line_among_many_waits_alone_with_its_place(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lines = [json.dumps(event(str(n))).encode() for n in range(20_000)]
    lines[12_345] = b'{"name": "broken", '
    lake.arrive("many.jsonl.gz", *lines)
    offset = sum(len(line) + 1 for line in lines[:12_345])
    assert lake.verdicts() == {"valid": 19_999, "quarantined": 1}
    assert waiting(lake) == [("many.jsonl.gz", 12_345, offset, ["record_is_valid_json"])]
    assert bytes_at(lake, "many.jsonl.gz", 12_345) == lines[12_345]


def test_case_073_a_byte_order_mark_carriage_returns_and_blank_lines_are_tolerated(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    first, second = (json.dumps(event(name)).encode() for name in ("x", "y"))
    lake.put_bytes("a.jsonl", b"\xef\xbb\xbf" + first + b"\r\n\r\n  \n" + second + b"\r\n\n").run()
    assert names(lake) == ["x", "y"]
    assert lake.verdicts() == {"valid": 2}


def test_case_073_a_csv_with_a_byte_order_mark_names_its_first_column(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events(), Format.CSV)
    lake.put_bytes(
        "a.csv", b'\xef\xbb\xbfname,amount\r\n"x, with ""quotes""\r\nand a line",1.5\r\n\r\ny,\r\nz\r\n'
    ).run()
    assert lake.rows() == [
        ('x, with "quotes"\r\nand a line', pl.Series(["1.5"]).cast(pl.Decimal(18, 4))[0]),
        ("y", None),
    ]
    assert [place[3] for place in waiting(lake)] == [["record_has_as_many_fields_as_the_header"]]


ODD: dict[str, tuple[bytes, str]] = {
    "074 keys twice": (b'{"name": "x", "amount": 1, "name": "y"}', "record_has_unique_keys"),
    "075 not a number": (b'{"name": "x", "amount": NaN}', "record_numbers_are_finite"),
    "075 infinity": (b'{"name": "x", "amount": -Infinity}', "record_numbers_are_finite"),
    "075 beyond a double": (b'{"name": "x", "amount": 1e999}', "record_numbers_are_finite"),
    "076 lone surrogate": (b'{"name": "\\ud800"}', "record_text_is_valid_unicode"),
    "076 lone surrogate in a key": (b'{"name": "x", "\\udc00": 1}', "record_text_is_valid_unicode"),
    "076 invalid UTF-8": (b'{"name": "\xff\xfe"}', "record_is_valid_utf8"),
    "077 nested too deep": (
        b'{"name": "x", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "record_is_not_too_deep",
    ),
    "077 endless integer": (b'{"name": "x", "amount": ' + b"9" * 4301 + b"}", "record_numbers_are_finite"),
    "077 trailing comma": (b'{"name": "x",}', "record_is_valid_json"),
    "077 no object": (b"[1, 2]", "record_is_an_object"),
}


def wait_alone(lake: SmallLake, number: str) -> None:
    """The odd records of a case between sound ones: each waits, by its rule, and keeps its bytes in bronze."""
    odd = {name: told for name, told in ODD.items() if name.startswith(number)}
    lines = [line for record, _ in odd.values() for line in (record, json.dumps(event("sound")).encode())]
    lake.arrive("odd.jsonl", *lines)
    assert names(lake) == ["sound"] * len(odd)
    offsets = [sum(len(line) + 1 for line in lines[: 2 * n]) for n in range(len(odd))]
    rules = [[rule] for _, rule in odd.values()]
    assert waiting(lake) == [("odd.jsonl", 2 * n, offsets[n], rules[n]) for n in range(len(odd))]
    for ordinal, line in enumerate(lines):
        assert bytes_at(lake, "odd.jsonl", ordinal) == line


def test_case_074_a_record_that_names_a_key_twice_waits_alone(tmp_path: Path) -> None:
    wait_alone(SmallLake(tmp_path, events()), "074")


def test_case_075_a_number_that_is_none_or_beyond_a_double_waits_alone(tmp_path: Path) -> None:
    wait_alone(SmallLake(tmp_path, events()), "075")


def test_case_076_a_lone_surrogate_or_invalid_utf8_waits_alone(tmp_path: Path) -> None:
    wait_alone(SmallLake(tmp_path, events()), "076")


def test_case_077_what_no_reader_should_try_waits_alone(tmp_path: Path) -> None:
    wait_alone(SmallLake(tmp_path, events()), "077")


def test_case_074_a_key_twice_where_a_column_looks_makes_its_value_ambiguous(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events(column("name", source="who.name")))
    lake.arrive(
        "a.jsonl",
        b'{"who": {"name": "x", "name": "y"}}',
        b'{"who": {"name": "z"}, "other": {"a": 1, "a": 2}}',
    )
    assert names(lake) == ["z"]
    assert lake.broken_rules() == ["record_has_unique_keys"]


def test_case_074_a_key_twice_in_an_element_makes_the_record_ambiguous(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events(array="lines"))
    lake.arrive(
        "a.jsonl",
        b'{"lines": [{"name": "x"}, {"name": "y", "name": "z"}]}',
        b'{"lines": [{"name": "sound"}, {"name": "too"}]}',
    )
    assert names(lake) == ["sound", "too"]
    assert lake.verdicts() == {"quarantined": 1, "valid": 2}
    assert count(lake.lake).balanced


def test_case_076_a_pair_of_surrogates_is_a_letter(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", b'{"name": "\\ud83d\\ude00"}', b'{"name": "a\\u0000b"}')
    assert names(lake) == ["a\x00b", "😀"]


def test_case_077_an_integer_beyond_64_bits_is_exact_in_text_and_waits_in_a_number(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events(NAME, column("count", pl.Int64(), "integer")))
    lake.arrive("a.jsonl", b'{"name": 18446744073709551616}', b'{"name": "x", "count": 9223372036854775808}')
    assert names(lake) == ["18446744073709551616"]
    assert lake.broken_rules() == ["count_is_a_whole_number"]


def test_case_078_a_field_that_comes_late_is_read_and_one_that_is_missing_waits(tmp_path: Path) -> None:
    """Types come from the contract: nothing is inferred from the first rows."""
    lake = SmallLake(tmp_path, events(NAME, column("late")))
    plain = [{"name": str(n)} for n in range(2_000)]
    lake.arrive("a.jsonl", *plain, {"name": "x", "late": "here"}, {"late": "without a name"})
    assert ("x", "here") in lake.rows()
    assert lake.broken_rules() == ["name_is_present"]
    assert lake.verdicts() == {"valid": 2_001, "quarantined": 1}


@pytest.mark.parametrize("value", [{"first": "x"}, ["x"], True])
def test_case_078_an_object_in_a_text_column_is_not_written_as_text(tmp_path: Path, value: object) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", event("x"), {"name": value})
    assert names(lake) == ["x"]
    assert lake.broken_rules() == ["name_is_text"]


def test_case_078_fields_nobody_asked_for_are_counted_by_name(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, events())
    lake.arrive("a.jsonl", event("x", mail="a@b.example", age=7), event("y"))
    assert lake.verdicts() == {"valid": 2}
    assert lake.log()["_unknown_fields"].to_list() == [["age", "mail"], []]
    assert "a@b.example" not in str(lake.log().to_dicts())
