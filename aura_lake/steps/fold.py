"""Fold: the valid changes of a log become history and current rows.

Each of the two tables has its own watermark on the log. A fold reads the partitions of the keys that
changed, derives these keys anew, and writes the partitions back in one commit. `read_state` is the only
way in for readers, so that folding every N batches would change nothing for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from aura_lake.cdc.fold import derive_versions
from aura_lake.cdc.order import stale_reads
from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LOG, REWRITTEN
from aura_lake.lake import Lake
from aura_lake.layouts import VERSION, table_columns
from aura_lake.steps.lenders import Lenders, lenders_of
from aura_lake.steps.placement import place
from aura_lake.steps.relatives import Relatives, relatives_of

#: Log rows folded in one commit; a first load of a large table takes several.
FOLD_RECORDS = 2_000_000

#: Rows of the partitions that are derived together.
GROUP_RECORDS = 500_000


@dataclass(frozen=True)
class FoldReport:
    """What one fold did.

    `keys` were derived anew; of their changes `held_back` wait for a value that they left out. `stale_reads`
    came after a delete that is newer: a snapshot overlaps the stream, and no row came back.
    """

    table: str
    from_batch: int
    to_batch: int
    changes: int = 0
    keys: int = 0
    buckets: int = 0
    held_back: int = 0
    stale_reads: int = 0
    seconds: float = 0.0


def fold(lake: Lake, contract: Contract) -> FoldReport:
    """Bring history and current up to the log."""
    started = time.monotonic()
    log, history, current = lake.log(contract), lake.history(contract), lake.current(contract)
    begun, rewritten = history.watermark(LOG), log.watermark(REWRITTEN)
    if rewritten > begun:  # under another contract, or a rebuild died between the log and the state
        refold(lake, contract)
    elif rewritten > current.watermark(LOG):
        _write_current(history, current, contract, None)
    history, current = lake.history(contract).create(), lake.current(contract).create()
    total = _Folded()
    for last in _fold_groups(log, history.watermark(LOG), log.watermark(LOG)):
        in_step = current.watermark(LOG) == history.watermark(LOG)
        folded = _fold_history(log, history, contract, last)
        _write_current(history, current, contract, folded.buckets if in_step else None)
        total.add(folded)
    if current.watermark(LOG) < history.watermark(LOG):  # a fold died between the two commits
        _write_current(history, current, contract, None)
    return FoldReport(
        table=contract.table,
        from_batch=begun,
        to_batch=history.watermark(LOG),
        changes=total.changes,
        keys=total.keys,
        buckets=len(total.buckets),
        held_back=total.held,
        stale_reads=total.stale,
        seconds=time.monotonic() - started,
    )


def refold(lake: Lake, contract: Contract) -> None:
    """Derive history and current from the whole log, each in one commit that takes the old one's place."""
    log, history, current = lake.log(contract), lake.history(contract), lake.current(contract)
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
    changes: int = 0
    keys: int = 0
    held: int = 0
    stale: int = 0
    buckets: set[str] = field(default_factory=set)

    def add(self, more: _Folded) -> None:
        self.changes, self.keys = self.changes + more.changes, self.keys + more.keys
        self.held, self.stale = self.held + more.held, self.stale + more.stale
        self.buckets |= more.buckets


