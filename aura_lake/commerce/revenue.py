"""What an order is worth: the one definition of net revenue in Python.

A line's gross revenue is quantity times unit price, without shipping; net takes the line's discount off, and
is nothing where the order is cancelled or unavailable. Discounts and tax of the whole order are not spread
over lines. An order without known lines counts its amount, or nothing where that is unknown.
"""

from __future__ import annotations

import polars as pl

MONEY = pl.Decimal(18, 4)

#: Orders in these states sold nothing.
WITHOUT_REVENUE = ("cancelled", "unavailable")


def net_revenue_of_orders(orders: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """`order_id`, `net_revenue` (DECIMAL(18,4), exact, never null), one row an order.

    In: orders (`order_id`, `order_status`, `order_amount`); lines (`order_id`, `quantity`, `unit_price`,
    `discount_amount`) of these orders. Nulls count as nothing; a null quantity as none.
    """
    zero = pl.lit(0).cast(MONEY)
    net = pl.col("unit_price").fill_null(zero) * pl.col("quantity").fill_null(0).cast(pl.Decimal(18, 0))
    net = net.cast(MONEY) - pl.col("discount_amount").fill_null(zero)
    by_order = lines.group_by("order_id").agg(net.cast(MONEY).sum().cast(MONEY).alias("of_lines"))
    joined = orders.join(by_order, on="order_id", how="left")
    amount = pl.coalesce("of_lines", "order_amount", zero).cast(MONEY)
    sold = ~pl.col("order_status").is_in(list(WITHOUT_REVENUE)).fill_null(False)
    return joined.select("order_id", net_revenue=pl.when(sold).then(amount).otherwise(zero))
