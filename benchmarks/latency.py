"""How old silver and gold are while a shop lives: from a commit in PostgreSQL to what people see.

The hops of a change, by the clocks of one machine: committed in PostgreSQL; written to its topic by Debezium; in
bronze; judged; folded into silver; shown in gold, which is when the manifest of versions was seen to name a version
of silver that holds it.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.live_chain import LiveChain, Seen, live_chain
from benchmarks.measure import Check, Figure, Report

#: Transactions and clicks a second, and for how long; `small` is to see that it runs.
RATE, CLICKS = 100, 300
SECONDS = {"full": 180, "small": 60}

#: Further rates, to see which is held; each for a minute.
HIGHER = (200, 400)

#: Bars of a change's age in seconds, at the 95th percentile.
SILVER_BAR, GOLD_BAR = 4.0, 10.0

HOPS = ("committed", "topic", "bronze", "judged", "silver", "shown")


def run(scale: str, *, spark: bool) -> Report:
    """The figures, and whether the bars hold. Needs Java, Maven and PostgreSQL, as `aura services up` does."""
    with live_chain() as chain:
        seen = chain.live(RATE, CLICKS, SECONDS[scale])
        changes = hops(chain.lake, seen, "orders")
        figures = [_figure(chain, seen, f"{RATE} transactions/s, {CLICKS} clicks/s", changes)]
        for rate in HIGHER if scale == "full" else ():
            higher = chain.live(rate, 3 * rate, 60)
            told = hops(chain.lake, higher, "orders")
            figures.append(_figure(chain, higher, f"{rate} transactions/s, {3 * rate} clicks/s", told))
    ages = figures[0].facts
    checks = [
        Check("commit to silver, p95 s", ages["silver p95"], SILVER_BAR),
        Check("commit to gold, p95 s", ages["gold p95"], GOLD_BAR),
        Check("lag at the end to lag at the beginning", lag_growth(seen), 2.0),
    ]
    return Report("From a commit in PostgreSQL to what people see", figures, checks, _hop_table(changes))


def hops(lake: Path, seen: Seen, table: str) -> pl.DataFrame:
    """When each change of a table that was committed while the shop lived passed each hop, in seconds since 1970."""
    from deltalake import DeltaTable

    def rows(*parts: str) -> pl.LazyFrame:
        return pl.scan_delta(DeltaTable(str(lake.joinpath(*parts))))

    feed = f"aura_{table}"
    position = ["topic", "partition", "offset"]
    records = rows("bronze", feed).filter(pl.col("row_kind") == "record").select(*position, "timestamp", "batch")
    log = rows("silver", f"{table}_log").filter(pl.col("verdict") == "valid", ~pl.col("_is_snapshot"))
    changes = log.select(*position, "log_batch", "_committed_at").join(records, on=position).collect()
    changes = changes.filter(_epoch("_committed_at").is_between(seen.begun, seen.ended))
    bronze, judged = commits(lake / "bronze" / feed, "lane/files"), commits(lake / "silver" / f"{table}_log", "log")
    folded = commits(lake / "silver" / table, "log")
    shown = pl.DataFrame(
        [(at, tables.get(f"silver.{table}", -1)) for at, tables in seen.shown],
        schema={"shown": pl.Float64, "version": pl.Int64},
        orient="row",
    ).sort("version")
    told = changes.select(
        committed=_epoch("_committed_at"), topic=_epoch("timestamp"), batch="batch", log_batch="log_batch"
    )
    told = told.sort("batch").join_asof(bronze.select(batch="mark", bronze="at"), on="batch", strategy="forward")
    told = told.sort("log_batch").join_asof(
        judged.select(log_batch="mark", judged="at"), on="log_batch", strategy="forward"
    )
    told = told.join_asof(
        folded.select(log_batch="mark", silver="at", version="version"), on="log_batch", strategy="forward"
    )
    return told.sort("version").join_asof(shown, on="version", strategy="forward").select(HOPS)


def commits(table: Path, watermark: str) -> pl.DataFrame:
    """`version`, `at` (seconds since 1970) and `mark` of each commit of a Delta table that moved a watermark, in order
    of the mark. Read from the log as it stands (Delta's protocol: actions `commitInfo` and `txn`)."""
    found = []
    for file in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in file.read_text().splitlines()]
        marks = [action["txn"]["version"] for action in actions if action.get("txn", {}).get("appId") == watermark]
        times = [action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action]
        if marks and times:
            found.append((int(file.stem), times[0] / 1000, marks[0]))
    schema = {"version": pl.Int64, "at": pl.Float64, "mark": pl.Int64}
    return pl.DataFrame(found, schema=schema, orient="row").sort("mark")


def lag_growth(seen: Seen) -> float:
    """The mean lag of the last third of the time the shop lived, to that of the first; a lag below one second's
    records counts as one second's."""
    lags = [line["lag"] for line in seen.lines if seen.begun <= line["at"] <= seen.ended]
    third = max(1, len(lags) // 3)
    least = RATE + CLICKS
    return max(least, sum(lags[-third:]) / third) / max(least, sum(lags[:third]) / third)


def _figure(chain: LiveChain, seen: Seen, label: str, changes: pl.DataFrame) -> Figure:
    silver = changes["silver"] - changes["committed"]
    gold = changes["shown"] - changes["committed"]
    facts: dict[str, Any] = {
        "changes of orders": changes.height,
        "silver p50": _at(silver, 0.5),
        "silver p95": _at(silver, 0.95),
        "gold p50": _at(gold, 0.5),
        "gold p95": _at(gold, 0.95),
        "lag, last third": round(lag_growth(seen), 2),
    }
    return Figure(label, seen.cpu_seconds, seen.ended - seen.begun, seen.peak_mb, 1, facts)


def _hop_table(changes: pl.DataFrame) -> list[str]:
    """Where the time went, a line a hop."""
    lines = []
    for before, after in itertools.pairwise(HOPS):
        spent = changes[after] - changes[before]
        lines.append(f"{before} to {after}: p50 {_at(spent, 0.5):.2f} s, p95 {_at(spent, 0.95):.2f} s")
    return lines


def _at(values: pl.Series, share: float) -> float:
    found = values.drop_nulls().quantile(share, "linear")
    return float("inf") if found is None else round(float(found), 3)


def _epoch(column: str) -> pl.Expr:
    return pl.col(column).dt.epoch("us") / 1_000_000
