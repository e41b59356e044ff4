"""Whether the values of a field are of the form its columns take, and which further reading would take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from aura_lake.cdc.semantics import from_contract
from aura_lake.contracts.cast import cast_field
from aura_lake.contracts.contract import Column, Contract, Kind, Shop
from aura_lake.contracts.extract import KIND
from aura_lake.contracts.readings import read_again, readings_for
from aura_lake.drift.likeness import FEW, common, distance, overlap
from aura_lake.drift.shapes import shape
from aura_lake.drift.window import Cell

#: A reading has to take so many of the values that the column does not.
NEARLY_ALL = 0.98

#: Read again, numbers may lie so much further from those before than these from each other.
FURTHER = 0.3

#: Times may lie so far outside those before, as a share of their span, and at least a year.
YEAR_MICROS = 366 * 86_400_000_000

#: Of two readings of a time the one that goes on from those before by so little is the likelier.
CLOSE_MICROS = 2 * 86_400_000_000


@dataclass(frozen=True)
class Read:
    """Values as a column has them: null where they broke its type."""

    values: pl.Series
    broken: pl.Series


def read_cells(
    cells: Sequence[Cell], column: Column, contract: Contract, shop: Shop, readings: Sequence[str] = ()
) -> Read:
    """The cells as the column reads them, with further `readings`. A text that is not kept counts as its kind."""
    text = pl.Series([_text(cell) for cell in cells], dtype=pl.String)
    kind = pl.Series([cell.kind for cell in cells], dtype=KIND)
    is_change = contract.kind is Kind.CDC
    semantic = from_contract(column, contract.decimals, is_change=is_change)
    zone = column.time_zone or shop.time_zone
    column = replace(column, readings=(*column.readings, *readings))
    cast = read_again(cast_field(text, kind, column, semantic, zone), text, kind, column, semantic, zone)
    broken = cast.broken
    for flag in cast.breaks.values():
        broken = broken | flag
    return Read(cast.values, broken)


def _text(cell: Cell) -> str | None:
    return cell.text if cell.text is not None or cell.is_null else "?"


@dataclass(frozen=True)
class Fit:
    """A reading that takes what the column does not. `plausible`: whether what it makes of them is like before."""

    reading: str
    share: float
    is_plausible: bool
    measures: Mapping[str, float]


def fitting_readings(
    was: Sequence[Cell], broken: Sequence[Cell], column: Column, contract: Contract, shop: Shop
) -> list[Fit]:
    """The readings that take nearly all values that the column does not, the plausible ones first; of those that
    make the same of them only the plainest."""
    before = read_cells(was, column, contract, shop)
    standing = before.values.filter(~before.broken).drop_nulls()
    found = []
    made: list[pl.Series] = []
    for name in readings_for(column, shop.currency):
        read = read_cells(broken, column, contract, shop, [name])
        share = 1 - float(read.broken.sum()) / max(1, len(broken))
        if share < NEARLY_ALL or any(read.values.equals(other) for other in made):
            continue
        made.append(read.values)
        is_plausible, measures = _is_like(standing, read.values.filter(~read.broken).drop_nulls(), column)
        found.append(Fit(name, share, is_plausible, measures))
    nearest = [
        fit for fit in found if fit.is_plausible and fit.measures.get("times_next_to_those_before", 1.0) >= NEARLY_ALL
    ]
    found = [replace(fit, is_plausible=fit in nearest) for fit in found] if nearest else found
    return sorted(found, key=lambda fit: not fit.is_plausible)


def are_alike(was: Sequence[Cell], now: Sequence[Cell], column: Column, contract: Contract, shop: Shop) -> bool:
    """Whether what a column makes of some values is like what it made of those before."""
    before, after = (read_cells(cells, column, contract, shop) for cells in (was, now))
    standing, fresh = (read.values.filter(~read.broken).drop_nulls() for read in (before, after))
    return _is_like(standing, fresh, column)[0]


def _is_like(was: pl.Series, now: pl.Series, column: Column) -> tuple[bool, dict[str, float]]:
    if was.is_empty() or now.is_empty():
        return False, {}
    if column.dtype.is_temporal():
        first, last = _micros(was).min(), _micros(was).max()
        assert isinstance(first, int)
        assert isinstance(last, int)
        slack = max(YEAR_MICROS, last - first)
        near = _micros(now).is_between(first - slack, last + slack).mean()
        share = float(near) if isinstance(near, float) else 0.0
        close = _micros(now).is_between(first - CLOSE_MICROS, last + max(last - first, CLOSE_MICROS)).mean()
        next_to = float(close) if isinstance(close, float) else 0.0
        figures = {"times_near_those_before": round(share, 3), "times_next_to_those_before": round(next_to, 3)}
        return share >= NEARLY_ALL, figures
    if column.dtype.is_numeric():
        return _numbers_are_like(was.cast(pl.Float64).to_list(), now.cast(pl.Float64).to_list())
    if column.dtype == pl.Boolean:
        return True, {}
    # Text: a number's digits or a word's letters are what they are; whether they mean the same, overlap tells.
    known = set(was.to_list())
    middle = len(was) // 2
    own = overlap(was.to_list()[middle:], set(was.to_list()[:middle]))
    figure = overlap(now.to_list(), known)
    if own < 0.15:
        alike = common([shape(text) for text in was.to_list()], [shape(text) for text in now.to_list()])
        return alike >= 0.7, {"shapes_alike": round(alike, 3)}
    is_plausible = figure >= own / 2
    return is_plausible, {"value_overlap": round(figure, 3), "own_overlap": round(own, 3)}


def _numbers_are_like(was: Sequence[float], now: Sequence[float]) -> tuple[bool, dict[str, float]]:
    if len(was) < FEW or len(now) < FEW:
        return False, {}
    middle = len(was) // 2
    own, figure = distance(was[:middle], was[middle:]), distance(was, now)
    return figure - own <= FURTHER, {"distribution_distance": round(figure, 3)}


def _micros(times: pl.Series) -> pl.Series:
    return times.cast(pl.Datetime("us")).dt.epoch("us") if times.dtype == pl.Date else times.dt.epoch("us")
