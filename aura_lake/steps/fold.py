"""Fold: the valid changes of a log become history and current rows.

Each of the two tables has its own watermark on the log. A fold reads the partitions of the keys that
changed, derives these keys anew, and writes the partitions back in one commit. `read_state` is the only
way in for readers, so that folding every N batches would change nothing for them.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from aura_lake.cdc.fold import derive_versions
from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LOG
from aura_lake.lake import Lake
from aura_lake.layouts import VERSION, table_columns

#: Partitions of a state whose contract names no creation time.
HASH_BUCKETS = 16

#: Where a key stands whose creation time has not been seen yet (its delete came first).
UNKNOWN_PERIOD = "unknown"

#: Log rows folded in one commit; a first load of a large table takes several.
FOLD_RECORDS = 2_000_000

#: Rows of the partitions that are derived together.
GROUP_RECORDS = 500_000


@dataclass(frozen=True)
class FoldReport:
    """What one fold did: `keys` derived anew, live rows and versions in the partitions it wrote."""

    table: str
    from_batch: int
    to_batch: int
    changes: int = 0
    keys: int = 0
    buckets: int = 0
    held_back: int = 0
    seconds: float = 0.0


def fold(lake: Lake, contract: Contract) -> FoldReport:
    """Bring history and current up to the log."""
    started = time.monotonic()
    log, history, current = lake.log(contract), lake.history(contract).create(), lake.current(contract).create()
    begun = history.watermark(LOG)
    changes = keys = held = 0
    touched: set[str] = set()
    for last in _fold_groups(log, history.watermark(LOG), log.watermark(LOG)):
        in_step = current.watermark(LOG) == history.watermark(LOG)
        folded = _fold_history(log, history, contract, last)
        changes, keys, held = changes + folded.changes, keys + folded.keys, held + folded.held
        touched |= folded.buckets
        _write_current(history, current, contract, folded.buckets if in_step else None)
    if current.watermark(LOG) < history.watermark(LOG):  # a fold died between the two commits
        _write_current(history, current, contract, None)
    seconds = time.monotonic() - started
    return FoldReport(contract.table, begun, history.watermark(LOG), changes, keys, len(touched), held, seconds)


def refold(lake: Lake, contract: Contract) -> None:
    """Derive history and current from the whole log, each in one commit that takes the old one's place."""
    log, history, current = lake.log(contract), lake.history(contract).create(), lake.current(contract).create()
    _fold_history(log, history, contract, log.watermark(LOG), from_scratch=True)
    _write_current(history, current, contract, None)


def _fold_groups(log: LakeTable, read_to: int, goal: int) -> Iterator[int]:
    if goal <= read_to:
        return
    files = log.files()
    held = 0
    if not files.is_empty():
        sizes = dict(files.group_by("max.log_batch").agg(pl.col("num_records").sum()).iter_rows())
        for batch in range(read_to + 1, goal):
            held += sizes.get(batch, 0)
            if held + sizes.get(batch + 1, 0) > FOLD_RECORDS:
                yield batch
                held = 0
    yield goal


@dataclass
class _Folded:
    changes: int
    keys: int
    held: int
    buckets: set[str]


