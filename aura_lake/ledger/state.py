"""Log, history, current rows and warehouse against each other: a row lost behind the log shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT
from aura_lake.delta.table import LakeTable
from aura_lake.ledger.equation import NAMED, Equation
from aura_lake.ledger.places import differing, name_place, sum_of
from aura_lake.ledger.units import standing_units

#: Rows of the history looked at in one piece; a key never spans two partitions.
PIECE_ROWS = 1_000_000


def count_state(contract: Contract, log: LakeTable, history: LakeTable, current: LakeTable) -> list[Equation]:
    """The equations of a folded table. State that has not caught up is compared with the log as far as it
    has read; current rows and history only where they stand at the same batch (between, a fold waits)."""
    if not history.exists:
        return []
    equations = [_changes(contract, log, history), _versions(contract, history)]
    if current.exists and current.watermark("log") == history.watermark("log"):
        equations += [_live_keys(contract, history, current), _live_rows(history, current)]
    return equations


def _changes(contract: Contract, log: LakeTable, history: LakeTable) -> Equation:
    """Every valid or waiting change of the log with a whole key stands in the history, once."""
    columns = [*UNIT, "_is_valid"]
    whole_key = pl.all_horizontal(pl.col(name).is_not_null() for name in contract.key)
    judged = standing_units(log, upto=history.watermark("log")).filter(
        pl.col("outcome").is_in(["valid", "quarantined"]) & whole_key
    )
    changes = judged.with_columns(_is_valid=pl.col("verdict") == "valid").select(columns)
    kept = history.scan().select(columns)
    left, right = sum_of(changes, columns), sum_of(kept, columns)
    first = differing(changes, kept, columns, "the log", "the history") if left != right else ()
    return Equation("changes of the log = changes of the history", left.rows, right.rows, first)


def _live_keys(contract: Contract, history: LakeTable, current: LakeTable) -> Equation:
    """The keys with a current version are the keys of the current rows, each once."""
    key = list(contract.key)
    live, rows = history.scan().filter("is_current").select(key), current.scan().select(key)
    left, right = sum_of(live, key), sum_of(rows, key)
    first = differing(live, rows, key, "the history", "the current rows") if left != right else ()
    if not first:
        twice = rows.group_by(key).agg(pl.len().alias("times")).filter(pl.col("times") > 1)
        found = twice.sort(key).head(NAMED).collect(engine="streaming")
        first = tuple(f"{name_place(row)} stands {row['times']} times" for row in found.iter_rows(named=True))
    return Equation("live keys of the history = current rows", left.rows, right.rows, first)


def _live_rows(history: LakeTable, current: LakeTable) -> Equation:
    """The newest rows of the history are the current rows, value for value."""
    columns = list(current.layout.columns)
    newest, rows = history.scan().filter("_is_latest").select(columns), current.scan().select(columns)
    left, right = sum_of(newest, columns), sum_of(rows, columns)
    first: tuple[str, ...] = ()
    if left != right:
        first = differing(newest, rows, columns, "the history", "the current rows")
    return Equation("newest rows of the history = current rows, by value", left.rows, right.rows, first)


def _versions(contract: Contract, history: LakeTable) -> Equation:
    """Versions of a key do not overlap, and one of them is current where none follows."""
    key = list(contract.key)
    versions = sound = 0
    first: list[str] = []
    for piece in _pieces(history, [*key, "valid_from", "valid_to", "is_current"]):
        ordered = piece.sort(*key, "valid_from", nulls_last=False)
        same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in key)
        follows = same & (pl.int_range(pl.len()) < pl.len() - 1)
        begins_after = pl.col("valid_from").shift(-1) >= pl.col("valid_to")
        disjoint = ~follows | begins_after.fill_null(False)
        forward = (pl.col("valid_to") > pl.col("valid_from")).fill_null(True)
        open_is_current = pl.col("is_current") == (pl.col("valid_to").is_null() & ~follows)
        judged = ordered.select(*key, good=disjoint & forward & open_is_current)
        versions, sound = versions + judged.height, sound + int(judged["good"].sum())
        for row in judged.filter(~pl.col("good")).drop("good").head(NAMED - len(first)).iter_rows(named=True):
            first.append(f"{name_place(row)} has versions that overlap, or not one current")
    return Equation("versions = versions that do not overlap, the last current", versions, sound, tuple(first))


def _pieces(history: LakeTable, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The public versions, some partitions at a time."""
    files = history.files()
    if files.is_empty():
        return
    sizes = files.group_by("partition._bucket").agg(pl.col("num_records").sum()).sort("partition._bucket")
    held: list[str] = []
    rows = 0
    for bucket, count in [*sizes.iter_rows(), (None, PIECE_ROWS)]:
        if held and rows + count > PIECE_ROWS:
            mine = history.scan().filter(pl.col("_bucket").is_in(held) & pl.col("_is_version"))
            yield mine.select(columns).collect()
            held, rows = [], 0
        if bucket is not None:
            held.append(bucket)
            rows += count
