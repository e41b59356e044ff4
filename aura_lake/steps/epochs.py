"""Epochs: the lives of a source's log. A restore or a failover may set its positions back, and then a lower LSN is
newer than a higher one.

That it happened is a decision with a time: a change that committed later belongs to the new epoch. So the epoch of a
change does not depend on when or where it arrived. `fence` notices what looks like a new life, before a row of it is
taken for an old one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.decisions import NEW_EPOCH, Decision, decide, decisions
from aura_lake.delta.table import LakeTable
from aura_lake.errors import SettingsError, SourceRewound
from aura_lake.lake import Lake


def epochs_of(lake: Lake, feed: str) -> list[datetime]:
    """When each new life of the log behind a feed began, ascending; empty where there was one life only."""
    found = {
        datetime.fromisoformat(decision.facts["after"])
        for decision in decisions(lake, NEW_EPOCH)
        if feed in decision.facts["feeds"]
    }
    return sorted(found)


def begin_epoch(lake: Lake, feeds: list[str], after: datetime, *, who: str, why: str) -> Decision:
    """Decide that the log behind these feeds began anew after a time. Raises SettingsError where the time has no
    zone, lies ahead, or a later epoch stands already."""
    if after.tzinfo is None or after > datetime.now(UTC):
        raise SettingsError(
            f"{after.isoformat()} cannot begin an epoch: it has to be a past time with its zone.",
            fix="E.g. --after 2026-11-20T14:03:00Z.",
        )
    for feed in feeds:
        standing = epochs_of(lake, feed)
        if standing and after <= standing[-1]:
            raise SettingsError(
                f"The epoch of {feed} that began after {standing[-1].isoformat()} is as new or newer.",
                fix="An epoch begins after the one before it.",
            )
    return decide(lake, NEW_EPOCH, {"feeds": feeds, "after": after.isoformat()}, who=who, why=why)


def fence(log: LakeTable, contract: Contract, judged: pl.DataFrame) -> None:
    """Raise SourceRewound where valid streamed changes of `judged` show that the source's log began anew.

    A change is compared with the highest LSN of its own epoch, in the log or in the frame; what committed before that
    one may be as low as it likes: it comes late. Snapshot reads are no measure.
    """
    if contract.kind is not Kind.CDC:
        return
    streamed = judged.filter(_IS_MEASURE).select("_epoch", *_MEASURES)
    for (epoch,), changes in streamed.group_by("_epoch"):
        assert isinstance(epoch, int)
        top = max(_in_order(changes), _top_of_log(log, epoch, changes, contract.lsn_fence))
        below = changes.filter(
            (pl.col("_committed_at") > top.committed_at) & (pl.col("_lsn") < top.lsn - contract.lsn_fence)
        )
        if not below.is_empty():
            raise _rewound(contract, below, top)


_MEASURES = ("_lsn", "_committed_at")

_IS_MEASURE = (
    (pl.col("verdict") == "valid")
    & ~pl.col("_is_snapshot")
    & pl.all_horizontal(pl.col(name).is_not_null() for name in _MEASURES)
)


class _Top(NamedTuple):
    """The change with the highest LSN."""

    lsn: int
    committed_at: datetime


def _in_order(changes: pl.DataFrame) -> _Top:
    return _Top(*changes.select(_MEASURES).sort(_MEASURES).row(-1))


def _top_of_log(log: LakeTable, epoch: int, changes: pl.DataFrame, fence_bytes: int) -> _Top:
    """The highest LSN of an epoch in the log. The rows are read only where file statistics show one that is so much
    higher than the lowest of `changes`; where there is none, what comes back is below every change."""
    nothing = _Top(-1, datetime.min.replace(tzinfo=UTC))
    files = log.files()
    if "max._lsn" not in files.columns:
        return nothing
    lowest = _in_order(changes.sort(_MEASURES).head(1)).lsn
    highest = files.filter(pl.col("partition.outcome") == "valid")["max._lsn"].max()
    if not isinstance(highest, int) or highest - lowest <= fence_bytes:
        return nothing
    higher = (pl.col("outcome") == "valid") & (pl.col("_lsn") > lowest + fence_bytes) & (pl.col("_epoch") == epoch)
    standing = log.scan().filter(higher & _IS_MEASURE).select(_MEASURES)
    found = standing.sort(_MEASURES).tail(1).collect()
    return nothing if found.is_empty() else _in_order(found)


def _rewound(contract: Contract, below: pl.DataFrame, top: _Top) -> SourceRewound:
    committed, lowest = below.select(pl.col("_committed_at").min(), pl.col("_lsn").min()).row(0)
    return SourceRewound(
        f"{contract.table}: {below.height} changes that committed from {committed.isoformat()} on have an "
        f"LSN down to {lowest}, and the one of {top.committed_at.isoformat()} has {top.lsn}: the log of "
        f"the source of {contract.feed} seems to have begun anew (a restore, a failover). None of them was taken in.",
        fix=f"aura source new-epoch {contract.feed} --after {top.committed_at.isoformat()} --reason … counts what "
        "committed later as newer, whatever its LSN; then aura source resnapshot repairs what the old life lost. "
        f"If it is one log after all, raise lsnFence ({contract.lsn_fence} bytes) in the contract.",
    )
