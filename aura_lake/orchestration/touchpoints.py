"""The credit of each order, and the credits that were restated: one op after clicks, orders and lines."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator
from typing import Any

import polars as pl
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    TableColumn,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
    multi_asset,
)

from aura_lake.contracts.contract import Shop
from aura_lake.contracts.model import commerce_model
from aura_lake.delta.table import LakeTable
from aura_lake.layouts import TOUCHPOINT_COLUMNS, TOUCHPOINTS
from aura_lake.orchestration import describe
from aura_lake.orchestration.reporting import report
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.settings import Settings
from aura_lake.steps.attribute import READS, AttributeReport, attribute

NAME = "order_touchpoints"
KEY, RESTATED_KEY = describe.silver_key(NAME), describe.silver_key(f"{NAME}_restated")

#: Where each column comes from, as `table.column`.
_SOURCES = {
    "order_id": ("orders.order_id",),
    "occurred_at": ("clickstream.occurred_at",),
    "channel": ("clickstream.channel",),
    "campaign": ("clickstream.campaign",),
    "device_os": ("clickstream.device_os",),
    "session_id": ("clickstream.session_id",),
    "attributed_revenue": (
        "order_items.quantity",
        "order_items.unit_price",
        "order_items.discount_amount",
        "orders.order_amount",
        "orders.order_status",
    ),
    "is_final": ("orders.ordered_at", "clickstream.occurred_at"),
}


def touchpoint_assets(settings: Settings, shop: Shop) -> AssetsDefinition | None:
    """The assets of attribution; None for a shop without orders."""
    if "orders" not in shop.contracts:
        return None
    upstream = [describe.silver_key(name) for name in READS if name in shop.contracts]
    model = commerce_model()[NAME]

    def spec(key: Any, says: str, name: str, extra: tuple[str, ...] = ()) -> AssetSpec:
        described = {column.silver_name: column.description for column in model.columns}
        described["restated_at"] = "When another credit took its place, UTC."
        columns = [
            TableColumn(column, describe.type_name(TOUCHPOINTS.columns[column]), description=described.get(column))
            for column in (*TOUCHPOINT_COLUMNS, *extra)
        ]
        return AssetSpec(
            key,
            deps=upstream,
            group_name="silver",
            kinds={"delta", "polars"},
            description=says,
            owners=describe.owners(shop, shop.contracts["orders"].owner),
            tags={"aura/table": NAME},
            metadata={
                **describe.place(settings, "silver", NAME),
                "dagster/table_name": f"silver.{name}",
                "dagster/column_schema": TableSchema(columns),
            },
            freshness_policy=describe.freshness(),
        )

    @multi_asset(
        name=f"silver_{NAME}",
        specs=[
            spec(KEY, model.description, NAME),
            spec(
                RESTATED_KEY,
                "What an order's credit was before a late click or a changed order gave it another.",
                f"{NAME}_restated",
                ("restated_at",),
            ),
        ],
        can_subset=True,
        pool=f"silver_{NAME}",
        required_resource_keys={BENCH},
    )
    def credit_orders(context: AssetExecutionContext) -> Iterator[Any]:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, "attribute orders") as voice, bench.applying(voice):
            done = attribute(bench.lake)
            voice.done(
                f"{done.orders:,} orders looked at, {done.credited:,} credited",
                restated=done.restated, batch=done.batch, seconds=round(done.seconds, 2),
            )  # fmt: skip
        yield from report(context, credit_facts(bench, done))

    return credit_orders


def credit_facts(bench: Workbench, done: AttributeReport) -> dict[AssetKey, dict[str, Any]]:
    """What is told of the credits after an attribution."""
    table = bench.lake.touchpoints()
    facts = {"watermark": done.batch, "seconds": round(done.seconds, 3)}
    lineage = {"dagster/column_lineage": _lineage(bench.shop)}
    current = describe.counted(_rows(table, "current"), looked_at=done.orders, credited=done.credited, **facts)
    restated = describe.counted(_rows(table, "restated"), restated=done.restated, **facts)
    return {KEY: {**current, **lineage}, RESTATED_KEY: {**restated, **lineage}}


def _rows(table: LakeTable, state: str) -> int:
    files = table.files()
    if "partition._state" not in files.columns:
        return 0
    return int(files.filter(pl.col("partition._state") == state)["num_records"].sum())


def _lineage(shop: Shop) -> TableColumnLineage:
    deps = {}
    for column, sources in _SOURCES.items():
        pairs = [source.split(".") for source in sources]
        deps[column] = [TableColumnDep(describe.silver_key(t), c) for t, c in pairs if t in shop.contracts]
    return TableColumnLineage({column: found for column, found in deps.items() if found})
