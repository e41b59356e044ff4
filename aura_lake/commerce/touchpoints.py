"""Which click an order is credited to: the last one of its user that was not direct."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from aura_lake.layouts import POSITION

#: How long before an order a click still counts.
LOOKBACK = timedelta(days=7)

#: The word for a visit nobody paid for or pointed to; a null channel is direct too.
DIRECT = "direct"

MODEL = "last_touch"

_CLICK = ("occurred_at", "channel", "campaign", "device_os", "session_id")


def credit_last_touch(orders: pl.DataFrame, clicks: pl.DataFrame) -> pl.DataFrame:
    """One row an order with its user's last non-direct click within `LOOKBACK` before it (at it included).

    In:  orders: `order_id`, `user_id`, `ordered_at`, and any other columns; clicks: `user_id`, `occurred_at`,
         `channel`, `campaign`, `device_os`, `session_id`, and their position.
    Out: the orders' columns and the click's (`occurred_at` is the click's), null where there was none or the
         order has no user or no time. Of clicks at the same instant the one at the last position counts.
    """
    pointed = clicks.filter(
        pl.col("user_id").is_not_null()
        & pl.col("occurred_at").is_not_null()
        & (pl.col("channel").str.to_lowercase() != DIRECT).fill_null(False)
    )
    placed = pointed.sort("occurred_at", *POSITION).select("user_id", *_CLICK)
    placed = placed.with_columns(_clicked_at="occurred_at")
    datable = orders.filter(pl.col("ordered_at").is_not_null() & pl.col("user_id").is_not_null()).sort("ordered_at")
    credited = datable.join_asof(
        placed,
        left_on="ordered_at",
        right_on="_clicked_at",
        by="user_id",
        strategy="backward",
        tolerance=LOOKBACK,
        check_sortedness=False,
    ).drop("_clicked_at", strict=False)
    rest = orders.join(datable.select("order_id"), on="order_id", how="anti")
    return pl.concat([credited, rest], how="diagonal")
