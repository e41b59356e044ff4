"""Rows that took a new key and left values behind.

An update of a key reaches the feed as the delete of the old key and the create of the new one, with one
LSN (connector page, "Primary key updates"). What the update did not touch and PostgreSQL did not log
(unchanged TOAST) is left out of the create; it stands under the old key alone. Files carry no headers that
name that key: the delete with the same (epoch, LSN) does.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aura_lake.cdc.envelope import CREATE, DELETE

#: What the two halves of a key change share.
MOMENT = ("_epoch", "_lsn")


def is_moved() -> pl.Expr:
    """Whether a change is the second half of a key change that left values out: an insert leaves none."""
    left_something = pl.col("_left_out").list.len() > 0
    return ((pl.col("_op") == CREATE) & left_something & pl.col("_lsn").is_not_null()).fill_null(False)


def links(changes: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Each moved row with each delete of another key at its moment: `MOMENT`, `from:<key>`, `to:<key>`.

    In: `_op`, `_left_out`, `MOMENT` and the key, in any order; repeated rows are harmless.
    """
    old = changes.filter(pl.col("_op") == DELETE).select(*MOMENT, *_as("from", key)).unique()
    new = changes.filter(is_moved()).select(*MOMENT, *_as("to", key)).unique()
    is_other = pl.any_horizontal(pl.col(f"from:{name}") != pl.col(f"to:{name}") for name in key)
    return new.join(old, on=MOMENT).filter(is_other)


def members(found: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Every key that stands in a link."""
    return pl.concat([found.select(_named("from", key)), found.select(_named("to", key))]).unique()


def family(keys: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """`keys` and all keys that links connect with them, over however many steps."""
    names = keys.columns
    there, back = (
        found.select(*(pl.col(f"{near}:{n}").alias(f"near:{n}") for n in names), *_named(far, names))
        for near, far in (("from", "to"), ("to", "from"))
    )
    steps = pl.concat([there, back])
    reached = edge = keys.unique()
    while not edge.is_empty():
        beyond = steps.join(edge, left_on=[f"near:{n}" for n in names], right_on=names, how="semi").select(names)
        edge = beyond.unique().join(reached, on=names, how="anti")
        reached = pl.concat([reached, edge])
    return reached


def _as(side: str, key: Sequence[str]) -> list[pl.Expr]:
    return [pl.col(name).alias(f"{side}:{name}") for name in key]


def _named(side: str, key: Sequence[str]) -> list[pl.Expr]:
    return [pl.col(f"{side}:{name}").alias(name) for name in key]