def _fold_history(
    log: LakeTable, history: LakeTable, contract: Contract, last: int, *, from_scratch: bool = False
) -> _Folded:
    key = list(contract.key)
    fresh = _fresh_rows(log, contract, -1 if from_scratch else history.watermark(LOG), last)
    truncates = standing_rows(log, ["truncate"]).filter(pl.col("log_batch") <= last).collect()
    empties_all = from_scratch or bool((fresh["outcome"] == "truncate").any())
    fresh = fresh.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in key))
    placed = place(fresh, history, contract, from_scratch=from_scratch)
    changes = placed.rows.filter(pl.col("verdict").is_in(["valid", "quarantined"]))
    changes = changes.with_columns(_is_valid=pl.col("verdict") == "valid")
    known = pl.LazyFrame(schema=dict(history.layout.columns)) if from_scratch else history.scan()
    standing = known.join(fresh.select(UNIT).lazy(), on=UNIT, how="anti", nulls_equal=True)
    read_to = -1 if from_scratch else history.watermark(LOG)
    lent = lenders_of(changes, log, history, contract, read_to, last)
    family = relatives_of(changes, standing, history, contract, everything=empties_all, leaving=placed.left)
    touched = {*placed.rows["_bucket"].unique().to_list(), *placed.left}
    touched |= {*(family.buckets if family else ()), *(lent.buckets if lent else ())}
    if empties_all and not from_scratch:
        touched |= set(history.partition_values("_bucket"))
    more = [found.keys for found in (family, lent) if found]
    keys = None if empties_all else pl.concat([fresh.select(key), *more]).unique()
    strays = placed.strays.join(fresh, on=UNIT, how="anti", nulls_equal=True)
    stay = standing.join(strays.select(UNIT).lazy(), on=UNIT, how="anti", nulls_equal=True)
    folded = _Folded(changes=changes.height, buckets=touched)
    with Commit(history, replacing=from_scratch) as commit:
        files = history.files()
        for buckets in _bucket_groups(touched, files, placed.rows):
            inside = pl.col("_bucket").is_in(buckets)
            before = pl.concat([stay.filter(inside).collect(), strays.filter(inside)])
            untouched, derived = _derive(before, changes.filter(inside), keys, truncates, contract, family, lent)
            folded.keys += derived.select(key).unique().height
            folded.held += int(derived["_is_held"].sum())
            folded.stale += stale_reads(derived, key).join(fresh, on=UNIT, how="semi", nulls_equal=True).height
            if not from_scratch and "partition._bucket" in files.columns:
                commit.remove(files.filter(pl.col("partition._bucket").is_in(buckets)))
            commit.add(pl.concat([untouched, derived]).select(list(history.layout.columns)))
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
    columns = [
        *UNIT,
        "judgement",
        "outcome",
        "verdict",
        *(n for n in VERSION if n.startswith("_") and n in log.layout.columns),
    ]
    columns += [name for name in table_columns(contract) if name not in columns]
    mine = pl.col("log_batch").is_between(read_to + 1, last)
    concerned = pl.col("outcome").is_in(["valid", "quarantined", "truncate"]) | (pl.col("judgement") > 0)
    rows = log.scan().filter(mine & concerned).select(columns).collect()
    if (rows["judgement"] > 0).any():
        rows = rows.filter(pl.col("judgement") == pl.col("judgement").max().over(UNIT))
    return rows


def _derive(
    before: pl.DataFrame,
    fresh: pl.DataFrame,
    keys: pl.DataFrame | None,
    truncates: pl.DataFrame,
    contract: Contract,
    family: Relatives | None,
    lent: Lenders | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Some partitions of the history with the fresh changes in them: (rows of keys that nothing came for,
    rows derived anew). `keys`: those for which something came; None: all."""
    untouched = before.clear()
    if keys is not None:
        key = list(contract.key)
        untouched, before = before.join(keys, on=key, how="anti"), before.join(keys, on=key, how="semi")
    shared = [name for name in before.columns if name in fresh.columns]
    changes = pl.concat([before.select(shared), fresh.select(shared)])
    relatives, copies = family.rows if family else None, lent.rows if lent else None
    derived = derive_versions(changes, truncates, contract, relatives, copies)
    return untouched.select(derived.columns), derived


def _write_current(history: LakeTable, current: LakeTable, contract: Contract, buckets: set[str] | None) -> None:
    """Write the current rows of some partitions (None: all) from the history."""
    columns = list(current.layout.columns)
    rows = history.scan().filter("_is_latest")
    with Commit(current, replacing=buckets is None) as commit:
        if buckets is not None:
            rows = rows.filter(pl.col("_bucket").is_in(sorted(buckets)))
            files = current.files()
            if "partition._bucket" in files.columns:
                commit.remove(files.filter(pl.col("partition._bucket").is_in(sorted(buckets))))
        commit.add(rows.select(columns).collect())
        read_to, goal = current.watermark(LOG), history.watermark(LOG)
        if goal > read_to:
            commit.publish({LOG: (read_to, goal)}, metadata={"table": contract.table})
        else:
            rebuilt = current.watermark("rebuild")
            commit.publish({"rebuild": (rebuilt, rebuilt + 1)}, metadata={"rebuild": contract.table})


def held_rows(history: LakeTable, contract: Contract) -> pl.LazyFrame:
    """The changes that wait for a value they left out: position, key, and `_left_out`."""
    return history.scan().filter("_is_held").select(*UNIT, *contract.key, "_left_out")


def versions(history: LakeTable, columns: Sequence[str]) -> pl.LazyFrame:
    """The public versions of a history: the table's columns, `valid_from`, `valid_to`, `is_current`."""
    return versions_in(history.scan(), columns)


def versions_in(rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """The public versions among some rows of a history."""
    return rows.filter("_is_version").select(*columns, "valid_from", "valid_to", "is_current")
