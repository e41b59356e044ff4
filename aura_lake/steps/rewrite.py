"""Rewrite: all of bronze judged anew, in one commit that takes the place of a whole log."""

from __future__ import annotations

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.delta.commit import Commit
from aura_lake.delta.watermarks import DECIDED, LANE, LOG, REWRITTEN, of_feed
from aura_lake.lake import Lake
from aura_lake.steps.activate import marks_of
from aura_lake.steps.bronze_records import BronzeRecords
from aura_lake.steps.concerns import decided_upto
from aura_lake.steps.seen import Seen
from aura_lake.steps.unit_judge import UnitJudge


def rewrite(lake: Lake, contract: Contract) -> None:
    """Judge all records under what holds now; columns and types of the log become those of the contract. The
    log's own count moves on, so that everything behind reads it all."""
    bronze, log = lake.bronze(contract.feed), lake.log(contract)
    decided = decided_upto(lake)
    judge, records = UnitJudge(lake, contract, again=True), BronzeRecords(bronze, contract)
    feed, log_batch = of_feed(contract.feed), log.watermark(LOG) + 1
    last = bronze.watermark(LANE)
    live = records.live(last)
    with Commit(log, replacing=True) as commit:
        seen = Seen(None, contract)
        columns = list(log.layout.columns)
        for slice_ in records.read(pl.col("batch") <= last):
            judged = seen.mark(judge(slice_, records.headers, live))
            commit.add(judged.with_columns(log_batch=pl.lit(log_batch, pl.Int64)).select(columns))
        upstreams = {feed: last, DECIDED: decided, LOG: log_batch, REWRITTEN: log_batch}
        moved = {name: (log.watermark(name), to) for name, to in upstreams.items() if to > log.watermark(name)}
        commit.publish(moved, marks=marks_of(lake, contract), metadata={"rebuild": contract.table})
