"""Law 6 recounted: gold revenue against silver revenue, and what orders are credited with."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from aura_lake.commerce.revenue import MONEY, net_revenue_of_orders
from aura_lake.delta.documents import read_document
from aura_lake.lake import Lake
from aura_lake.ledger.equation import NAMED, Equation

_ORDER = {"order_id": pl.String(), "order_status": pl.String(), "order_amount": MONEY}
_LINE = {"order_id": pl.String(), "quantity": pl.Int64(), "unit_price": MONEY, "discount_amount": MONEY}
_ZERO = Decimal("0.0000")


def count_money(lake: Lake) -> list[Equation]:
    """Gold revenue = silver revenue, order by order, at the versions the manifest shows together; and the
    revenue credited to touches = the revenue of the same orders. Empty where nothing is published yet."""
    equations = []
    manifest = read_document(lake, "gold/_manifest.json") or {}
    pinned: dict[str, int] = manifest.get("tables", {})
    if "gold.fct_sales_revenue" in pinned and "orders" in lake.shop.contracts:
        equations.append(_gold_revenue(lake, pinned))
    if "orders" in lake.shop.contracts and lake.touchpoints().exists:
        equations += _credited_revenue(lake)
    return equations


def _gold_revenue(lake: Lake, pinned: dict[str, int]) -> Equation:
    facts = _pinned(lake, pinned, "gold.fct_sales_revenue", {"order_id": pl.String(), "net_revenue": MONEY})
    by_order = facts.group_by("order_id").agg(pl.col("net_revenue").sum()).collect(engine="streaming")
    orders = _pinned(lake, pinned, "silver.orders", _ORDER).collect()
    lines = _pinned(lake, pinned, "silver.order_items", _LINE).collect()
    worth = net_revenue_of_orders(orders, lines)
    return _order_by_order("gold revenue = silver revenue", by_order, worth, "gold", "silver")


def _credited_revenue(lake: Lake) -> list[Equation]:
    """What `order_touchpoints` says, where it has read orders and lines to their end."""
    table = lake.touchpoints()
    for name in ("orders", "order_items"):
        if name not in lake.shop.contracts:
            continue
        contract = lake.contract(name)
        if lake.current(contract).watermark("log") != table.watermark(f"log/{name}"):
            return []
    lines = lake.table("order_items") if "order_items" in lake.shop.contracts else pl.LazyFrame(schema=_LINE)
    worth = net_revenue_of_orders(_with(lake.table("orders"), _ORDER).collect(), _with(lines, _LINE).collect())
    credited = lake.table("order_touchpoints").group_by("order_id")
    totals = credited.agg(net_revenue=pl.col("attributed_revenue").sum(), weight=pl.col("weight").sum()).collect()
    uneven = totals.filter(pl.col("weight") != 1).sort("order_id")["order_id"].head(NAMED).to_list()
    return [
        _order_by_order("attributed revenue = net revenue", totals.drop("weight"), worth, "touchpoints", "silver"),
        Equation(
            "orders with touches = orders whose weights sum to 1",
            totals.height,
            totals.filter(pl.col("weight") == 1).height,
            tuple(f"order {order}" for order in uneven),
        ),
    ]


def _order_by_order(name: str, left: pl.DataFrame, right: pl.DataFrame, left_name: str, right_name: str) -> Equation:
    both = left.join(right, on="order_id", how="full", coalesce=True, suffix="_right")
    off = both.filter(pl.col("net_revenue").ne_missing(pl.col("net_revenue_right"))).sort("order_id").head(NAMED)
    first = tuple(
        f"order {order}: {_told(mine)} in {left_name}, {_told(theirs)} in {right_name}"
        for order, mine, theirs in off.select("order_id", "net_revenue", "net_revenue_right").iter_rows()
    )
    return Equation(name, _total(left), _total(right), first)


def _total(worth: pl.DataFrame) -> Decimal:
    total = worth["net_revenue"].sum()
    return total if isinstance(total, Decimal) else _ZERO  # the sum of no rows is the integer 0


def _told(amount: Decimal | None) -> str:
    return "nothing" if amount is None else str(amount)


def _pinned(lake: Lake, pinned: dict[str, int], name: str, columns: dict[str, pl.DataType]) -> pl.LazyFrame:
    """A table at the version the manifest names; empty where it names none."""
    if name not in pinned:
        return pl.LazyFrame(schema=columns)
    options = dict(lake.storage_options) or None
    uri = lake.settings.uri(*name.split("."))
    return _with(pl.scan_delta(uri, version=pinned[name], storage_options=options), columns)


def _with(rows: pl.LazyFrame, columns: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Exactly these columns; those that the frame lacks are null."""
    there = rows.collect_schema().names()
    return rows.select(
        (pl.col(name) if name in there else pl.lit(None)).cast(dtype).alias(name) for name, dtype in columns.items()
    )
