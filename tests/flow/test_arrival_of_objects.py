"""Arrival does not matter (law 4) for events and rows: objects rewritten, restored and copied in any order.

Of the versions of one name the last modified is live, whenever it is seen; an event told in several objects
is valid once; a byte-equal copy keeps its content alive under another name.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.ledger.count import count
from aura_lake.steps.rebuild import rebuild
from tests.changes import column
from tests.small_lake import SmallLake

COLUMNS = (column("word"), column("at", pl.Datetime("us", "UTC"), "timestamp"))
EVENTS = Contract("clicks", Kind.EVENTS, "clicks", (column("id"), *COLUMNS), event_id=("id",), event_time="at")
ROWS = Contract("prices", Kind.ROWS, "prices", (column("id", key_position=1), *COLUMNS), ordering="at")


@dataclass(frozen=True)
class Version:
    """One version of one object."""

    name: str
    modified_at: int
    records: tuple[Any, ...]


def record(chance: random.Random, kind: Kind) -> dict[str, str] | bytes:
    """An event or row; an id always tells the same, as a true redelivery does."""
    number = chance.randrange(30)
    if number == 0:
        return b'{"id": "cut'
    day, word = 1 + number % 4, f"w{number % 7}"
    if kind is Kind.ROWS:
        moment = chance.randrange(8)
        return {"id": f"k{number % 9}", "word": f"w{moment}", "at": f"2024-01-{1 + moment:02}T0{number % 9}:00:00Z"}
    at = "soon" if number == 1 else f"2024-01-{day:02}T00:00:{number:02}Z"
    return {"id": f"e{number}", "word": word, "at": at}


def made_up(chance: random.Random, kind: Kind) -> list[Version]:
    """Five names with one to three versions each; some hold what another holds or held."""
    versions: list[Version] = []
    clock = 1_000_000
    for number in range(5):
        for _ in range(chance.choice((1, 1, 2, 3))):
            clock += 1
            records = tuple(record(chance, kind) for _ in range(chance.randrange(1, 8)))
            if versions and chance.random() < 0.3:
                records = chance.choice(versions).records
            versions.append(Version(f"{number}.jsonl", clock + chance.randrange(50) * 100, records))
    return versions


def seen_in(folder: Path, contract: Contract, runs: list[list[Version]]) -> SmallLake:
    lake = SmallLake(folder, contract)
    for run in runs:
        for version in run:
            lake.put(version.name, *version.records, modified_at=version.modified_at)
        lake.run()
    return lake


def shown(lake: SmallLake) -> dict[str, pl.DataFrame]:
    rows = lake.lake.table(lake.contract.table).collect()
    verdicts = lake.log().group_by("verdict", pl.col("broken_rules").list.join("+")).len()
    frames = {"rows": rows, "verdicts": verdicts}
    if lake.contract.kind is Kind.ROWS:
        history = lake.lake.history(lake.contract).scan().filter("_is_version")
        frames["versions"] = history.select(*rows.columns, "valid_from", "valid_to", "is_current").collect()
    return {name: frame.sort(pl.all(), nulls_last=False) for name, frame in frames.items()}


def assert_arrival_does_not_matter(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    contract = (EVENTS, ROWS)[seed % 2]
    versions = made_up(chance, contract.kind)
    in_order = [[version] for version in sorted(versions, key=lambda version: version.modified_at)]
    wanted = shown(seen_in(folder / "in-order", contract, in_order))
    for attempt in range(2):
        shuffled = chance.sample(versions, len(versions))
        runs: list[list[Version]] = [[]]
        for version in shuffled:  # a name has one version at a time
            if any(other.name == version.name for other in runs[-1]) or chance.random() < 0.3:
                runs.append([])
            runs[-1].append(version)
        lake = seen_in(folder / f"shuffled-{attempt}", contract, runs)
        told = [[(version.name, version.modified_at) for version in run] for run in runs]
        for name, frame in shown(lake).items():
            try:
                assert_frame_equal(frame, wanted[name])
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, runs {told}: {name}: {error}") from error
        assert count(lake.lake).problems() == [], (seed, told)
    assert rebuild(lake.lake, contract).equal, seed
    for name, frame in shown(lake).items():
        assert_frame_equal(frame, wanted[name])


@pytest.mark.parametrize("seed", range(3))
def test_versions_and_copies_in_any_order_end_in_the_same_rows(tmp_path: Path, seed: int) -> None:
    assert_arrival_does_not_matter(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_versions_and_copies_in_any_order_end_in_the_same_rows_for_many_folders(tmp_path: Path, block: int) -> None:
    for seed in range(100 + block * 20, 120 + block * 20):
        assert_arrival_does_not_matter(tmp_path / str(seed), seed)