def _fold_history(
    log: LakeTable, history: LakeTable, contract: Contract, last: int, *, from_scratch: bool = False
) -> _Folded:
    read_to = -1 if from_scratch else history.watermark(LOG)
    key = list(contract.key)
    fresh = _fresh_rows(log, contract, read_to, last)
    truncates = standing_rows(log, ["truncate"]).filter(pl.col("log_batch") <= last).collect()
    empties_all = fresh.filter(pl.col("outcome") == "truncate").height > 0 or from_scratch
    fresh = fresh.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in key))
    placed = fresh.with_columns(_bucket=buckets_of(fresh, contract))
    strays = history.scan().limit(0).collect()
    if not from_scratch and contract.period:
        placed = _locate(placed, history, contract)
        strays = _strays(placed, history, contract)
    standing = history.partition_values("_bucket") if history.exists else set()
    touched = set(placed["_bucket"].unique().to_list()) | (set(standing) if empties_all else set())
    if not strays.is_empty():
        touched.add(UNKNOWN_PERIOD)
    folded = _Folded(placed.height, 0, 0, touched)
    with Commit(history) as commit:
        files = history.files()
        if from_scratch:
            commit.remove(files)
        for buckets in _bucket_groups(touched, files, placed):
            inside = pl.col("_bucket").is_in(buckets)
            before = None
            if not from_scratch:
                before = history.scan().filter(inside).collect().join(strays, on=UNIT, how="anti", nulls_equal=True)
                before = pl.concat([before, strays.filter(inside).select(before.columns)])
            mine = placed.filter(inside)
            rows = _derive_buckets(before, mine, truncates, contract, everything=empties_all, folded=folded)
            if not from_scratch and "partition._bucket" in files.columns:
                commit.remove(files.filter(pl.col("partition._bucket").is_in(buckets)))
            commit.add(rows.select(list(history.layout.columns)))
        standing_mark = history.watermark(LOG)
        if last > standing_mark:
            commit.publish({LOG: (standing_mark, last)}, metadata={"table": contract.table})
        else:
            rebuilt = history.watermark("rebuild")
            commit.publish({"rebuild": (rebuilt, rebuilt + 1)}, metadata={"rebuild": contract.table})
    return folded


def _bucket_groups(touched: set[str], files: pl.DataFrame, placed: pl.DataFrame) -> Iterator[list[str]]:
    """The touched partitions in groups that fit into memory together."""
    sizes = dict(placed.group_by("_bucket").len().iter_rows())
    if "partition._bucket" in files.columns:
        for bucket, count in files.group_by("partition._bucket").agg(pl.col("num_records").sum()).iter_rows():
            sizes[bucket] = sizes.get(bucket, 0) + count
    group: list[str] = []
    held = 0
    for bucket in sorted(touched):
        if group and held + sizes.get(bucket, 0) > GROUP_RECORDS:
            yield group
            group, held = [], 0
        group.append(bucket)
        held += sizes.get(bucket, 0)
    if group:
        yield group


def _fresh_rows(log: LakeTable, contract: Contract, read_to: int, last: int) -> pl.DataFrame:
    """The log rows of the batches (read_to, last] that concern state, of each unit the last judgement."""
    columns = [*UNIT, "judgement", "outcome", "verdict", *(n for n in VERSION if n.startswith("_") and n in log.layout.columns)]
    columns += [name for name in table_columns(contract) if name not in columns]
    mine = pl.col("log_batch").is_between(read_to + 1, last)
    concerned = pl.col("outcome").is_in(["valid", "quarantined", "truncate"]) | (pl.col("judgement") > 0)
    rows = log.scan().filter(mine & concerned).select(columns).collect()
    if (rows["judgement"] > 0).any():
        rows = rows.filter(pl.col("judgement") == pl.col("judgement").max().over(UNIT))
    return rows


def _derive_buckets(
    before: pl.DataFrame | None,
    mine: pl.DataFrame,
    truncates: pl.DataFrame,
    contract: Contract,
    *,
    everything: bool,
    folded: _Folded,
) -> pl.DataFrame:
    """Some partitions of the history with the fresh changes in them."""
    key = list(contract.key)
    changes = mine.filter(pl.col("verdict").is_in(["valid", "quarantined"])).with_columns(
        _is_valid=pl.col("verdict") == "valid"
    )
    untouched = None
    if before is not None and not before.is_empty():
        kept = before.join(mine, on=UNIT, how="anti", nulls_equal=True)
        if not everything:
            touched_keys = mine.select(key).unique()
            untouched = kept.join(touched_keys, on=key, how="anti")
            kept = kept.join(touched_keys, on=key, how="semi")
        columns = [name for name in kept.columns if name in changes.columns]
        changes = pl.concat([kept.select(columns), changes.select(columns)])
    changes = changes.select(name for name in [*VERSION, *table_columns(contract)] if name in changes.columns)
    derived = derive_versions(changes, truncates, contract)
    folded.keys += derived.select(key).unique().height
    folded.held += int(derived["_is_held"].sum())
    return derived if untouched is None else pl.concat([untouched.select(derived.columns), derived])


