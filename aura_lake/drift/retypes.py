"""Fields whose values come in another form: a number as text, a time as a count, a word as a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_lake.contracts.readings import NUMBER_IN_TEXT
from aura_lake.drift.finding import BAR, Candidate, Finding, Happened, Stands
from aura_lake.drift.forms import Fit, are_alike, fitting_readings, read_cells
from aura_lake.drift.likeness import common, halves, overlap
from aura_lake.drift.look import ENOUGH, SOME, Look
from aura_lake.drift.patch import Operation, Patch
from aura_lake.drift.reads import Reading
from aura_lake.drift.window import Cell

#: Of the records from the first one on, so many come in the new form where it is proposed, and where it is told.
SURELY, PERHAPS = 0.1, 0.02

_WORDS = {"integer": "a number", "number": "a number", "string": "text", "text": "text"}


@dataclass(frozen=True)
class _Change:
    """The cells of a field in its old form, and those in the new one by record, of all told since the first."""

    was: Sequence[Cell]
    now: Mapping[int, Cell]
    since: int

    @property
    def share(self) -> float:
        return len(self.now) / max(1, self.since)


def find_retypes(look: Look) -> list[Finding]:
    """A finding for each field that columns read and that comes in another form."""
    findings = []
    for path, readings in look.reads.items():
        if path in look.explained or not look.before(path) or not look.after(path):
            continue
        finding = _breaks(look, path, readings) or _passes(look, path, readings) or _rescaled(look, path, readings)
        if finding is not None:
            look.explained.add(path)
            findings.append(finding)
    return findings


def _breaks(look: Look, path: str, readings: Sequence[Reading]) -> Finding | None:
    """Values that a column's type refuses now, and did not before."""
    direct = [reading for reading in readings if reading.is_direct and reading.column is not None]
    was = [cell for cell in look.before(path).values() if not cell.is_null]
    told = {row: cell for row, cell in look.after(path).items() if not cell.is_null}
    changes: list[tuple[Reading, _Change]] = []
    for reading in direct:
        assert reading.column is not None
        if not was or not told:
            continue
        broken = read_cells(list(told.values()), reading.column, reading.contract, look.shop).broken.to_list()
        wrong = {row: cell for (row, cell), is_broken in zip(told.items(), broken, strict=True) if is_broken}
        before = read_cells(was, reading.column, reading.contract, look.shop).broken
        always = float(before.sum()) / len(was)
        if len(wrong) < SOME or len(wrong) / len(told) <= 3 * always:
            continue
        right = [cell for row, cell in told.items() if row not in wrong]
        change = _Change([*was, *right], wrong, sum(row >= min(wrong) for row in told))
        if change.share >= PERHAPS:
            changes.append((reading, change))
    if not changes:
        return None
    fits = [(reading, _fits(look, reading, change)) for reading, change in changes]
    return _broken_finding(look, path, changes[0][1], fits)


def _fits(look: Look, reading: Reading, change: _Change) -> list[Fit]:
    assert reading.column is not None
    return fitting_readings(change.was, list(change.now.values()), reading.column, reading.contract, look.shop)


def _broken_finding(look: Look, path: str, change: _Change, fits: Sequence[tuple[Reading, list[Fit]]]) -> Finding:
    was, now = _form(change.was), _form(list(change.now.values()))
    is_enough = len(change.now) >= ENOUGH and change.share >= SURELY
    operations: list[dict[str, str]] = []
    measures: dict[str, float] = {}
    by_expression = any(not reading.is_direct for reading in look.reads[path])
    is_sure = is_enough
    candidates: list[Candidate] = []
    for reading, found in fits:
        assert reading.column is not None
        plausible = [fit for fit in found if fit.is_plausible]
        is_sure = is_sure and len(plausible) == 1  # two would make different things of the same values
        # An expression sees the text as it comes: that of a number is the same in quotes, of all else it is another.
        is_sure = is_sure and not (by_expression and plausible[0].reading != NUMBER_IN_TEXT)
        candidates += [
            Candidate(f"{reading.place} reads it as {fit.reading}.", round(fit.share / 2, 3)) for fit in found
        ]
        if plausible:
            measures |= {"readable": round(plausible[0].share, 3), **plausible[0].measures}
            table, column = reading.contract.table, reading.column.name
            cast = {"op": Operation.CAST.value, "table": table, "column": column, "reading": plausible[0].reading}
            operations.append(cast)
    evidence: dict[str, float | int | str] = {
        "records_before": len(change.was),
        "records_after": len(change.now),
        "share_since_then": round(change.share, 3),
        "form_before": was,
        "form_after": now,
        **measures,
    }
    finding = Finding(
        feed=look.feed,
        happened=Happened.RETYPED,
        field=path,
        became=now,
        stands=Stands.PROPOSED,
        says=f"{path} was {was} and comes as {now} now.",
        confidence=0.98 if is_sure else 0.6,
        evidence=evidence,
        patch=Patch(look.feed, tuple(operations)) if len(operations) == len(fits) else None,
        candidates=() if is_sure else tuple(candidates[:4]),
        places=look.places(path),
        rows=len(change.now),
        first_row=min(change.now),
    )
    if finding.patch is not None and is_sure:
        return finding
    if any(found for _, found in fits) or not is_enough:
        return finding.at_most(Stands.UNCLEAR)
    return Finding(
        **{
            **vars(finding),
            "stands": Stands.BREAKING,
            "patch": None,
            "confidence": 0.97,
            "says": f"{finding.says} No reading takes it as its columns want it.",
        }
    )


