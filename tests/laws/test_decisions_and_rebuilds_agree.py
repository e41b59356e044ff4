"""Laws 2 and 7 with decisions in between: whatever is replayed, discarded, taken back, or judged by another contract,
in whatever order, the table equals one rebuilt from bronze, verdict by verdict, and the ledger balances."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Contract, Kind, RowRule, Severity
from aura_lake.ledger.count import count
from aura_lake.steps.replay import Chosen, apply, decide_discard, decide_replay
from tests.changes import change, column, things
from tests.small_lake import SmallLake

KINDS = ("changes", "changes by period", "events", "elements", "rows")
RULES = (
    (),
    (RowRule("size_is_right", "size > 0"),),
    (RowRule("size_is_right", "size < 5"),),
    (RowRule("size_is_right", "size > 2", Severity.WARN),),
)


def contracts(kind: str) -> list[Contract]:
    """What the table's file says at one time or another."""
    base = things()
    if kind == "changes by period":
        made_at = column("made_at", pl.Datetime("us", "UTC"), "timestamp")
        base = replace(base, columns=(*base.columns, made_at), period="made_at")
    elif kind == "rows":
        base = replace(base, kind=Kind.ROWS)
    elif kind in ("events", "elements"):
        first = replace(base.columns[0], key_position=None)
        array = "lines" if kind == "elements" else None
        base = replace(base, kind=Kind.EVENTS, columns=(first, *base.columns[1:]), event_id=("id",), array=array)
    key, word, *more = base.columns
    others = [
        replace(base, filter="word <> 'w1'"),
        replace(base, columns=(key, replace(word, transform="upper(word)"), *more)),
        replace(base, columns=(replace(key, transform="id || 'x'"), word, *more)),
        replace(base, columns=(*base.columns, column("extra"))),
    ]
    return [*(replace(base, row_rules=rules) for rules in RULES), *others]


def record(kind: str, chance: random.Random) -> Any:
    """A record whose content is told by its identity, so that a redelivery says the same."""
    if chance.random() < 0.1:
        return b"{oops"
    number = chance.randrange(1, 60)
    size: Any = (number * 7) % 11 - 2 if number % 13 else "many"
    if kind.startswith("changes"):
        op = "t" if chance.random() < 0.03 else chance.choice("cuud")
        told = change(
            op, number * 4 + "cudt".index(op), None if op == "t" else f"k{number % 5}", f"w{number % 4}", size
        )
        for image in filter(None, (told["before"], told["after"])):
            image["made_at"] = f"2026-01-0{number % 5 % 3 + 1}T00:00:00Z"
        return told
    if kind == "elements":
        return {"lines": [element(chance.randrange(25)) for _ in range(chance.randrange(4))]}
    return element(number % 25) | ({"id": f"k{chance.randrange(4)}"} if kind == "rows" else {})


def element(number: int) -> dict[str, Any]:
    return {"id": f"i{number}", "word": f"w{number % 4}", "size": (number * 7) % 11 - 2 if number % 6 else "many"}


class History:
    """Things that happen to a table, by chance."""

    def __init__(self, folder: Path, kind: str, seed: int) -> None:
        self._kind, self._chance, self._objects = kind, random.Random(seed), 0
        self._contracts = contracts(kind)
        self.lake = SmallLake(folder, self._chance.choice(self._contracts))
        self.arrive()

    def arrive(self) -> None:
        self._objects += 1
        values = [record(self._kind, self._chance) for _ in range(self._chance.randrange(1, 12))]
        self.lake.arrive(f"{self._objects}.jsonl", *values, modified_at=self._objects * 100)

    def write_an_object_again(self) -> None:
        if not self._kind.startswith("changes"):
            name = f"{self._chance.randrange(1, self._objects + 1)}.jsonl"
            values = [record(self._kind, self._chance) for _ in range(5)]
            self.lake.arrive(name, *values, modified_at=10_000 + self._chance.randrange(1000))

    def change_the_contract(self) -> None:
        self.lake = self.lake.under(self._chance.choice(self._contracts))
        if self._chance.random() < 0.7:
            self.lake.run()

    def replay(self) -> None:
        rule = self._chance.choice([None, "size_is_right"])
        decide_replay(self.lake.lake, Chosen(self.lake.contract, rule), who="ann")
        self._carry_out_sometimes()

    def discard(self) -> None:
        for place in self._places("quarantined"):
            decide_discard(self.lake.lake, Chosen(self.lake.contract, None, (place,)), who="ann", why="by chance")
        self._carry_out_sometimes()

    def take_back(self) -> None:
        for place in self._places("discarded"):
            decide_replay(self.lake.lake, Chosen(self.lake.contract, None, (place,)), who="ann")
        self._carry_out_sometimes()

    def _places(self, verdict: str) -> list[str]:
        """A place with that verdict; none where there is none."""
        self.lake.run()
        found = self.lake.log().filter(pl.col("verdict") == verdict).select("object", "ordinal").rows()
        return [f"{name}#{ordinal}" for name, ordinal in self._chance.sample(found, min(1, len(found)))]

    def _carry_out_sometimes(self) -> None:
        if self._chance.random() < 0.6:
            apply(self.lake.lake, self.lake.contract)

    def happen(self) -> None:
        """One of these things."""
        every = (self.arrive, self.arrive, self.write_an_object_again, self.change_the_contract)
        self._chance.choice((*every, self.replay, self.discard, self.take_back))()


def agree(folder: Path, kind: str, seed: int) -> None:
    history = History(folder, kind, seed)
    for _ in range(4 + seed % 5):
        history.happen()
    lake = history.lake.run()
    assert count(lake.lake).problems() == []
    grown = (lake.verdicts(), lake.broken_rules(), lake.warnings(), lake.rows())
    assert lake.rebuild_is_equal()
    assert (lake.verdicts(), lake.broken_rules(), lake.warnings(), lake.rows()) == grown
    assert count(lake.lake).problems() == []


@pytest.mark.parametrize("kind", KINDS)
def test_decisions_in_any_order_leave_what_a_rebuild_makes(tmp_path: Path, kind: str) -> None:
    agree(tmp_path, kind, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("kind", KINDS)
def test_decisions_in_any_order_leave_what_a_rebuild_makes_many_times(tmp_path: Path, kind: str, seed: int) -> None:
    agree(tmp_path, kind, seed)
