"""Chance that is the same everywhere.

Only `random()` and `getrandbits()` of Python's Mersenne Twister are used: their streams
are promised not to change between versions, those of numpy's and of the other methods
are not. Each part of the shop draws from a stream of its own, so that more clicks do not
make other orders.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def stream(seed: int, name: str) -> Random:
    """The chance of one part of the shop."""
    return Random(f"aura:{seed}:{name}")


def below(chance: Random, limit: int) -> int:
    """A whole number from 0 to `limit` - 1."""
    return int(chance.random() * limit)


def between(chance: Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(chance.random() * (high - low + 1))


def uuid_text(chance: Random) -> str:
    """A version 4 UUID."""
    number = chance.getrandbits(128)
    text = f"{number:032x}"
    variant = "89ab"[number >> 62 & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


class Choice(Generic[T]):
    """One of several things, each with a weight."""

    def __init__(self, weighted: Sequence[tuple[T, float]]) -> None:
        self.things = tuple(thing for thing, _ in weighted)
        self._bounds = tuple(accumulate(weight for _, weight in weighted))
        self._last = len(self.things) - 1

    def draw(self, chance: Random) -> T:
        """One of the things, by its weight."""
        return self.at(chance.random())

    def at(self, share: float) -> T:
        """The thing that stands at `share` (0 to 1) of all weights."""
        return self.things[min(bisect(self._bounds, share * self._bounds[-1]), self._last)]
