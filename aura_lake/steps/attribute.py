"""Attribute: each order carries its user's last non-direct click, and only touched orders are looked at.

The table reads three logs (clicks, orders, lines) and keeps the watermarks of all three in the commit that
holds what came of them. A late click touches the orders of its user in the seven days behind it; a row it
changes moves to `restated`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from aura_lake.commerce.revenue import net_revenue_of_orders
from aura_lake.commerce.touchpoints import LOOKBACK, MODEL, credit_last_touch
from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import standing_rows
from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import ATTRIBUTION, LOG, REWRITTEN, of_log
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION, TOUCHPOINTS, UTC_MICROS, is_folded

#: The tables attribution reads, in the order of its report.
READS = ("clickstream", "orders", "order_items")

#: What is compared to tell whether an order's credit changed.
CREDIT = ("occurred_at", "channel", "campaign", "device_os", "session_id")

_ORDER = {
    "order_id": pl.String(),
    "user_id": pl.String(),
    "ordered_at": UTC_MICROS,
    "order_status": pl.String(),
    "order_amount": pl.Decimal(18, 4),
}
_LINE = {
    "order_id": pl.String(),
    "quantity": pl.Int64(),
    "unit_price": pl.Decimal(18, 4),
    "discount_amount": pl.Decimal(18, 4),
}
_CLICK = {
    **POSITION,
    "user_id": pl.String(),
    "occurred_at": UTC_MICROS,
    "channel": pl.String(),
    "campaign": pl.String(),
    "device_os": pl.String(),
    "session_id": pl.String(),
}


@dataclass(frozen=True)
class AttributeReport:
    """What one attribution did: orders looked at, credited to a click, and changed after the fact."""

    orders: int = 0
    credited: int = 0
    restated: int = 0
    batch: int = -1
    seconds: float = 0.0


def attribute(lake: Lake) -> AttributeReport:
    """Credit the orders that new orders, lines and clicks touch; nothing where nothing is new."""
    started = time.monotonic()
    table = lake.touchpoints().create()
    goals = {name: _stands_at(lake, lake.contract(name)) for name in READS if name in lake.shop.contracts}
    moved = {of_log(n): (table.watermark(of_log(n)), at) for n, at in goals.items() if at > table.watermark(of_log(n))}
    if not moved or "orders" not in goals:
        return AttributeReport(batch=table.watermark(ATTRIBUTION), seconds=time.monotonic() - started)
    standing = table.scan().filter(pl.col("_state") == "current").collect()
    orders = _read(lake, "orders", _ORDER)
    watermark = _event_time_watermark(lake)
    final_before = None if watermark is None else watermark - timedelta(hours=lake.shop.allowed_lateness_hours)
    if any(table.watermark(of_log(n)) < lake.log(lake.contract(n)).watermark(REWRITTEN) <= goals[n] for n in goals):
        touched = pl.concat([orders.select("order_id"), standing.select("order_id")]).unique()
    else:
        touched = _touched_orders(lake, table, goals, orders, standing, final_before)
    chosen = orders.join(touched, on="order_id", how="semi")
    credited = credit_last_touch(chosen, _clicks_before(lake, chosen))
    worth = net_revenue_of_orders(chosen, _read(lake, "order_items", _LINE).join(touched, on="order_id", how="semi"))
    batch = table.watermark(ATTRIBUTION) + 1
    rows = _rows(credited.join(worth, on="order_id"), final_before, batch)
    restated = _restated(standing, rows, touched)
    with Commit(table) as commit:
        _replace(commit, table, standing, rows, touched)
        commit.add(restated)
        commit.add(_gone(standing, rows, touched, batch))
        commit.publish({**moved, ATTRIBUTION: (batch - 1, batch)})
    return AttributeReport(rows.height, rows["occurred_at"].count(), restated.height, batch, time.monotonic() - started)


def _stands_at(lake: Lake, contract: Contract) -> int:
    """The last commit of a table's log that its rows, as attribution reads them, contain: a fold may lag."""
    rows = lake.current(contract) if is_folded(contract) else lake.log(contract)
    return rows.watermark(LOG)


