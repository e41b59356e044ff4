"""Arrival does not matter (law 4), for made-up changes with everything that can go wrong with them at once.

Objects of change events of a few keys: unchanged TOAST values, reads without an LSN, truncates, bad values,
redeliveries at other positions, deletes before creates, a creation time that only some changes tell. They
land in one run, and again in several runs in any order. Nothing that people see may differ.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.ledger.count import count
from aura_lake.steps.rebuild import rebuild
from tests.changes import change, column, things
from tests.small_lake import SmallLake

PLACEHOLDER = "__debezium_unavailable_value"
KEYS = "abcdefgh"


def contract(*, by_period: bool) -> Contract:
    """Things with a creation time, by which their state is partitioned, or not."""
    plain = things()
    born = column("born_at", pl.Datetime("us", "UTC"), "timestamp", physical_type="timestamp(6)")
    return replace(plain, columns=(*plain.columns, born), period="born_at" if by_period else None)


@dataclass(frozen=True)
class Delivery:
    """Objects by name, each some records."""

    objects: dict[str, list[dict[str, Any] | bytes | None]]


def life(chance: random.Random, *, truncates: bool) -> Delivery:
    """Sixty changes, some of them twice, over nine objects."""
    born = {key: 86_400_000_000 * chance.randrange(1, 6) for key in KEYS}
    records: list[dict[str, Any] | bytes | None] = []
    for lsn in range(10, 610, 10):
        key = chance.choice(KEYS)
        kind = chance.choices("cudrntb", (8, 20, 6, 4, 6, 1 if truncates else 0, 3))[0]
        records.append(one(chance, kind, lsn, key, born[key]))
        if kind == "d":
            records.append(None)
    changes = [record for record in records if isinstance(record, dict)]
    again = chance.sample(changes, 12)
    spread: list[list[dict[str, Any] | bytes | None]] = [[] for _ in range(9)]
    for place, record in enumerate(records):
        drift = chance.choice((0, 0, 0, 1, -1, 4))
        spread[max(0, min(8, place * 9 // len(records) + drift))].append(record)
    for record in again:
        spread[chance.randrange(9)].append(record)
    return Delivery({f"{number:02}.jsonl": lines for number, lines in enumerate(spread) if lines})


def one(chance: random.Random, kind: str, lsn: int, key: str, born: int) -> dict[str, Any] | bytes:
    word, size = chance.choice(["x", "y", "z", None]), chance.randrange(3)
    at = lsn // chance.choice((1, 10, 30))  # commit times repeat, and do not always rise
    if kind == "t":
        return change("t", lsn, None, at=at)
    if kind == "b":
        bad = change("u", lsn, key, word, at=at)
        bad["after"] |= {"size": "many", "born_at": born}
        return bad
    if kind == "n":  # a read of an incremental snapshot
        made = change("r", None, key, word, size, at=at, snapshot=True)
    else:
        made = change(kind if kind != "r" else "r", lsn, key, word, size, at=at, snapshot=kind == "r")
    image = made["before" if kind == "d" else "after"]
    image["born_at"] = born
    if kind == "d":
        made["before"] = {"id": key}
    elif kind == "u" and chance.random() < 0.4:
        image["word"] = PLACEHOLDER
    elif kind == "u" and chance.random() < 0.1:
        del image["born_at"]
    return made


def deliver(folder: Path, table: Contract, runs: list[list[str]], delivery: Delivery) -> SmallLake:
    """A lake that has read the objects of one run after the other."""
    lake = SmallLake(folder, table)
    for run in runs:
        for name in run:
            lake.put(name, *delivery.objects[name], modified_at=1_000_000 + int(name[:2]))
        lake.run()
    return lake


def shown(lake: SmallLake) -> dict[str, pl.DataFrame]:
    """What people see of the table, and what waits."""
    columns = list(lake.lake.table("things").collect_schema().names())
    history = lake.lake.history(lake.contract).scan()
    current = lake.lake.current(lake.contract).scan().select(*columns, "_has_newer_in_quarantine")
    versions = history.filter("_is_version").select(*columns, "valid_from", "valid_to", "is_current")
    held = history.filter("_is_held").select("id", "_lsn", "_op")
    verdicts = lake.log().group_by("verdict", "reason", pl.col("broken_rules").list.join("+")).len()
    frames = {
        "current": current.collect(),
        "versions": versions.collect(),
        "held": held.collect(),
        "verdicts": verdicts,
    }
    return {name: frame.sort(pl.all(), nulls_last=False) for name, frame in frames.items()}


def assert_arrival_does_not_matter(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    table = contract(by_period=seed % 2 == 0)
    delivery = life(chance, truncates=seed % 3 == 0)
    names = sorted(delivery.objects)
    wanted = shown(deliver(tmp_path / "at-once", table, [names], delivery))
    for attempt in range(2):
        shuffled = chance.sample(names, len(names))
        cuts = sorted(chance.sample(range(1, len(names)), min(3, len(names) - 1)))
        runs = [shuffled[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(names)], strict=True)]
        lake = deliver(tmp_path / f"in-pieces-{attempt}", table, runs, delivery)
        seen = shown(lake)
        for name, frame in wanted.items():
            try:
                assert_frame_equal(seen[name], frame)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, runs {runs}: {name}: {error}") from error
        assert count(lake.lake).problems() == [], (seed, runs)
    assert rebuild(lake.lake, table).equal, (seed, runs)


@pytest.mark.parametrize("seed", range(3))
def test_changes_in_any_order_and_in_pieces_end_in_the_same_rows(tmp_path: Path, seed: int) -> None:
    assert_arrival_does_not_matter(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_changes_in_any_order_and_in_pieces_end_in_the_same_rows_for_many_lives(tmp_path: Path, block: int) -> None:
    for seed in range(100 + block * 20, 120 + block * 20):
        assert_arrival_does_not_matter(tmp_path / str(seed), seed)


def test_made_up_lives_hold_everything_they_speak_of(tmp_path: Path) -> None:
    delivery = life(random.Random(0), truncates=True)
    text = json.dumps(delivery.objects)
    assert all(part in text for part in (PLACEHOLDER, '"op": "t"', '"op": "d"', '"lsn": null', '"many"', "null,"))
    assert Kind.CDC is contract(by_period=True).kind
