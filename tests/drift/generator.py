"""Random drifts, as a producer would make them: it changes the rows and says what it did.

It shares no code with the detector, and knows nothing of contracts: it is told the rows and which fields it may
touch, and draws everything else from its seed.
"""

from __future__ import annotations

import copy
import random
import string
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

KINDS = ("rename", "swap", "retype", "new", "dropped", "nested", "two")


@dataclass(frozen=True)
class Change:
    """One thing done to the rows: what, to which field, and what became of it."""

    kind: str
    field: str
    became: str = ""
    how: str = ""


@dataclass(frozen=True)
class Drift:
    """Rows of which those from number `since` on are changed."""

    kind: str
    rows: list[Row]
    since: int
    changes: tuple[Change, ...]


def drift(kind: str, rows: Sequence[Row], fields: Sequence[str], seed: int, *, has_types: bool = True) -> Drift:
    """A drift of a kind over copies of `rows`; `fields`: those that may be touched. Raises Impossible where the rows
    have no field for it. Without types (CSV) every value is text, nothing is nested, and no list is made."""
    made = _drift(kind, rows, fields, seed, has_types)
    if has_types:
        return made
    if any(isinstance(value, (dict, list)) for row in made.rows for value in row.values()):
        raise Impossible
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in made.rows]
    return Drift(made.kind, texts, made.since, made.changes)


def _drift(kind: str, rows: Sequence[Row], fields: Sequence[str], seed: int, has_types: bool) -> Drift:
    dice = random.Random(f"{kind}/{seed}")
    since = int(len(rows) * dice.uniform(0.35, 0.7))
    changed = [copy.deepcopy(row) for row in rows]
    told = [name for name in fields if sum(row.get(name) is not None for row in rows) > len(rows) / 3]
    if not told:
        raise Impossible
    if kind == "two":
        several = ("rename", "retype", "new", "dropped", "nested") if has_types else ("rename", "new", "dropped")
        first, second = (dice.choice(several) for _ in range(2))
        one = _CHANGES[first](changed, since, told, dice)
        left = [name for name in told if name not in (one.field, one.became)]
        return Drift(kind, changed, since, (one, _CHANGES[second](changed, since, left, dice)))
    return Drift(kind, changed, since, (_CHANGES[kind](changed, since, told, dice),))


class Impossible(Exception):
    """No field of these rows can drift so."""


def _rename(rows: list[Row], since: int, fields: Sequence[str], dice: random.Random) -> Change:
    field = _pick(fields, dice)
    new = _new_name(field, rows, dice)
    for row in rows[since:]:
        if field in row:
            row[new] = row.pop(field)
    return Change("rename", field, new)


def _nested(rows: list[Row], since: int, fields: Sequence[str], dice: random.Random) -> Change:
    field = _pick(fields, dice)
    parent = dice.choice(("context", "payload_v2", "data", "attributes", "meta", "details"))
    leaf = field if dice.random() < 0.5 else _new_name(field, rows, dice)
    for row in rows[since:]:
        if field in row:
            row.setdefault(parent, {})[leaf] = row.pop(field)
    return Change("nested", field, f"{parent}.{leaf}")


def _swap(rows: list[Row], since: int, fields: Sequence[str], dice: random.Random) -> Change:
    one, other = dice.sample(list(fields), 2)
    for row in rows[since:]:
        if one in row and other in row:
            row[one], row[other] = row[other], row[one]
    return Change("swap", one, other)


def _dropped(rows: list[Row], since: int, fields: Sequence[str], dice: random.Random) -> Change:
    field = _pick([name for name in fields if all(name in row for row in rows)], dice)
    for row in rows[since:]:
        del row[field]
    return Change("dropped", field)


