"""The silver tables that gold is built from, as a warehouse holds them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from aura_lake.contracts.model import commerce_model
from aura_lake.warehouse.warehouse import TableSpec

#: The tables gold is built from, each with the columns of its key that a load replaces rows by.
LOADED: Mapping[str, tuple[str, ...]] = {
    "users": ("user_id",),
    "users_history": ("user_id",),
    "products": ("product_id",),
    "categories": ("category",),
    "orders": ("order_id",),
    "order_items": ("order_id", "line_number"),
    "payments": ("order_id", "payment_number"),
    "order_touchpoints": ("order_id",),
}

VERSION_COLUMNS = ("valid_from", "valid_to", "is_current")


def table_specs() -> list[TableSpec]:
    """What the warehouse holds, with the types of the commerce model; also what a shop lacks, empty."""
    return [TableSpec.from_polars(name, pl.Schema(columns_of(name)), key) for name, key in LOADED.items()]


def columns_of(name: str) -> dict[str, pl.DataType]:
    """The columns of a loaded table: the commerce model's, by silver name."""
    source = name.removesuffix("_history")
    columns = {column.silver_name: column.silver_dtype for column in commerce_model()[source].columns}
    if name.endswith("_history"):
        columns |= {
            "valid_from": pl.Datetime("us", "UTC"),
            "valid_to": pl.Datetime("us", "UTC"),
            "is_current": pl.Boolean(),
        }
    return columns


def source_tables(name: str) -> tuple[str, ...]:
    """The tables of the shop that a loaded table is made of; the first gives it its rows."""
    made_of = {"users_history": ("users",), "order_touchpoints": ("orders", "order_items", "clickstream")}
    return made_of.get(name, (name,))