def _read(lake: Lake, name: str, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """Current rows of a silver table with just these columns; null where the shop has none of them."""
    if name not in lake.shop.contracts:
        return pl.DataFrame(schema=columns)
    return with_columns(lake.table(name), columns).collect()


def with_columns(frame: pl.LazyFrame, columns: dict[str, pl.DataType]) -> pl.LazyFrame:
    """The frame with exactly these columns; those it lacks are null."""
    there = frame.collect_schema().names()
    return frame.select(
        (pl.col(name) if name in there else pl.lit(None)).cast(dtype).alias(name) for name, dtype in columns.items()
    )


def _touched_orders(
    lake: Lake,
    table: LakeTable,
    goals: Mapping[str, int],
    orders: pl.DataFrame,
    standing: pl.DataFrame,
    final_before: datetime | None,
) -> pl.DataFrame:
    """`order_id` of the orders whose credit, worth or finality may be another now, deleted ones included."""
    touched = [
        _since(lake, table, name, goals[name]).select("order_id").filter(pl.col("order_id").is_not_null())
        for name in ("orders", "order_items")
        if name in goals
    ]
    if "clickstream" in goals:
        fresh = with_columns(_since(lake, table, "clickstream", goals["clickstream"]).lazy(), _CLICK).collect()
        clicks = fresh.select("user_id", "occurred_at").drop_nulls().unique()
        near = orders.select("order_id", "user_id", "ordered_at").join(clicks, on="user_id", how="inner")
        behind = pl.col("ordered_at").is_between(pl.col("occurred_at"), pl.col("occurred_at") + LOOKBACK)
        touched.append(near.filter(behind).select("order_id"))
    if final_before is not None:
        ripe = standing.filter(~pl.col("is_final") & (pl.col("ordered_at") < final_before))
        touched.append(ripe.select("order_id"))
    return pl.concat(touched).unique()


def _since(lake: Lake, table: LakeTable, name: str, goal: int) -> pl.DataFrame:
    """The log rows of a table that attribution has not read, up to the commit `goal`, of every outcome."""
    log = lake.log(lake.contract(name))
    rows = log.scan().filter(pl.col("log_batch").is_between(table.watermark(of_log(name)) + 1, goal))
    concerned = pl.col("outcome").is_in(["valid", "quarantined"]) | (pl.col("judgement") > 0)
    return rows.filter(concerned).collect()


def _clicks_before(lake: Lake, orders: pl.DataFrame) -> pl.DataFrame:
    """The valid clicks of the orders' users in the days before them."""
    if "clickstream" not in lake.shop.contracts or orders["ordered_at"].is_null().all():
        return pl.DataFrame(schema=_CLICK)
    contract = lake.contract("clickstream")
    first, last = orders["ordered_at"].min(), orders["ordered_at"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    days = [str(day.date()) for day in pl.datetime_range(first - LOOKBACK, last + timedelta(days=1), "1d", eager=True)]
    rows = standing_rows(lake.log(contract), ["valid"])
    if contract.event_time == "occurred_at":
        rows = rows.filter(pl.col("log_period").is_in(days))
    users = orders.lazy().select("user_id").drop_nulls().unique()
    return with_columns(rows, _CLICK).join(users, on="user_id", how="semi").collect()


def _event_time_watermark(lake: Lake) -> datetime | None:
    """The newest click: no older one is expected, and what comes after all the same is late."""
    if "clickstream" not in lake.shop.contracts:
        return None
    rows = with_columns(standing_rows(lake.log(lake.contract("clickstream")), ["valid"]), _CLICK)
    newest = rows.select(pl.col("occurred_at").max()).collect().item()
    assert newest is None or isinstance(newest, datetime)
    return newest


def _rows(credited: pl.DataFrame, final_before: datetime | None, batch: int) -> pl.DataFrame:
    missing = [pl.lit(None, TOUCHPOINTS.columns[n]).alias(n) for n in CREDIT if n not in credited.columns]
    is_final = pl.lit(False) if final_before is None else (pl.col("ordered_at") < final_before).fill_null(False)
    columns = dict(TOUCHPOINTS.columns)
    return (
        credited.with_columns(missing)
        .with_columns(
            touch_number=pl.lit(1, pl.Int32),
            model=pl.lit(MODEL),
            weight=pl.lit(1).cast(columns["weight"]),
            attributed_revenue=pl.col("net_revenue").cast(columns["attributed_revenue"]),
            is_final=is_final,
            restated_at=pl.lit(None, UTC_MICROS),
            attribution_batch=pl.lit(batch, pl.Int64),
            _state=pl.lit("current"),
            _bucket=pl.col("ordered_at").dt.strftime("%Y-%m").fill_null("undated"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in columns.items())
    )


def _restated(standing: pl.DataFrame, rows: pl.DataFrame, touched: pl.DataFrame) -> pl.DataFrame:
    """The old rows whose credit is another now."""
    old = standing.join(touched, on="order_id", how="semi")
    new = rows.select("order_id", *(pl.col(name).alias(f"_new_{name}") for name in CREDIT))
    both = old.join(new, on="order_id", how="inner")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"_new_{name}")) for name in CREDIT)
    now = datetime.now(UTC)
    return (
        both.filter(differs)
        .with_columns(restated_at=pl.lit(now, UTC_MICROS), _state=pl.lit("restated"))
        .select(list(TOUCHPOINTS.columns))
    )


def _gone(standing: pl.DataFrame, rows: pl.DataFrame, touched: pl.DataFrame, batch: int) -> pl.DataFrame:
    """A mark for each order that had a credit and lives no more, so that readers of batches see it go."""
    gone = standing.join(touched, on="order_id", how="semi").join(rows, on="order_id", how="anti")
    marks = gone.with_columns(_state=pl.lit("gone"), attribution_batch=pl.lit(batch, pl.Int64))
    return marks.select(list(TOUCHPOINTS.columns))


def _replace(
    commit: Commit, table: LakeTable, standing: pl.DataFrame, rows: pl.DataFrame, touched: pl.DataFrame
) -> None:
    """Write the partitions of the touched orders again, with the new rows in them."""
    old = standing.join(touched, on="order_id", how="semi")
    buckets = sorted(set(old["_bucket"].to_list()) | set(rows["_bucket"].to_list()))
    files = table.files()
    if "partition._bucket" in files.columns:
        current = (pl.col("partition._state") == "current") & pl.col("partition._bucket").is_in(buckets)
        commit.remove(files.filter(current))
    kept = standing.filter(pl.col("_bucket").is_in(buckets)).join(touched, on="order_id", how="anti")
    commit.add(pl.concat([kept, rows]))
