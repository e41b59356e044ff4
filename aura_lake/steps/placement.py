"""Placement: the one partition of a state in which all rows of a key stand.

A table whose contract names a creation time (`period`) is partitioned by the day of it, any other by a hash
of the key. A delete carries its key alone, and a key that was deleted may be created again another day: the
rows of a key are brought together in the earliest day they tell, wherever the first of them landed.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from aura_lake.cdc.envelope import CREATE, READ
from aura_lake.contracts.contract import Contract
from aura_lake.delta.table import LakeTable

#: Partitions of a state whose contract names no creation time.
HASH_BUCKETS = 16

#: Where a key stands whose creation time has not been seen yet (its delete came first).
UNKNOWN_PERIOD = "unknown"


@dataclass(frozen=True)
class Placement:
    """`rows`: fresh rows with `_bucket`. `strays`: rows of the history that stand elsewhere, with the `_bucket`
    they belong to. `left`: the partitions these leave."""

    rows: pl.DataFrame
    strays: pl.DataFrame
    left: frozenset[str] = frozenset()


def place(fresh: pl.DataFrame, history: LakeTable, contract: Contract, *, from_scratch: bool = False) -> Placement:
    """Fresh rows, none with a null in its key, in the partitions of their keys.

    `from_scratch`: what stands in the history does not count.
    """
    told = fresh.with_columns(_bucket=buckets_of(fresh, contract))
    nothing = pl.DataFrame(schema=dict(history.layout.columns))
    if not contract.period:
        return Placement(told, nothing)
    key = list(contract.key)
    standing = nothing.select(*key, "_bucket") if from_scratch else _standing(told, history, key)
    known = pl.concat([told.select(*key, "_bucket"), standing]).filter(pl.col("_bucket") != UNKNOWN_PERIOD)
    homes = known.group_by(key).agg(_home=pl.col("_bucket").min())
    rows = told.join(homes, on=key, how="left", maintain_order="left")
    rows = rows.with_columns(_bucket=pl.coalesce("_home", pl.lit(UNKNOWN_PERIOD))).drop("_home")
    astray = standing.join(homes, on=key).filter(pl.col("_bucket") != pl.col("_home"))
    if astray.is_empty():
        return Placement(rows, nothing)
    left = astray["_bucket"].unique().to_list()
    found = history.scan().filter(pl.col("_bucket").is_in(left)).join(astray.lazy(), on=[*key, "_bucket"])
    strays = found.with_columns(_bucket="_home").select(nothing.columns).collect()
    return Placement(rows, strays, frozenset(left))


def _standing(told: pl.DataFrame, history: LakeTable, key: list[str]) -> pl.DataFrame:
    """Key and partition of the fresh keys that stand in the history already.

    Most stand where their rows tell, and that partition is read anyway. A created row may be a key's second
    life: its first ended with a delete. Only another key that is not among the partitions of this batch is looked
    for everywhere: a delete tells no day.
    """
    keys = told.select(key).unique()
    near = _where(history, keys, [*told["_bucket"].unique().to_list(), UNKNOWN_PERIOD])
    absent = told.join(near, on=key, how="anti")
    is_first = pl.col("_op").is_in([CREATE, READ]) | pl.col("_op").is_null()
    tells_no_day = pl.col("_bucket") == UNKNOWN_PERIOD
    born = absent.group_by(key).agg((is_first & ~tells_no_day).any().alias("_is_born")).filter("_is_born").select(key)
    ended = _where(history, born, marked_buckets(history, "_gone_lsn"))
    lost = absent.select(key).unique().join(born, on=key, how="anti")
    return pl.concat([near, ended, find_partitions(history, lost)]).unique()


def find_partitions(state: LakeTable, keys: pl.DataFrame) -> pl.DataFrame:
    """The partitions in which keys stand, wherever that is: one row a key, with `_bucket`; none for an unknown one.

    The newest days are read first, since most that changes is recent; and of every partition the key alone.
    """
    days = sorted(state.partition_values("_bucket"), reverse=True)
    found, some = [_where(state, keys.clear(), [])], 8
    while days and not keys.is_empty():
        found.append(_where(state, keys, days[:some]))
        keys = keys.join(found[-1], on=keys.columns, how="anti")
        days, some = days[some:], some * 4
    return pl.concat(found)


def _where(state: LakeTable, keys: pl.DataFrame, buckets: Collection[str]) -> pl.DataFrame:
    """The partitions among `buckets` in which the keys stand: one row a key and partition."""
    places = state.scan().select(*keys.columns, "_bucket")
    if keys.is_empty() or not buckets:
        return places.limit(0).collect()
    mine = places.filter(pl.col("_bucket").is_in(list(buckets)))
    return mine.join(keys.lazy(), on=keys.columns, how="semi").unique().collect()


def marked_buckets(history: LakeTable, mark: str, among: Sequence[int] | None = None) -> list[str]:
    """The partitions whose files have a value of the column `mark` (and one that may be `among` these), by
    the statistics in the table's log: a table without such rows is not read for them."""
    files = history.files()
    if f"max.{mark}" not in files.columns:
        return []
    has = pl.col(f"max.{mark}").is_not_null()
    if among:
        has &= (pl.col(f"min.{mark}") <= max(among)) & (pl.col(f"max.{mark}") >= min(among))
    return files.filter(has)["partition._bucket"].unique().to_list()


def buckets_of(rows: pl.DataFrame, contract: Contract) -> pl.Series:
    """The partition each row tells: the day its key was created, or a hash of the key."""
    if contract.period:
        days = rows[contract.period].cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%d")
        return days.fill_null(UNKNOWN_PERIOD)
    return hash_bucket(rows.select(list(contract.key)))


def hash_bucket(keys: pl.DataFrame) -> pl.Series:
    """A stable partition of each key: CRC-32 of its text, modulo `HASH_BUCKETS` (Polars' own hash is not
    the same from version to version)."""
    joined = keys.select(pl.concat_str(pl.all().cast(pl.String), separator="\x1f").alias("key"))["key"]
    return pl.Series([f"{zlib.crc32(text.encode()) % HASH_BUCKETS:02d}" for text in joined.to_list()], dtype=pl.String)