def _new(rows: list[Row], since: int, fields: Sequence[str], dice: random.Random) -> Change:
    name = _word(dice) + "_" + dice.choice(("flag", "score", "label", "ref", "at", "count", "version"))
    makers: Sequence[Callable[[], Any]] = (
        lambda: dice.randint(1, 10**6),
        lambda: round(dice.uniform(0, 500), 2),
        lambda: dice.random() < 0.3,
        lambda: dice.choice(("alpha", "beta", "gamma")),
        lambda: str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        lambda: f"{dice.randint(1, 3)}.{dice.randint(0, 20)}.{dice.randint(0, 9)}",
        lambda: datetime.fromtimestamp(dice.randint(1_500_000_000, 1_700_000_000), UTC).isoformat(),
        lambda: None if dice.random() < 0.6 else "x" * dice.randint(3, 12),
    )
    make = dice.choice(makers)
    for row in rows[since:]:
        row[name] = make()
    return Change("new", name)


def _retype(rows: list[Row], since: int, fields: Sequence[str], dice: random.Random) -> Change:
    field = _pick(fields, dice)
    sample = next(row[field] for row in rows if row.get(field) is not None)
    name, convert = dice.choice(_conversions(sample, zeros=any(str(row.get(field)).startswith("0") for row in rows)))
    for row in rows[since:]:
        if row.get(field) is not None:
            row[field] = convert(row[field])
    return Change("retype", field, how=name)


def _conversions(sample: Any, *, zeros: bool) -> list[tuple[str, Callable[[Any], Any]]]:
    """What a producer might make of such a value without losing it."""
    if isinstance(sample, bool):
        return [("text", lambda v: "true" if v else "false"), ("yes_no", lambda v: "yes" if v else "no"), ("0_1", int)]
    if isinstance(sample, (int, float)):
        found: list[tuple[str, Callable[[Any], Any]]] = [("text", _digits), ("list", lambda v: [v])]
        more = ("float", float) if isinstance(sample, int) else ("comma", lambda v: _digits(v).replace(".", ","))
        return [*found, more]
    if isinstance(sample, str) and sample.isdigit() and not zeros:
        return [("number", int)]
    moment = _moment(sample)
    if moment is not None and "." in sample:
        return [("day_first", lambda v: v if _moment(v) is None else _moment(v).strftime("%d/%m/%Y %H:%M:%S.%f"))]  # type: ignore[union-attr]
    if moment is not None:
        return [
            ("epoch_seconds", lambda v: _epoch(v, 1)),
            ("epoch_millis", lambda v: _epoch(v, 1_000)),
            ("day_first", lambda v: v if _moment(v) is None else _moment(v).strftime("%d/%m/%Y %H:%M:%S")),  # type: ignore[union-attr]
        ]
    return [("list", lambda v: [v])]


def _digits(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) < 19 or value[4:5] != "-":
        return None
    try:
        found = datetime.fromisoformat(value.replace(" UTC", "+00:00").replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _epoch(value: str, times: int) -> Any:
    moment = _moment(value)
    return (
        value if moment is None else int(moment.timestamp()) * times + (moment.microsecond // 1000 if times > 1 else 0)
    )


def _pick(fields: Sequence[str], dice: random.Random) -> str:
    if not fields:
        raise Impossible
    return dice.choice(list(fields))


def _new_name(field: str, rows: Sequence[Row], dice: random.Random) -> str:
    parts = field.split("_")
    camel = parts[0] + "".join(part.title() for part in parts[1:])
    options = [
        camel if camel != field else f"{field}Value",
        f"{dice.choice(('new', 'event', 'src', 'x'))}_{field}",
        f"{field}_{dice.choice(('v2', 'value', 'text', 'code'))}",
        "_".join(part[:3] for part in parts),
        f"{_word(dice)}_{parts[-1]}",
        f"{parts[0]}_{_word(dice)}",
        _word(dice),
        _word(dice) + "_" + _word(dice),
    ]
    taken = {name for row in rows[:50] for name in row}
    return dice.choice([name for name in options if name not in taken and name])


def _word(dice: random.Random) -> str:
    vowels, others = "aeiou", [letter for letter in string.ascii_lowercase if letter not in "aeiouqx"]
    return "".join(dice.choice(others) + dice.choice(vowels) for _ in range(dice.randint(2, 3)))


_CHANGES = {
    "rename": _rename,
    "swap": _swap,
    "retype": _retype,
    "new": _new,
    "dropped": _dropped,
    "nested": _nested,
}
