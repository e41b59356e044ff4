"""From the changes of some keys to their versions: the pure heart of state.

Everything is derived anew from the distinct changes of a key, so arrival does not matter: repeat,
shuffle or split them and the versions are the same.
"""

from __future__ import annotations

import polars as pl

from aura_lake.cdc.envelope import CREATE, DELETE
from aura_lake.cdc.moves import MOMENT, is_moved, links
from aura_lake.cdc.order import POSITION_ORDER, in_change_order, in_row_order
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
    "_moved_lsn",
    "_gone_lsn",
    "_without_lsn",
)


def derive_versions(
    changes: pl.DataFrame,
    truncates: pl.DataFrame,
    contract: Contract,
    relatives: pl.DataFrame | None = None,
    copies: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Every change with its place in the life of its key.

    In:  one row per distinct change of the keys concerned, all of them: position, `part`, `CHANGE`,
         `_is_valid` (False: it waits in quarantine), `_bucket`, the table's columns. `truncates`: the
         table's truncates, as rows of the same columns without key. `relatives`: all changes of the keys
         that key changes connect with these (see `moves.family`), from which left-out values are read.
         `copies`: where else these changes were delivered (see `order.in_change_order`).
    Out: the rows of `changes`, their columns plus `DERIVED`; what a change left out is filled from an earlier
         version, and a row for which there is none yet is `_is_held`. `_is_version` rows do not overlap and
         leave no gap while the key lives; one of them is `is_current` where the key lives; `_is_latest` is
         the row that current shows.
    """
    key = list(contract.key)
    columns = table_columns(contract)
    content = [name for name in columns if name not in key]
    bare = _with_relatives(changes.drop(name for name in DERIVED if name in changes.columns), relatives)
    emptied = _with_truncates(bare, truncates, key)
    is_change = contract.kind is Kind.CDC
    ordered = in_change_order(emptied, key, copies) if is_change else in_row_order(emptied, key, contract.ordering)
    ordered = ordered.with_columns(
        _gone=pl.col("_op").is_in(["d", "t"]).fill_null(False),
        _has_newer_in_quarantine=(~pl.col("_is_valid")).last().over(key),
        _moved_lsn=pl.when(is_moved()).then("_lsn"),
        _gone_lsn=pl.when(pl.col("_op") == DELETE).then(pl.col("_lsn").fill_null(0)),
        _without_lsn=pl.when(pl.col("_lsn").is_null() & is_change).then(pl.lit(0, pl.Int64)),
    )
    filled = _fill_left_out(ordered, key, content)
    lived, waiting = filled.filter("_is_valid"), filled.filter(~pl.col("_is_valid"))
    told = lived.filter(~pl.col("_is_held")).with_columns(valid_from=_valid_from(contract, key))
    compared = [name for name in content if name != contract.ordering or contract.kind is Kind.CDC]
    told = _tell_versions(told, key, compared)
    rest = pl.concat([lived.filter("_is_held"), waiting], how="diagonal")
    flags = ["is_current", "_is_version", "_is_latest"]
    whole = pl.concat([told, rest], how="diagonal").with_columns(pl.col(flag).fill_null(False) for flag in flags)
    real = whole.filter(pl.col("_is_asked") & ~pl.col("_is_synthetic"))
    order = [*VERSION, *columns]
    absent = [
        pl.lit(None, VERSION[name]).alias(name) for name in ("valid_from", "valid_to") if name not in real.columns
    ]
    return real.with_columns(absent).select(order)


def _with_relatives(changes: pl.DataFrame, relatives: pl.DataFrame | None) -> pl.DataFrame:
    """`changes` with the changes of other keys beside them; `_is_asked` tells them apart."""
    asked = changes.with_columns(_is_asked=pl.lit(True))
    if relatives is None or relatives.is_empty():
        return asked
    others = relatives.join(changes, on=POSITION_ORDER, how="anti", nulls_equal=True)
    beside = [name for name in changes.columns if name in others.columns]
    return pl.concat([asked, others.select(beside).with_columns(_is_asked=pl.lit(False))], how="diagonal")


def _with_truncates(changes: pl.DataFrame, truncates: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """`changes` with a synthetic delete of every key for every truncate."""
    real = changes.with_columns(_is_synthetic=pl.lit(False))
    if truncates.is_empty():
        return real
    marks = truncates.select(*POSITION, "part", *CHANGE).with_columns(
        _is_valid=pl.lit(True), _is_synthetic=pl.lit(True)
    )
    every = changes.select(key).unique().join(marks, how="cross")
    return pl.concat([real, every], how="diagonal")


def _fill_left_out(ordered: pl.DataFrame, key: list[str], content: list[str]) -> pl.DataFrame:
    """Values that a change left out (unchanged TOAST) from the nearest earlier change of the same row that
    tells them. A valid change for which there is none, or for which that one waits in quarantine, is held
    back (`_is_held`): a row that PostgreSQL never had must not stand."""
    omitted = ordered.select(pl.col("_left_out").list.explode().unique())["_left_out"].drop_nulls().to_list()
    if not omitted:
        return ordered.with_columns(_is_held=pl.lit(False))
    rows = ordered.with_row_index("_row").with_columns(pl.col("_row").cast(pl.Int64))
    rows = rows.with_columns(_before=_row_before(rows, key))
    stretch = (pl.col("_before") != pl.col("_row") - 1).fill_null(True).cum_sum()
    rows = rows.with_columns(_stretch=stretch).with_columns(_origin=pl.col("_before").first().over("_stretch"))
    moves = rows.filter(pl.col("_origin").is_not_null())["_stretch"].n_unique()
    held = pl.repeat(False, rows.height, eager=True)
    for name in (name for name in content if name in omitted):
        left = pl.col("_left_out").list.contains(name).fill_null(False)
        told_by = pl.when(~left & ~pl.col("_gone")).then("_row").forward_fill().over("_stretch")
        is_left, source = rows.select(left=left, source=told_by)
        for _ in range(moves):  # each step crosses one more key change
            source = source.zip_with(source.is_not_null(), source.gather(rows["_origin"]))
        told = source.is_not_null() & rows["_is_valid"].gather(source).fill_null(False)
        held = held | (is_left & ~told)
        values = rows[name].gather(source).set(~told, None)
        rows = rows.with_columns(values.zip_with(is_left & rows["_is_valid"], rows[name]).alias(name))
    return rows.drop("_row", "_before", "_stretch", "_origin").with_columns(_is_held=held & rows["_is_valid"])


def _row_before(rows: pl.DataFrame, key: list[str]) -> pl.Series:
    """For each change the number (`_row`) of the one that left the row as it found it: the change before of
    the same key; for a create that of the old key, where it is the second half of a key change; else null."""
    alive = _same_key(key, 1) & ~pl.col("_gone").shift(1).fill_null(True)
    before = rows.select(pl.when(alive).then(pl.col("_row") - 1).alias("before"))["before"]
    inherited = pl.Series("before", [None], dtype=pl.Int64).new_from_index(0, rows.height)
    found = links(rows.filter(~pl.col("_is_synthetic")), key)
    # With two deletes to choose from, neither is chosen: a value is never guessed.
    found = found.filter(pl.len().over(*MOMENT, *(f"to:{name}" for name in key)) == 1)
    if not found.is_empty():
        places = rows.select("_row", "_op", *MOMENT, *key)
        old = places.filter(pl.col("_op") == DELETE).rename({"_row": "_deleted", **{n: f"from:{n}" for n in key}})
        new = places.filter(pl.col("_op") == CREATE).rename({n: f"to:{n}" for n in key})
        pairs = found.join(old, on=[*MOMENT, *(f"from:{n}" for n in key)])
        pairs = pairs.join(new, on=[*MOMENT, *(f"to:{n}" for n in key)])
        inherited = inherited.scatter(pairs["_row"], before.gather(pairs["_deleted"]))
    is_created = rows.select((pl.col("_op") == CREATE).fill_null(False))["_op"]
    return inherited.zip_with(is_created, before)


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
