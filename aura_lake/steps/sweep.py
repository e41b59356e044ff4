"""Sweep: rows that silver holds and their source no longer has, where the deletes were lost.

Reading a table again repairs what stands there; it cannot show what does not. So the keys of the table are compared
with those of silver: a live row whose last change lies at or below the place in the log at which the keys were read,
and whose key is not among them, is gone. Its delete is written into bronze, at that place of the log.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.decisions import SWEPT, decide
from aura_lake.delta.lease import ApplyLease
from aura_lake.delta.watermarks import LANE, LOG, of_feed
from aura_lake.errors import LeaseHeld, SourceError, SourceUnavailable
from aura_lake.lake import Lake
from aura_lake.outside.kafka import TopicReader
from aura_lake.outside.postgres import Address, connected
from aura_lake.outside.postgres_keys import open_keys
from aura_lake.outside.postgres_replication import read_slot
from aura_lake.privacy.hash import hash_values
from aura_lake.source.facts import Lsn, TableName, lsn_text
from aura_lake.source.silver_keys import keys_as_silver
from aura_lake.steps.absence_batch import commit_absences
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.vanished import deletes_of_vanished

#: Seconds to wait for the connector, and for silver, to reach the place at which the keys were read.
PATIENCE = 180.0


@dataclass(frozen=True)
class SweepReport:
    """What a sweep found: keys at the source, and rows of silver that had vanished there."""

    table: str
    source: TableName
    lsn: Lsn
    keys: int
    vanished: int


def sweep(
    lake: Lake,
    contract: Contract,
    address: Address,
    source: TableName,
    slot: str,
    *,
    who: str,
    why: str,
    patience: float = PATIENCE,
) -> SweepReport:
    """Find the rows of a table that vanished unseen, and write their deletes into bronze and take them in, here
    or in the process that applies.

    Raises SourceUnavailable where the connector or silver does not reach the place of the look within `patience`
    seconds, SourceError where the contract's key is not the table's.
    """
    with open_keys(address, source) as look:
        lsn, taken_at = look.lsn, look.taken_at
        frames = [_as_silver(lake, contract, frame) for frame in look.frames]
    keys = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(contract.key, pl.String))
    _wait_for_connector(address, slot, lsn, patience)
    _wait_for_silver(lake, contract, patience)
    values = deletes_of_vanished(lake, contract, keys, lsn, taken_at)
    if values:
        request = str(uuid.uuid4())
        facts = {
            "table": contract.table,
            "source": str(source),
            "request": request,
            "lsn": lsn_text(lsn),
            "vanished": len(values),
        }
        decide(lake, SWEPT, facts, who=who, why=why)
        commit_absences(lake.bronze(contract.feed), values, request, taken_at)
        _wait_for_silver(lake, contract, patience, topics=False)
    return SweepReport(contract.table, source, lsn, keys.height, len(values))


def _as_silver(lake: Lake, contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    typed = keys_as_silver(frame, contract, lake.shop.time_zone)
    personal = {c.name: c.silver_name for c in contract.columns if c.key_position is not None and c.personal}
    hashed = [hash_values(typed[name].cast(pl.String), lake.hash_key).alias(name) for name in personal]
    return typed.with_columns(hashed).rename(personal).select(contract.key)


def _wait_for_connector(address: Address, slot: str, lsn: Lsn, patience: float) -> None:
    """Until everything up to a place in the log stands in the topics: the slot confirms it then."""
    deadline = time.monotonic() + patience
    with connected(address) as connection:
        while True:
            facts = read_slot(connection, slot)
            if facts is None or facts.wal_status == "lost":
                raise SourceError(
                    f"The slot {slot} is {'gone' if facts is None else 'lost'}: changes do not arrive.",
                    fix="aura source resnapshot --all begins anew.",
                )
            if facts.confirmed_lsn is not None and facts.confirmed_lsn >= lsn:
                return
            if time.monotonic() > deadline:
                at = "nothing" if facts.confirmed_lsn is None else lsn_text(facts.confirmed_lsn)
                raise SourceUnavailable(
                    f"The connector has confirmed {at} after {patience:.0f} s, and the keys were read at "
                    f"{lsn_text(lsn)}.",
                    fix="aura source check says whether it runs; then sweep again.",
                )
            time.sleep(0.5)  # the slot moves with the connector's heartbeat


def _wait_for_silver(lake: Lake, contract: Contract, patience: float, *, topics: bool = True) -> None:
    """Until silver holds what the topics hold now (else: what bronze holds)."""
    feed = lake.shop.feeds[contract.feed]
    ends = {}
    if topics:
        with TopicReader(feed, lake.settings.environ) as reader:
            ends = {lane: extent.end for lane, extent in reader.extents(reader.lanes()).items()}
    goal = None if topics else lake.bronze(feed.name).watermark(LANE)
    deadline = time.monotonic() + patience
    while True:
        _take_in(lake, contract)
        bronze = lake.bronze(feed.name)
        behind = {lane: end for lane, end in ends.items() if bronze.watermark(lane.watermark) + 1 < end}
        if not behind:
            goal = bronze.watermark(LANE) if goal is None else goal
            log = lake.log(contract)
            if log.watermark(of_feed(feed.name)) >= goal and lake.current(contract).watermark(LOG) >= log.watermark(
                LOG
            ):
                return
        if time.monotonic() > deadline:
            lanes = ", ".join(str(lane) for lane in behind)
            raise SourceUnavailable(
                f"silver.{contract.table} did not reach the end of its topics within {patience:.0f} s"
                + (f": {lanes} wait." if behind else "."),
                fix="aura status says what is behind; then sweep again.",
            )
        time.sleep(0.5)  # another process applies


def _take_in(lake: Lake, contract: Contract) -> None:
    """Land, judge and fold what came, unless another process applies: then it does."""
    try:
        with ApplyLease(lake, wait_seconds=0):
            land(lake, lake.shop.feeds[contract.feed])
            judge(lake, contract)
            fold(lake, contract)
    except LeaseHeld:
        return