def _passes(look: Look, path: str, readings: Sequence[Reading]) -> Finding | None:
    """Another type that every column takes as it is."""
    was = [cell for _, cell in sorted(look.before(path).items()) if not cell.is_null]
    told = {row: cell for row, cell in look.after(path).items() if not cell.is_null}
    known = {_WORDS.get(cell.kind, cell.kind) for cell in was}
    fresh = {row: cell for row, cell in told.items() if _WORDS.get(cell.kind, cell.kind) not in known}
    if not was or len(fresh) < ENOUGH or len(fresh) < SURELY * sum(row >= min(fresh) for row in told):
        return None
    now = list(fresh.values())
    first, second = halves(was)
    own = overlap([c.value for c in second], {c.value for c in first})
    figure = overlap([c.value for c in now], {c.value for c in was})
    alike = common([c.shape for c in was], [c.shape for c in now])
    is_same = figure >= own / 3 if own >= 0.15 else alike >= 0.3
    typed = [r for r in readings if r.is_direct and r.column is not None and r.column.logical_type != "string"]
    if typed and len(typed) == len(readings):  # the wire's form is another, and the column knows both
        is_same = all(r.column is not None and are_alike(was, now, r.column, r.contract, look.shop) for r in typed)
    form, became = _form(was), _form(now)
    if _loses_zeros(was, now, readings):
        lost = f"{path} was {form} and comes as {became} now: zeros that its values began with are lost."
        return Finding(
            look.feed, Happened.RETYPED, path, Stands.BREAKING, lost, 0.97, became,
            {"records_before": len(was), "records_after": len(now)},
            places=look.places(path), rows=len(fresh), first_row=min(fresh),
        )  # fmt: skip
    then = "the same values, and its columns take them." if is_same else "its values are others, too."
    return Finding(
        feed=look.feed,
        happened=Happened.RETYPED,
        field=path,
        became=became,
        stands=Stands.NOTE if is_same else Stands.UNCLEAR,
        says=f"{path} was {form} and comes as {became} now; {then}",
        confidence=0.98 if is_same else 0.6,
        evidence={
            "records_before": len(was),
            "records_after": len(now),
            "form_before": form,
            "form_after": became,
            "value_overlap": round(figure, 3),
            "own_overlap": round(own, 3),
        },
        places=look.places(path),
        rows=len(fresh),
        first_row=min(fresh),
    )


def _loses_zeros(was: Sequence[Cell], now: Sequence[Cell], readings: Sequence[Reading]) -> bool:
    """Codes such as 01234 that became numbers."""
    if not any(r.column is not None and r.column.logical_type == "string" for r in readings):
        return False
    led = sum((cell.text or "").startswith("0") and cell.shape.startswith("int:") for cell in was if cell.text != "0")
    return led >= SOME and all(cell.kind in ("integer", "number") for cell in now)


def _rescaled(look: Look, path: str, readings: Sequence[Reading]) -> Finding | None:
    """Numbers that all were fractions of a hundred or a thousand times less: euros that became cents."""
    if not any(r.is_direct and r.column is not None and r.column.dtype.is_decimal() for r in readings):
        return None
    was = sorted(c.number for c in look.before(path).values() if c.number)
    after = [(row, c.number) for row, c in sorted(look.after(path).items()) if c.number]
    if len(was) < ENOUGH or sum(n % 1 != 0 for n in was) < len(was) / 2:
        return None
    fractions = [row for row, n in after if n % 1 != 0]
    since = (fractions[-1] + 1) if fractions else look.window.begins
    now = sorted(n for row, n in after if row >= since)
    if len(now) < ENOUGH:
        return None
    times = now[len(now) // 2] / was[len(was) // 2]
    if not 20 <= abs(times) <= 5_000:
        return None
    return Finding(
        feed=look.feed,
        happened=Happened.RETYPED,
        field=path,
        became="whole numbers",
        stands=Stands.UNCLEAR,
        says=f"{path} had fractions and comes in whole numbers now, about {times:,.0f} times larger: another unit?",
        confidence=min(0.9, BAR - 0.01),
        evidence={"records_before": len(was), "records_after": len(now), "median_times": round(times, 1)},
        places=look.places(path),
        rows=len(now),
        first_row=since,
    )


def _form(cells: Sequence[Cell]) -> str:
    """What most of some values are, in words: their kind, and for text their shape."""
    kinds = [cell.kind for cell in cells]
    kind = max(set(kinds), key=kinds.count)
    shapes = [cell.shape.split(":")[0] for cell in cells if cell.kind == kind]
    shape = max(sorted(set(shapes)), key=shapes.count)
    return f"{kind} ({shape})" if kind in ("string", "text") else kind
