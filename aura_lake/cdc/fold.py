"""From the changes of some keys to their versions: the pure heart of state.

Everything is derived anew from the distinct changes of a key, so arrival does not matter: repeat,
shuffle or split them and the versions are the same.
"""

from __future__ import annotations

import polars as pl

from aura_lake.cdc.order import in_change_order, in_row_order
from aura_lake.contracts.contract import Contract, Kind
from aura_lake.layouts import CHANGE, POSITION, VERSION, table_columns

#: Flags and times that `derive_versions` computes; whatever stood there before is dropped.
DERIVED = (
    "valid_from",
    "valid_to",
    "is_current",
    "_is_version",
    "_is_held",
    "_is_latest",
    "_has_newer_in_quarantine",
)


def derive_versions(changes: pl.DataFrame, truncates: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Every change with its place in the life of its key.

    In:  one row per distinct change of the keys concerned, all of them: position, `part`, `CHANGE`,
         `_is_valid` (False: it waits in quarantine), `_bucket`, the table's columns. `truncates`: the
         table's truncates, as rows of the same columns without key.
    Out: the same rows and columns plus `DERIVED`, columns that a change left out filled from an earlier
         version. `_is_version` rows do not overlap and leave no gap while the key lives; one of them is
         `is_current` where the key lives; `_is_latest` is the row that current shows.
    """
    key = list(contract.key)
    columns = table_columns(contract)
    content = [name for name in columns if name not in key]
    bare = changes.drop(name for name in DERIVED if name in changes.columns)
    emptied = _with_truncates(bare, truncates, key)
    if contract.kind is Kind.CDC:
        ordered = in_change_order(emptied, key)
    else:
        ordered = in_row_order(emptied, key, contract.ordering)
    ordered = ordered.with_columns(
        _gone=pl.col("_op").is_in(["d", "t"]).fill_null(False),
        _has_newer_in_quarantine=(~pl.col("_is_valid")).last().over(key),
    )
    waiting = ordered.filter(~pl.col("_is_valid"))
    lived = _fill_left_out(ordered.filter("_is_valid"), key, content)
    told = lived.filter(~pl.col("_is_held")).with_columns(valid_from=_valid_from(contract, key))
    compared = [name for name in content if name != contract.ordering or contract.kind is Kind.CDC]
    told = _tell_versions(told, key, compared)
    rest = pl.concat([lived.filter("_is_held"), waiting.with_columns(_is_held=pl.lit(False))], how="diagonal")
    flags = ["is_current", "_is_version", "_is_latest"]
    whole = pl.concat([told, rest], how="diagonal").with_columns(pl.col(flag).fill_null(False) for flag in flags)
    real = whole.filter(~pl.col("_is_synthetic"))
    order = [*VERSION, *columns]
    absent = [pl.lit(None, VERSION[name]).alias(name) for name in ("valid_from", "valid_to") if name not in real.columns]
    return real.with_columns(absent).select(order)


def _with_truncates(changes: pl.DataFrame, truncates: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """`changes` with a synthetic delete of every key for every truncate."""
    real = changes.with_columns(_is_synthetic=pl.lit(False))
    if truncates.is_empty():
        return real
    marks = truncates.select(*POSITION, "part", *CHANGE).with_columns(_is_valid=pl.lit(True), _is_synthetic=pl.lit(True))
    every = changes.select(key).unique().join(marks, how="cross")
    return pl.concat([real, every], how="diagonal")


def _fill_left_out(lived: pl.DataFrame, key: list[str], content: list[str]) -> pl.DataFrame:
    """Values that a change left out (unchanged TOAST) from the nearest earlier change that has them.
    A row for which there is none is held back (`_is_held`) until it arrives."""
    held = pl.repeat(False, lived.height, eager=True)
    omitted = lived.select(pl.col("_left_out").list.explode().unique())["_left_out"].drop_nulls().to_list()
    if not omitted:
        return lived.with_columns(_is_held=held)
    lived = lived.with_row_index("_row")
    for name in content:
        if name not in omitted:
            continue
        left = pl.col("_left_out").list.contains(name)
        tells = ~left & ~pl.col("_gone")
        nearest = pl.when(tells).then(pl.col("_row")).forward_fill().over(key)
        source = lived.select(source=nearest)["source"]
        is_left = lived.select(left.alias("left"))["left"].fill_null(False)
        held = held | (is_left & source.is_null())
        filled = lived[name].gather(source.fill_null(0)).set(source.is_null(), None) if lived.height else lived[name]
        lived = lived.with_columns(filled.zip_with(is_left, lived[name]).alias(name))
    return lived.drop("_row").with_columns(_is_held=held)


def _valid_from(contract: Contract, key: list[str]) -> pl.Expr:
    """When a version began: the commit's time, or the ordering column; never below its predecessor's."""
    if contract.kind is Kind.CDC:
        time = pl.col("_committed_at")
    elif contract.ordering and contract.column(contract.ordering).dtype.is_temporal():
        time = pl.col(contract.ordering).cast(VERSION["valid_from"])
    else:
        return pl.lit(None, VERSION["valid_from"])
    return time.cum_max().forward_fill().over(key)


def _tell_versions(told: pl.DataFrame, key: list[str], compared: list[str]) -> pl.DataFrame:
    """Versions among the changes of each key, which come oldest first with `valid_from`."""
    frame = told.with_row_index("_at")
    has_next, follows = _same_key(key, -1), _same_key(key, 1)
    replaced = has_next & pl.col("valid_from").eq_missing(pl.col("valid_from").shift(-1))
    standing = frame.filter(~replaced)
    same_content = [pl.col(name).eq_missing(pl.col(name).shift(1)) for name in compared]
    unchanged = pl.all_horizontal(same_content) if same_content else pl.lit(True)
    repeats = follows & ~pl.col("_gone") & ~pl.col("_gone").shift(1).fill_null(True) & unchanged
    standing = standing.with_columns(_is_version=~pl.col("_gone") & ~repeats, _is_latest=~pl.col("_gone") & ~has_next)
    edges = standing.filter(pl.col("_is_version") | pl.col("_gone")).select(
        "_at",
        valid_to=pl.when(has_next).then(pl.col("valid_from").shift(-1)),
        is_current=pl.col("_is_version") & ~has_next,
    )
    flagged = standing.select("_at", "_is_version", "_is_latest").join(edges, on="_at", how="left")
    joined = frame.join(flagged, on="_at", how="left", maintain_order="left").drop("_at")
    return joined.with_columns(pl.when("_is_version").then("valid_to").alias("valid_to"))


def _same_key(key: list[str], shift: int) -> pl.Expr:
    """Whether the row `shift` places before (1) or after (-1) belongs to the same key."""
    place = pl.int_range(pl.len())
    inside = place > 0 if shift > 0 else place < pl.len() - 1
    return inside & pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(shift)) for name in key)
