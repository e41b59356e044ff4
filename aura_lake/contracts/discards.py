"""Discarded units: how a decision names them, and the verdict they get.

A decision names units by position, in runs, so that a hundred thousand neighbours are one line; what they broke
when they were discarded does not matter any more, and a rebuild under any contract discards the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from aura_lake.contracts.verdicts import UNIT
from aura_lake.layouts import JUDGEMENT

#: The verdict of a unit that a person gave up.
DISCARDED = "discarded"

#: What the reason of such a unit begins with; the number of the decision follows.
REASON = "decision "

_UNIT_TYPES = {name: JUDGEMENT[name] for name in UNIT}

#: What units of one run share.
_PLACE = tuple(name for name in UNIT if name not in ("offset", "ordinal"))


def pack_units(units: pl.DataFrame) -> list[dict[str, Any]]:
    """Units (`UNIT`) as a decision keeps them: for each place the runs of offsets or ordinals, ends included."""
    packed = []
    numbered = units.select(UNIT).unique().with_columns(_number=pl.coalesce("offset", "ordinal"))
    for place, rows in numbered.sort(UNIT, nulls_last=True).group_by(_PLACE, maintain_order=True):
        numbers = rows["_number"].sort()
        run = (numbers.diff() != 1).fill_null(True).cum_sum().alias("run")
        runs = (
            pl.DataFrame([numbers, run])
            .group_by("run", maintain_order=True)
            .agg(first=pl.col("_number").first(), last=pl.col("_number").last())
        )
        packed.append(
            {
                **dict(zip(_PLACE, place, strict=True)),
                "runs": [list(r) for r in runs.select("first", "last").iter_rows()],
            }
        )
    return packed


def unpack_units(packed: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The units (`UNIT`) that `pack_units` made this of."""
    frames = []
    for place in packed:
        runs = pl.DataFrame(place["runs"], schema={"first": pl.Int64, "last": pl.Int64}, orient="row")
        numbers = runs.select(pl.int_ranges("first", pl.col("last") + 1).list.explode().alias("number"))
        told = "ordinal" if place["object"] is not None else "offset"
        frames.append(
            numbers.select(
                (pl.col("number") if name == told else pl.lit(place.get(name))).cast(dtype).alias(name)
                for name, dtype in _UNIT_TYPES.items()
            )
        )
    return pl.concat(frames) if frames else pl.DataFrame(schema=_UNIT_TYPES)


def discard(judged: pl.DataFrame, discarded: pl.DataFrame) -> pl.DataFrame:
    """`judged` with the verdict `discarded` on the units of `discarded` (`UNIT`, `_decision`).

    Key and broken rules stay: the state has to find the row it lets go, and people what it broke.
    """
    if discarded.is_empty():
        return judged
    joined = judged.join(discarded, on=UNIT, how="left", nulls_equal=True, maintain_order="left")
    gone = pl.col("_decision").is_not_null()
    return joined.with_columns(
        verdict=pl.when(gone).then(pl.lit(DISCARDED)).otherwise("verdict"),
        reason=pl.when(gone).then(pl.concat_str(pl.lit(REASON), pl.col("_decision"))).otherwise("reason"),
        outcome=pl.when(gone).then(pl.lit("set_aside")).otherwise("outcome"),
    ).drop("_decision")
