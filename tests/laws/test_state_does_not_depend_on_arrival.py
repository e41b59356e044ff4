"""Laws 4 and 5 on the pure heart of state, against a small oracle that knows nothing of frames."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aura_lake.cdc.fold import derive_versions
from aura_lake.layouts import CHANGE, POSITION, VERSION, table_columns
from tests.changes import things

CONTRACT = things()
SCHEMA = {
    **{name: dtype for name, dtype in VERSION.items() if name in POSITION or name in CHANGE or name == "part"},
    "_is_valid": pl.Boolean(),
    "_bucket": pl.String(),
    **table_columns(CONTRACT),
}


def row(ordinal: int, change: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(change["at"], UTC)
    return {
        **dict.fromkeys(SCHEMA),
        "object": "o",
        "etag": "e",
        "ordinal": ordinal,
        "part": 0,
        "_op": change["op"],
        "_epoch": 0,
        "_lsn": change["lsn"],
        "_is_snapshot": change["op"] == "r",
        "_committed_at": at,
        "_left_out": ["word"] if change.get("left_out") else [],
        "_is_valid": True,
        "_bucket": "00",
        "id": None if change["op"] == "t" else change["id"],
        "word": None if change["op"] in "dt" or change.get("left_out") else change["word"],
    }


@st.composite
def lives(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Changes of a few keys with distinct LSNs; commit times follow the LSN loosely (they may repeat)."""
    count = draw(st.integers(1, 14))
    changes = []
    for number in range(count):
        op = draw(st.sampled_from("cuuudrt" if number else "cr"))
        changes.append(
            {
                "op": op,
                "lsn": 10 * (number + 1),
                "id": draw(st.sampled_from(["a", "b", "c"])),
                "word": draw(st.sampled_from(["x", "y", "z"])),
                "at": draw(st.integers(number // 2, number // 2 + 1)),
                "left_out": op == "u" and draw(st.booleans()),
            }
        )
    return changes


def oracle(changes: list[dict[str, Any]]) -> dict[str, str]:
    """What a database would hold after these changes, in LSN order; rows that cannot be filled do not stand.
    A row that was deleted has no values to leave unchanged: an update after it waits for its insert."""
    words: dict[str, str | None] = {}
    live: dict[str, str] = {}
    for change in sorted(changes, key=lambda c: c["lsn"]):
        if change["op"] == "t":
            live.clear()
            words.clear()
        elif change["op"] == "d":
            live.pop(change["id"], None)
            words.pop(change["id"], None)
        else:
            word = words.get(change["id"]) if change["left_out"] else change["word"]
            if word is not None:
                live[change["id"]] = words[change["id"]] = word
    return live


def derive(rows: list[dict[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    is_truncate = pl.col("_op") == "t"
    return derive_versions(frame.filter(~is_truncate), frame.filter(is_truncate), CONTRACT)


@given(lives(), st.randoms(use_true_random=False))
def test_the_latest_rows_are_what_the_database_holds(changes: list[dict[str, Any]], random: Any) -> None:
    places = list(range(len(changes)))
    random.shuffle(places)  # positions say nothing where there is an LSN
    derived = derive([row(place, change) for place, change in zip(places, changes, strict=True)])
    latest = derived.filter("_is_latest")
    assert dict(latest.select("id", "word").iter_rows()) == oracle(changes)
    assert latest.height == latest["id"].n_unique()


@given(lives(), st.randoms(use_true_random=False))
def test_shuffled_changes_give_the_same_versions(changes: list[dict[str, Any]], random: Any) -> None:
    rows = [row(number, change) for number, change in enumerate(changes)]
    shuffled = rows.copy()
    random.shuffle(shuffled)
    by = ["id", "_lsn"]
    assert derive(rows).sort(by).equals(derive(shuffled).sort(by))


@given(lives(), st.integers(0, 14))
def test_folding_in_two_steps_equals_folding_at_once(changes: list[dict[str, Any]], cut: int) -> None:
    rows = [row(number, change) for number, change in enumerate(changes)]
    whole = derive(rows)
    first = derive(rows[:cut])
    later = pl.DataFrame(rows[cut:], schema=SCHEMA, orient="row").filter(pl.col("_op") != "t")
    truncates = pl.DataFrame(rows, schema=SCHEMA, orient="row").filter(pl.col("_op") == "t")
    both = pl.concat([first.select(list(SCHEMA)), later.select(list(SCHEMA))])
    again = derive_versions(both, truncates, CONTRACT)
    assert whole.sort("id", "_lsn").equals(again.sort("id", "_lsn"))


@given(lives())
def test_versions_do_not_overlap_and_leave_no_gap_while_the_key_lives(changes: list[dict[str, Any]]) -> None:
    derived = derive([row(number, change) for number, change in enumerate(changes)])
    ends = {}
    for key, versions in derived.filter("_is_version").sort("valid_from").group_by("id", maintain_order=True):
        previous = None
        for version in versions.iter_rows(named=True):
            assert version["valid_to"] is None or version["valid_from"] < version["valid_to"]
            assert previous is None or previous <= version["valid_from"]
            previous = version["valid_to"]
            ends[key[0]] = version["is_current"]
            assert version["is_current"] == (version["valid_to"] is None)
    live = set(derived.filter("_is_latest")["id"].to_list())
    assert {key for key, is_current in ends.items() if is_current} == live
