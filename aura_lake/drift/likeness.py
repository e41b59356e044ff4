"""How likely two fields are the same thing, from their values: odds, each with the figure it came from.

Every measure is held against the field itself: what its own records of one half say of those of the other half is
the most that another field can be expected to say. So a field whose values never come twice tells little by their
overlap, and nothing has to be known of names or of the shop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from aura_lake.drift.shapes import TELLING, moment
from aura_lake.drift.window import Cell

#: Fewer values than this say nothing about overlap or distribution.
FEW = 12

#: Evidence of one kind counts at most so much, for and against.
MOST, LEAST = 60.0, 0.02

#: A field rises with the records where so many of its values are at least the one before.
RISING = 0.8

#: A field is a set of words where it has at most so many.
WORDS = 60


@dataclass
class Likeness:
    """`odds`: how many times likelier the values are if it is the same field than if it is another. `measures`: the
    figures by name. `is_seen`: whether anything but missing contradiction speaks for it."""

    odds: float = 1.0
    measures: dict[str, float] = field(default_factory=dict)
    is_seen: bool = False

    def weigh(self, factor: float, name: str | None = None, figure: float | None = None) -> None:
        """Count one piece of evidence, and keep its figure."""
        self.odds *= min(MOST, max(LEAST, factor))
        self.is_seen = self.is_seen or factor >= 3
        if name is not None and figure is not None:
            self.measures[name] = round(figure, 3)


def likeness(
    old: Mapping[int, Cell],
    new: Mapping[int, Cell],
    contexts: Mapping[str, Mapping[int, Cell]],
) -> Likeness:
    """How much the values of a field after are like those of another before.

    In: cells by record; `contexts`: those of fields that did not change.
    """
    was = [cell for _, cell in sorted(old.items()) if not cell.is_null]
    now = [cell for _, cell in sorted(new.items()) if not cell.is_null]
    found = Likeness()
    if not was or not now:
        return found
    _weigh_shapes(found, was, now)
    if len(was) >= FEW and len(now) >= FEW:
        _weigh_overlap(found, was, now)
        _weigh_numbers(found, was, now)
        _weigh_order(found, was, now)
        _weigh_contexts(found, old, new, contexts)
    return found


def shares(values: Sequence[Hashable]) -> dict[Hashable, float]:
    """How often each value stands, as a share."""
    return {value: count / len(values) for value, count in Counter(values).items()}


def common(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """The share that two lists of values have in common: 1 less the total variation distance."""
    if not one or not other:
        return 0.0
    left, right = shares(one), shares(other)
    return sum(min(share, right.get(value, 0.0)) for value, share in left.items())


def overlap(values: Sequence[Hashable], known: Collection[Hashable]) -> float:
    """The share of values that are among the known ones."""
    return sum(value in known for value in values) / len(values) if values else 0.0


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The Kolmogorov–Smirnov distance of two samples."""
    left, right = sorted(one), sorted(other)
    at = below = 0
    most = 0.0
    for number in sorted({*left, *right}):
        while at < len(left) and left[at] <= number:
            at += 1
        while below < len(right) and right[below] <= number:
            below += 1
        most = max(most, abs(at / len(left) - below / len(right)))
    return most


def halves(cells: Sequence[Cell]) -> tuple[Sequence[Cell], Sequence[Cell]]:
    """The first and the second half."""
    middle = len(cells) // 2
    return cells[:middle], cells[middle:]


def _weigh_shapes(found: Likeness, was: Sequence[Cell], now: Sequence[Cell]) -> None:
    first, second = halves(was)
    at_best = common([c.shape for c in first], [c.shape for c in second]) if len(was) >= FEW else 1.0
    figure = min(1.0, common([c.shape for c in was], [c.shape for c in now]) / max(at_best, 0.2))
    telling = sum(share for name, share in shares([c.shape for c in now]).items() if str(name).split(":")[0] in TELLING)
    numeric = sum(c.number is not None for c in now) / len(now)
    factor = (4.0 if telling > 0.5 else 3.0 if numeric > 0.5 else 2.0) if figure >= 0.8 else 1.0
    if figure < 0.5:
        factor = 0.02 if figure < 0.1 else 0.25
    found.weigh(factor, "shapes_alike", figure)


def _weigh_overlap(found: Likeness, was: Sequence[Cell], now: Sequence[Cell]) -> None:
    first, second = halves(was)
    own = overlap([c.value for c in second], {c.value for c in first})
    known = {c.value for c in was}
    near = now[: max(len(second), FEW)]
    figure = overlap([c.value for c in near], known)
    distinct = min(len(known), len({c.value for c in now}))
    found.measures["value_overlap"] = round(figure, 3)
    found.measures["own_overlap"] = round(own, 3)
    if own < 0.15:
        factor = 12.0 if figure > 0.03 and distinct >= 20 else 1.0
        spread_was = len({c.value for c in second}) / len(second)
        spread_now = len({c.value for c in near}) / len(near)
        factor *= 1.5 if abs(spread_was - spread_now) <= 0.1 else 0.1 if abs(spread_was - spread_now) > 0.35 else 1.0
    else:
        ratio = min(1.0, figure / own)
        if ratio >= 0.6:
            factor = 40.0 if distinct >= 20 else 25.0 if distinct >= 6 else 10.0 if distinct >= 3 else 3.0
            if distinct == 1:
                factor = 6.0 if not now[0].shape.startswith(("int", "bool", "dec")) else 2.0
        else:
            factor = 3.0 if ratio >= 0.3 and distinct >= 20 else 1.0 if ratio >= 0.1 else 0.05
        if ratio >= 0.3 and len(known) <= WORDS:
            factor *= _weigh_words(found, first, second, was, now)
    found.weigh(factor)


