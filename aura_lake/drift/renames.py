"""Fields that came to have another name or place: one goes where another comes, with the same values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aura_lake.drift import names
from aura_lake.drift.finding import BAR, Candidate, Finding, Happened, Stands
from aura_lake.drift.forms import fitting_readings, read_cells
from aura_lake.drift.likeness import MOST, likeness
from aura_lake.drift.look import ENOUGH, SOME, Look
from aura_lake.drift.patch import Operation, Patch
from aura_lake.drift.window import Cell

#: Odds, before any value is looked at, that of a field that goes exactly where another comes one is the other.
PRIOR, PRIOR_OF_FEW = 2.3, 1.0

#: Records in which both are told, and differ, at most.
BOTH = 0.02

#: A candidate is shown from this confidence on; below it, the two fields have nothing to do with each other.
WORTH_SHOWING = 0.2

#: One goes for good where another of its shape comes: that they have nothing to do with each other is never sure.
ALIKE = 0.8

#: So sure at most, from fewer records than are enough.
OF_FEW = 0.85


@dataclass
class _Pair:
    old: str
    new: str
    odds: float
    measures: dict[str, float | int | str] = field(default_factory=dict)
    is_seen: bool = False


def find_renames(look: Look) -> list[Finding]:
    """A finding for each field that has another name now, or may have; its fields are explained then."""
    new = look.new_fields()
    old = [path for path in look.window.fields if path not in look.explained and _had(look, path)]
    pairs = {(gone, came): pair for gone in old for came in new if (pair := _weigh(look, gone, came)) is not None}
    pairs |= _twins(look, old)
    findings = []
    for (gone, came), pair in sorted(pairs.items(), key=lambda item: -item[1].odds):
        if gone in look.explained or came in look.explained:
            continue
        confidence = _confidence(pair, pairs)
        is_alike = float(pair.measures.get("shapes_alike", 0.0)) >= ALIKE and _is_gone(look, gone, came)
        if confidence < WORTH_SHOWING and not is_alike:
            continue
        others = [p for p in pairs.values() if p.old == gone and p.new != came and p.new not in look.explained]
        look.explained |= {gone, came}
        if gone in look.reads:
            findings.append(_finding(look, pair, confidence, {p.new: _confidence(p, pairs) for p in others}))
    return findings


def _is_gone(look: Look, gone: str, came: str) -> bool:
    """Whether a field never comes again once another has come."""
    since = min(look.after(came), default=look.window.rows)
    return not any(row > since and not cell.is_null for row, cell in look.seen(gone).cells.items())


def _had(look: Look, path: str) -> bool:
    return len(look.before(path)) >= SOME and not look.is_read_otherwise(path)


def _weigh(look: Look, gone: str, came: str) -> _Pair | None:
    """The odds that the field `came` is `gone`; None where the records speak against it."""
    after = look.after(came)
    old_after, old_before = look.after(gone), look.before(gone)
    since = min(after)
    both = sum(1 for row in after if (cell := old_after.get(row)) is not None and _differ(cell, after[row]))
    is_told = any(not cell.is_null for cell in look.seen(gone).cells.values())
    without = sum(1 for row in after if (cell := old_after.get(row)) is None or (is_told and cell.is_null))
    if both > BOTH * len(after) or without < SOME:
        return None
    rows = look.window.rows - since
    rate = len(old_before) / max(1, look.window.begins)
    covered = (len(after) + sum(1 for row in old_after if row >= since and row not in after)) / rows
    told_before = _told(old_before)
    told_after = _told(after)
    pair = _Pair(gone, came, PRIOR if len(after) >= ENOUGH else PRIOR_OF_FEW)
    pair.odds *= 1.5 if abs(covered - rate) <= max(0.08, 0.2 * rate) else 0.3
    pair.odds *= 1.0 if abs(told_before - told_after) <= max(0.12, 0.3 * told_before) else 0.3
    like = likeness(look.seen(gone).cells, after, look.contexts({gone, came}))
    alike = names.likeness(gone, came)
    by_name = 20.0 if alike == 1.0 else 6.0 if alike >= 0.8 else 3.0 if alike >= 0.5 else 1.5 if alike >= 0.3 else 1.0
    told = _told_by_schema(look, gone, came)
    pair.odds *= like.odds * by_name * told
    pair.is_seen = like.is_seen or by_name >= 3 or told > MOST
    pair.measures = {
        "records_before": len(old_before),
        "records_after": len(after),
        "records_with_both": both,
        "filled_before": round(rate * told_before, 3),
        "filled_after": round(covered * told_after, 3),
        **like.measures,
        "name_alike": round(alike, 3),
    }
    if told > 1:
        pair.measures["schema_registry"] = "alias" if told > MOST else "removed and added in one version"
    return pair


def _differ(one: Cell, other: Cell) -> bool:
    return not one.is_null and not other.is_null and one.value != other.value


def _told(cells: Mapping[int, Cell]) -> float:
    return sum(not cell.is_null for cell in cells.values()) / max(1, len(cells))


def _told_by_schema(look: Look, gone: str, came: str) -> float:
    schema = look.schema
    if schema is None:
        return 1.0
    if gone in schema.aliases.get(came, ()):
        return 1000.0
    return 3.0 if gone in schema.removed and came in schema.added else 1.0


def _twins(look: Look, old: list[str]) -> dict[tuple[str, str], _Pair]:
    """Fields that were written under two names for a while, before the old one went."""
    found = {}
    unread = [p for p in look.window.fields if p not in look.reads and not look.is_new(p) and p not in look.explained]
    for gone in old:
        if gone not in look.reads or look.gone_since(gone) is None:
            continue
        mine = look.seen(gone).cells
        for twin in unread:
            its = look.seen(twin).cells
            beside = [(mine[row], its[row]) for row in mine.keys() & its.keys()]
            told = [(one, other) for one, other in beside if not one.is_null]
            distinct = len({one.value for one, _ in told})
            if len(told) < ENOUGH or distinct < 4 or look.gone_since(twin) is not None:
                continue
            equal = sum(one.value == other.value for one, other in told) / len(told)
            if equal >= 1 - BOTH:
                found[gone, twin] = _Pair(gone, twin, 200.0, {"records_with_both": len(told), "equal": equal}, True)
    return found


def _confidence(pair: _Pair, pairs: Mapping[tuple[str, str], _Pair]) -> float:
    """The odds of the pair among all that its two fields are in."""
    by_old = sum(p.odds for p in pairs.values() if p.old == pair.old)
    by_new = sum(p.odds for p in pairs.values() if p.new == pair.new)
    confidence = pair.odds / (1 + max(by_old, by_new))
    if not pair.is_seen or pair.measures.get("records_after", ENOUGH) < ENOUGH:  # type: ignore[operator]
        confidence = min(confidence, OF_FEW)
    return round(min(confidence, 0.999), 3)


def _finding(look: Look, pair: _Pair, confidence: float, others: Mapping[str, float]) -> Finding:
    after = look.after(pair.new) or look.seen(pair.new).cells
    says = f"{pair.old} is called {pair.new} now."
    patch = Patch(
        look.feed, ({"op": Operation.SYNONYM.value, "field": pair.old, "also": pair.new}, *_casts(look, pair))
    )
    finding = Finding(
        feed=look.feed,
        happened=Happened.RENAMED,
        field=pair.old,
        became=pair.new,
        stands=Stands.PROPOSED,
        says=says,
        confidence=confidence,
        evidence=pair.measures,
        patch=patch,
        candidates=tuple(
            Candidate(f"{pair.old} is called {name} now.", share)
            for name, share in sorted(others.items(), key=lambda item: -item[1])[:3]
            if share >= 0.05
        ),
        places=look.places(pair.old),
        rows=len(after),
        first_row=min(after),
    )
    return finding if confidence >= BAR else finding.at_most(Stands.UNCLEAR)


def _casts(look: Look, pair: _Pair) -> list[dict[str, str]]:
    """What the columns need beside the name, where the values also come in another form."""
    was = [cell for cell in look.before(pair.old).values() if not cell.is_null]
    now = [cell for cell in look.after(pair.new).values() if not cell.is_null]
    found = []
    for reading in look.reads.get(pair.old, ()):
        if reading.column is None or not reading.is_direct or not now:
            continue
        broken = read_cells(now, reading.column, reading.contract, look.shop).broken
        if broken.sum() < len(now) / 10:
            continue
        wrong = [cell for cell, is_broken in zip(now, broken.to_list(), strict=True) if is_broken]
        fits = fitting_readings(was, wrong, reading.column, reading.contract, look.shop)
        if fits and fits[0].is_plausible:
            table, column = reading.contract.table, reading.column.name
            found.append({"op": Operation.CAST.value, "table": table, "column": column, "reading": fits[0].reading})
    return found
