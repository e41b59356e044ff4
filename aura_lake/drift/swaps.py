"""Two fields that changed places: each carries what the other carried.

A patch is offered only where the values tell by their form, record by record, which of the two they are; else a
record of before could be turned round, and nobody would see.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, product

from aura_lake.drift.finding import BAR, Finding, Happened, Stands
from aura_lake.drift.likeness import FEW, common, distance, halves, overlap
from aura_lake.drift.look import ENOUGH, Look
from aura_lake.drift.patch import Operation, Patch
from aura_lake.drift.shapes import pattern
from aura_lake.drift.window import Cell

#: A field with at most so many values, which come again and again, is known by them.
WORDS = 30

#: What all values of a field may be made of.
CHARACTERS = (r"^-?[0-9]+(?:\.[0-9]+)?$", r"^[^0-9]+$", r"^[A-Z]+$", r"^[^\s]*[0-9][^\s]*$")

#: Of its values so many look like its own no more.
ESTRANGED = 0.2


def find_swaps(look: Look) -> list[Finding]:
    """A finding for each two fields that changed places; they are explained then."""
    findings = []
    stayed = [p for p in look.window.fields if p not in look.explained and _is_told(look, p)]
    strange = [path for path in stayed if _is_estranged(look, path)]
    for one, other in combinations(sorted(strange, key=lambda path: path not in look.reads), 2):
        if one in look.explained or other in look.explained or not {one, other} & look.reads.keys():
            continue
        finding = _swap(look, one, other)
        if finding is not None:
            look.explained |= {one, other}
            findings.append(finding)
    return findings


def _is_told(look: Look, path: str) -> bool:
    before = [cell for cell in look.before(path).values() if not cell.is_null]
    after = [cell for cell in look.after(path).values() if not cell.is_null]
    return len(before) >= FEW and len(after) >= FEW


def _cells(cells: Mapping[int, Cell]) -> list[Cell]:
    return [cell for _, cell in sorted(cells.items()) if not cell.is_null]


def _is_estranged(look: Look, path: str) -> bool:
    """Whether a good part of its values since are not such as it had."""
    was, now = _cells(look.before(path)), _cells(look.after(path))
    first, second = halves(was)
    shapes = {cell.shape for cell in was}
    if overlap([c.shape for c in now], shapes) < 1 - ESTRANGED:
        return True
    if (
        common([c.shape for c in first], [c.shape for c in second])
        - common([c.shape for c in was], [c.shape for c in now])
        > 0.3
    ):
        return True
    own = overlap([c.value for c in second], {c.value for c in first})
    if own >= 0.3 and overlap([c.value for c in now], {c.value for c in was}) < own * (1 - ESTRANGED):
        return True
    numbers, fresh = [c.number for c in was if c.number is not None], [c.number for c in now if c.number is not None]
    if len(numbers) < FEW or len(fresh) < FEW:
        return False
    middle = len(numbers) // 2
    return distance(numbers, fresh) - distance(numbers[:middle], numbers[middle:]) > ESTRANGED


def _swap(look: Look, one: str, other: str) -> Finding | None:
    crosswise = _likeness_crosswise(look, one, other)
    if min(crosswise.values()) < 0.3:
        return None
    for patterns in _patterns(look, one, other):
        swapped = _swapped_rows(look, one, other, patterns, look.window.after)
        if len(swapped) < ENOUGH:
            continue
        since = [row for row in look.window.after if row >= swapped[0] and _is_any_told(look, one, other, row)]
        share = len(swapped) / len(since)
        falsely = len(_swapped_rows(look, one, other, patterns, look.window.before))
        if len(swapped) == len(since) and not falsely:  # one that is not told would stand wrong, and nobody would see
            operation = {"op": Operation.EXCHANGE.value, "fields": [one, other], "patterns": list(patterns)}
            evidence = {"told_by_their_form": round(share, 3), "records_before_alike": falsely, **crosswise}
            return _finding(look, one, other, swapped, 0.97, evidence, Patch(look.feed, (operation,)))
    if min(crosswise.values()) >= 0.5:
        return _finding(look, one, other, list(look.window.after), 0.8, crosswise, None)
    return None


def _finding(
    look: Look,
    one: str,
    other: str,
    rows: Sequence[int],
    confidence: float,
    evidence: Mapping[str, float],
    patch: Patch | None,
) -> Finding:
    form = "" if patch else " Their values do not tell, record by record, which is which: the producer has to mend it."
    return Finding(
        feed=look.feed,
        happened=Happened.SWAPPED,
        field=one,
        became=other,
        stands=Stands.PROPOSED if confidence >= BAR else Stands.UNCLEAR,
        says=f"{one} and {other} carry each other's values.{form}",
        confidence=confidence,
        evidence={"records_after": len(rows), **evidence},
        patch=patch,
        places=tuple(sorted({*look.places(one), *look.places(other)})),
        rows=len(rows),
        first_row=rows[0],
    )


def _likeness_crosswise(look: Look, one: str, other: str) -> dict[str, float]:
    """How much each field's values since are like the other's before, less what they are like their own."""
    found = {}
    for name, its in ((one, other), (other, one)):
        now, was, own = _cells(look.after(name)), _cells(look.before(its)), _cells(look.before(name))
        found[f"{name}_like_{its}"] = round(_alike(was, now) - 0.5 * _alike(own, now), 3)
    return found


def _alike(was: Sequence[Cell], now: Sequence[Cell]) -> float:
    """0 to 1, by shape, by value where values come again, and by distribution where they are numbers."""
    first, second = halves(was)
    figures = [common([c.shape for c in was], [c.shape for c in now])]
    own = overlap([c.value for c in second], {c.value for c in first})
    if own >= 0.3:
        figures.append(min(1.0, overlap([c.value for c in now], {c.value for c in was}) / own))
    numbers, fresh = [c.number for c in was if c.number is not None], [c.number for c in now if c.number is not None]
    if len(numbers) >= 0.8 * len(was) and len(fresh) >= 0.8 * len(now):
        middle = len(numbers) // 2
        figures.append(1 - max(0.0, distance(numbers, fresh) - distance(numbers[:middle], numbers[middle:])))
    return min(figures)


def _patterns(look: Look, one: str, other: str) -> Iterator[tuple[str, str]]:
    """Regular expressions that all values of before match, each its own field's, that tell the two apart, the
    strictest first. None where the values may not be looked at."""
    if any(cell.text is None for path in (one, other) for cell in _cells(look.seen(path).cells)):
        return
    mine, theirs = _texts(look, one), _texts(look, other)
    for own, its in product(_options(look, one, mine), _options(look, other, theirs)):
        if not any(re.search(its, text) for text in mine) and not any(re.search(own, text) for text in theirs):
            yield own, its


def _options(look: Look, path: str, texts: Collection[str]) -> list[str]:
    """What values of a field look like: by shape, by the words they are, by the characters they have."""
    shapes = sorted({cell.shape for cell in _cells(look.before(path))})
    found = [
        pattern(shapes),
        _by_words(look, path),
        pattern([*shapes, "int:1", "int:18"]) if _has(shapes, "int") else None,
    ]
    found += [text for text in CHARACTERS if all(re.search(text, value) for value in texts)]
    return [text for text in found if text is not None]


def _has(shapes: Sequence[str], name: str) -> bool:
    return any(shape.startswith(f"{name}:") for shape in shapes)


def _by_words(look: Look, path: str) -> str | None:
    """The values themselves, of a field that has few and whose texts may be told."""
    told = _cells(look.before(path))
    texts = {cell.text for cell in told}
    first, second = halves(told)
    if len(texts) > WORDS or None in texts or overlap([c.value for c in second], {c.value for c in first}) < 0.98:
        return None
    if any(cell.shape in ("email", "ip") or cell.shape.startswith(("int:", "dec:")) for cell in told):
        return None
    return "^(?:" + "|".join(sorted(re.escape(text) for text in texts if text)) + ")$"


def _texts(look: Look, path: str) -> Collection[str]:
    return {cell.text for cell in _cells(look.before(path)) if cell.text is not None}


def _swapped_rows(look: Look, one: str, other: str, patterns: tuple[str, str], rows: range) -> list[int]:
    """The records that the patch would turn round: as `contracts.judge.is_exchanged` has it."""
    own, its = (re.compile(text) for text in patterns)
    mine, theirs = look.seen(one).cells, look.seen(other).cells

    def fits(cell: Cell | None, a: re.Pattern[str], b: re.Pattern[str]) -> bool:
        return cell is None or cell.text is None or bool(a.search(cell.text) and not b.search(cell.text))

    found = []
    for row in rows:
        left, right = mine.get(row), theirs.get(row)
        if (left is None or left.is_null) and (right is None or right.is_null):
            continue
        if fits(left, its, own) and fits(right, own, its):
            found.append(row)
    return found


def _is_any_told(look: Look, one: str, other: str, row: int) -> bool:
    left, right = look.seen(one).cells.get(row), look.seen(other).cells.get(row)
    return not ((left is None or left.is_null) and (right is None or right.is_null))
