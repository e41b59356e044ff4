"""Law 5 where keys change: a row that took another key is the same row, whatever of it was left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aura_lake.cdc.fold import derive_versions
from aura_lake.cdc.moves import family, links
from aura_lake.layouts import CHANGE, POSITION, VERSION, table_columns
from tests.changes import things

CONTRACT = things()
SCHEMA = {
    **{name: dtype for name, dtype in VERSION.items() if name in POSITION or name in CHANGE or name == "part"},
    "_is_valid": pl.Boolean(),
    "_bucket": pl.String(),
    **table_columns(CONTRACT),
}
KEYS = ("a", "b", "c", "d")


def row(op: str, lsn: int, key: str, word: str | None = None, *, leaves_out: bool = False) -> dict[str, Any]:
    return {
        **dict.fromkeys(SCHEMA),
        "part": 0,
        "_op": op,
        "_epoch": 0,
        "_lsn": lsn,
        "_is_snapshot": False,
        "_committed_at": datetime.fromtimestamp(lsn, UTC),
        "_left_out": ["word"] if leaves_out else [],
        "_is_valid": True,
        "_bucket": "00",
        "id": key,
        "word": None if leaves_out else word,
        "size": lsn if op != "d" else None,
    }


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, tuple[str, int]]]:
    """The changes of a table in any order, and what it holds in the end: key to (word, size)."""
    live: dict[str, tuple[str, int]] = {}
    sent = []
    for number in range(draw(st.integers(2, 16))):
        lsn, word, leaves_out = 10 * (number + 1), f"word {number}", draw(st.booleans())
        key = draw(st.sampled_from(KEYS))
        if key not in live:
            sent.append(row("c", lsn, key, word))
            live[key] = word, lsn
            continue
        kept = live[key][0] if leaves_out else word
        free = [other for other in KEYS if other not in live]
        what = draw(st.sampled_from(["update", "delete", "move"] if free else ["update", "delete"]))
        if what == "update":
            sent.append(row("u", lsn, key, word, leaves_out=leaves_out))
            live[key] = kept, lsn
            continue
        sent.append(row("d", lsn, key))
        del live[key]
        if what == "move":
            moved_to = draw(st.sampled_from(free))
            sent.append(row("c", lsn, moved_to, word, leaves_out=leaves_out))
            live[moved_to] = kept, lsn
    placed = [{**change, "ordinal": place} for place, change in enumerate(draw(st.permutations(sent)))]
    return placed, live


def derive(changes: pl.DataFrame, relatives: pl.DataFrame | None = None) -> pl.DataFrame:
    return derive_versions(changes, changes.clear(), CONTRACT, relatives).sort("id", "_lsn", "_op")


@given(tables())
def test_the_latest_rows_are_what_the_database_holds(table: tuple[list[Any], dict[str, Any]]) -> None:
    changes, live = table
    derived = derive(pl.DataFrame(changes, schema=SCHEMA, orient="row"))
    assert not derived["_is_held"].any()
    latest = derived.filter("_is_latest")
    assert {key: (word, size) for key, word, size in latest.select("id", "word", "size").iter_rows()} == live


@given(tables(), st.sets(st.sampled_from(KEYS), min_size=1))
def test_some_keys_with_their_relatives_are_derived_as_all_are(table: tuple[list[Any], Any], chosen: set[str]) -> None:
    changes = pl.DataFrame(table[0], schema=SCHEMA, orient="row")
    mine = changes.filter(pl.col("id").is_in(chosen))
    kin = family(mine.select("id").unique(), links(changes, ["id"]))
    relatives = changes.join(kin, on="id", how="semi")
    assert derive(mine, relatives).equals(derive(changes).filter(pl.col("id").is_in(chosen)))


@given(tables(), st.data())
def test_no_version_stands_with_a_value_that_has_not_landed(table: tuple[list[Any], Any], data: st.DataObject) -> None:
    """Every row of the database has a word: a version without one was never there."""
    landed = data.draw(st.lists(st.sampled_from(table[0]), min_size=1, unique_by=lambda change: change["ordinal"]))
    derived = derive(pl.DataFrame(landed, schema=SCHEMA, orient="row"))
    assert derived.filter("_is_version")["word"].null_count() == 0
    assert derived.filter("_is_latest")["id"].is_unique().all()