def _write_current(history: LakeTable, current: LakeTable, contract: Contract, buckets: set[str] | None) -> None:
    """Write the current rows of some partitions (None: all) from the history."""
    columns = list(current.layout.columns)
    rows = history.scan().filter("_is_latest")
    files = current.files()
    if buckets is not None:
        rows = rows.filter(pl.col("_bucket").is_in(sorted(buckets)))
        if "partition._bucket" in files.columns:
            files = files.filter(pl.col("partition._bucket").is_in(sorted(buckets)))
    with Commit(current) as commit:
        if not files.is_empty():
            commit.remove(files)
        commit.add(rows.select(columns).collect())
        read_to, goal = current.watermark(LOG), history.watermark(LOG)
        if goal > read_to:
            commit.publish({LOG: (read_to, goal)}, metadata={"table": contract.table})
        else:
            rebuilt = current.watermark("rebuild")
            commit.publish({"rebuild": (rebuilt, rebuilt + 1)}, metadata={"rebuild": contract.table})


def buckets_of(rows: pl.DataFrame, contract: Contract) -> pl.Series:
    """The state partition of each row: the day its key was created, or a hash of the key."""
    if contract.period:
        days = rows[contract.period].cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%d")
        return days.fill_null(UNKNOWN_PERIOD)
    return hash_bucket(rows.select(list(contract.key)))


def hash_bucket(keys: pl.DataFrame) -> pl.Series:
    """A stable partition of each key: CRC-32 of its text, modulo `HASH_BUCKETS` (Polars' own hash is not
    the same from version to version)."""
    joined = keys.select(pl.concat_str(pl.all().cast(pl.String), separator="\x1f").alias("key"))["key"]
    return pl.Series([f"{zlib.crc32(text.encode()) % HASH_BUCKETS:02d}" for text in joined.to_list()], dtype=pl.String)


def _locate(placed: pl.DataFrame, history: LakeTable, contract: Contract) -> pl.DataFrame:
    """`placed` with the partition where its key already stands, for rows that do not tell their period (a
    delete carries its key alone), and for keys whose delete came before anything else."""
    key = list(contract.key)
    told = placed.filter(pl.col("_bucket") != UNKNOWN_PERIOD).select(*key, told="_bucket").unique(key, keep="first")
    homeless = placed.filter(pl.col("_bucket") == UNKNOWN_PERIOD).select(key).unique()
    known = history.scan().select(*key, standing="_bucket")
    found = known.join(homeless.lazy(), on=key, how="semi").unique(key, keep="first").collect()
    both = placed.join(told, on=key, how="left").join(found, on=key, how="left")
    standing = pl.when(pl.col("standing") != UNKNOWN_PERIOD).then("standing")
    where = pl.when(pl.col("_bucket") != UNKNOWN_PERIOD).then("_bucket").otherwise(
        pl.coalesce(standing, "told", pl.lit(UNKNOWN_PERIOD))
    )
    return both.with_columns(_bucket=where).drop("told", "standing")


def _strays(placed: pl.DataFrame, history: LakeTable, contract: Contract) -> pl.DataFrame:
    """Rows that wait in the unknown partition for the creation time that `placed` now tells, with the
    partition they belong to."""
    key = list(contract.key)
    told = placed.filter(pl.col("_bucket") != UNKNOWN_PERIOD).select(*key, told="_bucket").unique(key, keep="first")
    waiting = history.scan().filter(pl.col("_bucket") == UNKNOWN_PERIOD).collect()
    joined = waiting.join(told, on=key, how="inner").with_columns(_bucket="told")
    return joined.select(waiting.columns)


def versions(history: LakeTable, columns: Sequence[str]) -> pl.LazyFrame:
    """The public versions of a history: the table's columns, `valid_from`, `valid_to`, `is_current`."""
    return history.scan().filter("_is_version").select(*columns, "valid_from", "valid_to", "is_current")
