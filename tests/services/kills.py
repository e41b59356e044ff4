"""Which part of the live chain dies when: a plan from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

#: The parts that are killed; each has its turn before one has a second.
PARTS = ("connect", "kafka", "postgres", "stream")

#: Seconds of SQL in a round; a kill falls at any instant of its first part, so that writing goes on without the dead.
SQL_SECONDS, KILL_UNTIL = 4.0, 3.5


@dataclass(frozen=True)
class Kill:
    """A part killed with SIGKILL so many seconds after the round began, and begun again so many seconds later."""

    part: str
    after: float
    away: float

    def __str__(self) -> str:
        return f"{self.part}@{self.after:.3f}s+{self.away:.3f}s"


@dataclass(frozen=True)
class Round:
    """One round: its number, the seed of its SQL, and its kills in the order of their time."""

    number: int
    seed: str
    kills: tuple[Kill, ...]

    def __str__(self) -> str:
        return f"{self.number:02}-{'-'.join(map(str, self.kills))}"


def rounds(seed: int, count: int) -> list[Round]:
    """So many rounds; of a longer plan the first ones are the same."""
    chance = random.Random(seed)
    found: list[Round] = []
    turn: list[str] = []
    for number in range(count):
        turn = turn or chance.sample(PARTS, len(PARTS))
        parts = [turn.pop()]
        is_double, other = chance.random() < 0.25, chance.choice(PARTS)
        if is_double and other not in parts:
            parts.append(other)
        kills = [Kill(part, chance.uniform(0.2, KILL_UNTIL), chance.choice((0.0, 0.5, 1.5))) for part in parts]
        found.append(Round(number, f"{seed}/{number}", tuple(sorted(kills, key=lambda kill: kill.after))))
    return found