def _weigh_words(
    found: Likeness, first: Sequence[Cell], second: Sequence[Cell], was: Sequence[Cell], now: Sequence[Cell]
) -> float:
    """Fields with few values have them in their own shares."""
    at_best = common([c.value for c in first], [c.value for c in second])
    figure = common([c.value for c in was], [c.value for c in now])
    found.measures["shares_alike"] = round(figure, 3)
    short = at_best - figure
    return 1.0 if short <= 0.2 else 0.5 if short <= 0.35 else 0.08


def _weigh_numbers(found: Likeness, was: Sequence[Cell], now: Sequence[Cell]) -> None:
    numbers_was = [c.number for c in was if c.number is not None]
    numbers_now = [c.number for c in now if c.number is not None]
    if min(len(numbers_was) / len(was), len(numbers_now) / len(now)) < 0.8 or len(set(numbers_was)) < 15:
        return
    middle = len(numbers_was) // 2
    own = distance(numbers_was[:middle], numbers_was[middle:])
    figure = distance(numbers_was, numbers_now)
    further = figure - own
    factor = 5.0 if further <= 0.12 else 1.0 if further <= 0.3 else 0.1 if further <= 0.6 else 0.02
    found.weigh(factor, "distribution_distance", figure)


def _weigh_order(found: Likeness, was: Sequence[Cell], now: Sequence[Cell]) -> None:
    """Times and counters that rise with the records go on where they stood."""
    old, new = _rising(was), _rising(now)
    if old is None or new is None:
        return
    span = max(old) - min(old)
    gap = min(new) - max(old)
    goes_on = span > 0 and -span / 4 <= gap <= span / 4 and max(new) > max(old)
    found.weigh(8.0 if goes_on else 0.3, "goes_on_where_it_stood", round(gap / span, 3) if span else 0.0)


def _rising(cells: Sequence[Cell]) -> list[float] | None:
    """The times or numbers of some values, where nearly each is at least the one before; without the outermost
    ones, since records come late."""
    told = [cell.number if cell.number is not None else moment(cell.text or "") for cell in cells]
    numbers = [number for number in told if number is not None]
    if len(numbers) < 0.95 * len(cells) or len(set(numbers)) < len(numbers) / 20:
        return None
    if sum(later >= earlier for earlier, later in pairwise(numbers)) < RISING * (len(numbers) - 1):
        return None
    aside = len(numbers) // 50
    ordered = sorted(numbers)
    return ordered[aside : len(ordered) - aside]


def _weigh_contexts(
    found: Likeness,
    old: Mapping[int, Cell],
    new: Mapping[int, Cell],
    contexts: Mapping[str, Mapping[int, Cell]],
) -> None:
    """Values that go with those of other fields: the brand of a product, the city of a user."""
    best: tuple[float, float] | None = None
    for beside_it in contexts.values():
        pairs = [(cell.value, beside_it[row].value) for row, cell in sorted(old.items()) if row in beside_it]
        pairs = [(value, beside) for value, beside in pairs if value is not None and beside is not None]
        middle = len(pairs) // 2
        own, by_chance, told = _agreement(pairs[:middle], pairs[middle:])
        if told < FEW or own - by_chance < 0.2 or (best is not None and own - by_chance <= best[0]):
            continue
        fresh = [(cell.value, beside_it[row].value) for row, cell in sorted(new.items()) if row in beside_it]
        fresh = [(value, beside) for value, beside in fresh if value is not None and beside is not None]
        agrees, _, told = _agreement(pairs, fresh)
        if told >= FEW:
            best = own - by_chance, (agrees - by_chance) / (own - by_chance)
    if best is not None:
        figure = max(-1.0, min(1.0, best[1]))
        factor = 15.0 if figure >= 0.6 else 3.0 if figure >= 0.35 else 1.0 if figure >= 0.12 else 0.05
        found.weigh(factor, "goes_with_others", figure)


def _agreement(
    known: Sequence[tuple[Hashable, Hashable]], pairs: Sequence[tuple[Hashable, Hashable]]
) -> tuple[float, float, int]:
    """Of pairs whose second half is known: the share whose first half was seen with it; the same with the first
    halves shifted against the second, which is chance; and how many they are."""
    beside: dict[Hashable, set[Hashable]] = {}
    for value, other in known:
        beside.setdefault(other, set()).add(value)
    told = [(value, other) for value, other in pairs if other in beside]
    if not told:
        return 0.0, 0.0, 0
    agrees = sum(value in beside[other] for value, other in told) / len(told)
    shift = max(1, len(told) // 2)
    chance = sum(told[at - shift][0] in beside[other] for at, (_, other) in enumerate(told)) / len(told)
    return agrees, chance, len(told)
