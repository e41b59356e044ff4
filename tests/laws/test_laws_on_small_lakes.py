"""Laws 2, 3, 4 and 7 on real Delta tables: the same files in other runs and another order, and every step twice."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.ledger.count import count
from tests.changes import change, column, things
from tests.small_lake import SmallLake

LEFT = "__debezium_unavailable_value"

KEYS = ("a", "b", "c", "d")

#: Sizes above 8 break a rule, so that some changes wait in quarantine.
SIZE = replace(things().columns[2], allowed_values=tuple("012345678"))
MADE_ON = column("made_on", pl.Date(), "date")
CHANGES = things(columns=(*things().columns[:2], SIZE, MADE_ON))
CHANGES_BY_DAY = replace(CHANGES, period="made_on")

EVENTS = Contract(
    table="things",
    kind=Kind.EVENTS,
    feed="things",
    columns=(column("id"), column("word", required=True)),
    event_id=("id",),
)

ROWS = replace(
    EVENTS, kind=Kind.ROWS, columns=(column("id", key_position=1), column("word", required=True)), event_id=()
)


@dataclass(frozen=True)
class Seen:
    """What must not depend on arrival."""

    rows: list[tuple[Any, ...]]
    history: list[tuple[Any, ...]]
    held: list[tuple[Any, ...]]
    verdicts: dict[str, int]
    balanced: bool


def look_at(lake: SmallLake) -> Seen:
    folded = lake.contract.kind is not Kind.EVENTS
    return Seen(
        rows=lake.rows(),
        history=lake.history() if folded else [],
        held=lake.held() if folded else [],
        verdicts=lake.verdicts(),
        balanced=count(lake.lake).balanced,
    )


@st.composite
def change_files(draw: st.DrawFn) -> list[list[dict[str, Any] | bytes | None]]:
    """What a small table did, as a connector sends it into a few files: key changes, values left out, deletes,
    truncates, reads without an LSN, rows that break a rule, redeliveries, tombstones and broken bytes among them."""
    sent: list[dict[str, Any] | bytes | None] = []
    live: dict[str, str] = {}  # each key and the day it was made

    def tell(op: str, lsn: int | None, key: str, word: str) -> None:
        envelope = change(op, lsn, key, word, draw(st.integers(0, 9)), at=number)
        envelope["after"]["made_on"] = live[key]
        sent.append(envelope)

    for number in range(1, draw(st.integers(4, 13))):
        lsn, word, key = 10 * number, f"word {number}", draw(st.sampled_from(KEYS))
        if draw(st.integers(0, 11)) == 0:
            sent.append(change("t", lsn, None, at=number))
            live.clear()
        elif key not in live:
            live[key] = f"2026-01-{number:02}"
            tell(draw(st.sampled_from("cr")), lsn, key, word)
        else:
            what = draw(st.sampled_from(["update", "read", "left out", "left out", "delete", "move"]))
            if what == "read":
                tell("r", None, key, word)
            elif what in ("update", "left out"):
                tell("u", lsn, key, LEFT if what == "left out" else word)
            else:
                sent.extend([change("d", lsn, key, at=number), None])
                day = live.pop(key)
                free = [other for other in KEYS if other not in live and other != key]
                if what == "move" and free:
                    moved_to = draw(st.sampled_from(free))
                    live[moved_to] = day
                    tell("c", lsn, moved_to, draw(st.sampled_from([LEFT, word])))
    again = draw(st.lists(st.sampled_from(sent), max_size=3))
    sent.extend([*again, *draw(st.lists(st.sampled_from([b"{broken", b'{"op":"c"}']), max_size=1))])
    files: list[list[dict[str, Any] | bytes | None]] = [[] for _ in range(draw(st.integers(2, 4)))]
    for value in draw(st.permutations(sent)):
        files[draw(st.integers(0, len(files) - 1))].append(value)
    return [file for file in files if file]


def arrive_in_runs(
    contract: Contract, files: Sequence[Sequence[Any]], order: Sequence[int], runs_end_at: set[int], folder: Path
) -> SmallLake:
    """The files in this order; after those at the places of `runs_end_at`, and after the last, a run."""
    lake = SmallLake(folder, contract)
    for place, number in enumerate(order):
        lake.put(f"{number}.jsonl", *files[number])
        if place in runs_end_at or place == len(order) - 1:
            lake.run()
    return lake


def check_changes(contract: Contract, files: list[list[Any]], order: Sequence[int], runs_end_at: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = arrive_in_runs(contract, files, range(len(files)), set(), Path(folder) / "whole")
        cut = arrive_in_runs(contract, files, order, runs_end_at, Path(folder) / "cut")
        seen = look_at(whole)
        assert seen.balanced
        assert look_at(cut) == seen, "law 4: arrival does not matter"
        records = {json.dumps(file, default=repr): len(file) for file in files}
        assert sum(seen.verdicts.values()) == sum(records.values()), "law 2: every record has its verdict"
        standing = versions_of(cut)
        cut.run()
        assert versions_of(cut) == standing, "law 3: a step without anything new writes nothing"
        assert cut.rebuild_is_equal(), "law 7: a table rebuilt from bronze is the table grown"
        assert look_at(cut) == seen


def versions_of(lake: SmallLake) -> list[int]:
    opened, contract = lake.lake, lake.contract
    tables = [opened.bronze(contract.feed), opened.log(contract), opened.history(contract), opened.current(contract)]
    return [table.version for table in tables]


ARRIVALS = change_files().flatmap(
    lambda files: st.tuples(st.just(files), st.permutations(range(len(files))), st.sets(st.integers(0, len(files) - 1)))
)


BY_HASH_OR_DAY = pytest.mark.parametrize("contract", [CHANGES, CHANGES_BY_DAY], ids=["by hash", "by day"])


@BY_HASH_OR_DAY
@settings(max_examples=2)
@given(ARRIVALS)
def test_changes_in_other_runs_and_another_order_end_in_the_same_table(
    contract: Contract, arrival: tuple[Any, Any, Any]
) -> None:
    check_changes(contract, *arrival)


@pytest.mark.slow
@BY_HASH_OR_DAY
@settings(max_examples=60)
@given(ARRIVALS)
def test_changes_in_many_other_runs_and_orders_end_in_the_same_table(
    contract: Contract, arrival: tuple[Any, Any, Any]
) -> None:
    check_changes(contract, *arrival)


@dataclass(frozen=True)
class Upload:
    """One version of an object: the later `at`, the newer."""

    name: str
    at: int
    ids: tuple[str, ...]


@st.composite
def uploads(draw: st.DrawFn) -> list[Upload]:
    """Objects that are written again: with other records, with none of the old ones, with the old bytes."""
    found = []
    for at in range(1, draw(st.integers(2, 5)) + 1):
        ids = draw(st.lists(st.sampled_from(["1", "2", "3", "bad"]), min_size=1, max_size=3))
        found.append(Upload(draw(st.sampled_from(["a", "b"])), 100 * at, tuple(ids)))
    return found


def upload(contract: Contract, order: Sequence[Upload], folder: Path) -> SmallLake:
    lake = SmallLake(folder, contract)
    for version in order:
        records = [{"id": id_, "word": None if id_ == "bad" else f"word {id_}"} for id_ in version.ids]
        lake.arrive(f"{version.name}.jsonl", *records, modified_at=version.at)
    return lake


def check_uploads(contract: Contract, first: list[Upload], second: list[Upload]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = upload(contract, first, Path(folder) / "1"), upload(contract, second, Path(folder) / "2")
        seen = look_at(one)
        assert seen.balanced
        assert look_at(other) == seen, "law 4: the version last modified counts, whatever came first"
        newest = {version.name: version.ids for version in sorted(first, key=lambda version: version.at)}
        ids = {id_ for content in newest.values() for id_ in content if id_ != "bad"}
        assert sorted(row[0] for row in seen.rows) == sorted(ids)
        assert one.rebuild_is_equal(), "law 7: a table rebuilt from bronze is the table grown"
        assert look_at(one) == seen


UPLOADS = uploads().flatmap(lambda found: st.tuples(st.permutations(found), st.permutations(found)))


@pytest.mark.parametrize("contract", [EVENTS, ROWS], ids=["events", "rows"])
@settings(max_examples=2)
@given(UPLOADS)
def test_objects_written_again_in_any_order_end_in_the_same_table(contract: Contract, orders: tuple[Any, Any]) -> None:
    check_uploads(contract, *orders)


@pytest.mark.slow
@pytest.mark.parametrize("contract", [EVENTS, ROWS], ids=["events", "rows"])
@settings(max_examples=60)
@given(UPLOADS)
def test_objects_written_again_in_many_orders_end_in_the_same_table(
    contract: Contract, orders: tuple[Any, Any]
) -> None:
    check_uploads(contract, *orders)
