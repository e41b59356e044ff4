"""Rows of three shops for drifts: the demo shop's, Olist's and REES46's, as their producers wrote them.

A record may be the row itself, or an envelope around it; `row_of` finds it, so that a drift changes what the
producer's table would.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aura_lake.contracts.contract import Shop
from aura_lake.contracts.load import load_shop
from aura_lake.simulate import SimulationPlan, mess_named, simulate

PROJECT = Path(__file__).resolve().parents[2]

#: Records of a feed that a drift is made of.
RECORDS = 2_400


@dataclass(frozen=True)
class FeedRows:
    """Records of one feed, oldest first, and the shop whose contracts read it."""

    shop: Shop
    feed: str
    records: tuple[Any, ...]
    fields: tuple[str, ...]  #: of the rows, those that contracts read

    @property
    def name(self) -> str:
        """Shop and feed."""
        return f"{self.shop.id}/{self.feed}"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows in the records."""
        return [row_of(record) for record in self.records]


def row_of(record: Any) -> dict[str, Any]:
    """The row in a record."""
    inner = record.get("payload", record) if isinstance(record, dict) else record
    return inner["after"] if "after" in inner and "op" in inner else inner


def with_row(record: Any, row: dict[str, Any]) -> Any:
    """The record around another row."""
    if "payload" in record and "after" in record["payload"]:
        return {**record, "payload": {**record["payload"], "after": row}}
    return {**record, "after": row} if "after" in record and "op" in record else row


@cache
def rees46(data: Path) -> FeedRows:
    """REES46's events."""
    shop = load_shop(PROJECT / "tests/shops/rees46", "local", {"REES46_DATA": str(data / "rees46_dev/firehose_dev")})
    files = sorted((data / "rees46_dev/firehose_dev").rglob("*.gz"))
    text = "".join(gzip.decompress(file.read_bytes()).decode() for file in files).replace("}{", "}\n{")
    fields = ("event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id")
    return FeedRows(shop, "raw_events", _json(text.splitlines()), (*fields, "user_session"))


@cache
def olist(data: Path) -> tuple[FeedRows, ...]:
    """Olist's changes of orders and users, and its order lines."""
    root = data / "olist_dev"
    shop = load_shop(PROJECT / "tests/shops/olist", "local", {"OLIST_DATA": str(root)})
    orders = ("order_id", "user_id", "order_status", "order_purchase_timestamp", "customer_id")
    users = ("user_id", "zip", "city", "state", "created_at", "updated_at")
    return (
        FeedRows(shop, "olist_orders", _changes(root / "cdc/olist.public.orders"), orders),
        FeedRows(shop, "olist_users", _changes(root / "cdc/olist.public.users"), users),
        FeedRows(
            shop,
            "olist_order_items",
            _csv(root / "order_items.csv"),
            ("order_id", "order_item_id", "product_id", "seller_id", "shipping_limit_date", "price", "freight_value"),
        ),
    )


@cache
def mart(folder: Path) -> tuple[FeedRows, ...]:
    """The demo shop's clicks, orders and order lines, three days of them."""
    simulate(SimulationPlan(seed=5, days=3, orders=600, clicks=3_000, mess=mess_named("none")), folder)
    shop = load_shop(PROJECT / "shops/aura_mart", "local", {"AURA_MART_DATA": str(folder)})
    clicks = sorted((folder / "firehose").rglob("*.gz"))
    text = "".join(gzip.decompress(file.read_bytes()).decode() for file in clicks).replace("}{", "}\n{")
    click_fields = ("event_type", "event_time", "user_id", "session_id", "product_id", "category", "brand", "price")
    order_fields = ("order_id", "user_id", "status", "created_at", "updated_at", "order_amount", "currency", "region")
    line_fields = ("order_id", "line_number", "product_id", "quantity", "unit_price", "discount_amount")
    return (
        FeedRows(shop, "aura_clickstream", _json(text.splitlines()), (*click_fields, "device_os", "channel")),
        FeedRows(shop, "aura_orders", _changes(folder / "cdc/aura.public.orders"), order_fields),
        FeedRows(shop, "aura_order_items", _changes(folder / "cdc/aura.public.order_items"), line_fields),
    )


def _json(lines: Sequence[str]) -> tuple[Any, ...]:
    return tuple(json.loads(line) for line in lines[:RECORDS])


def _changes(folder: Path) -> tuple[Any, ...]:
    """Changes that carry a row, in the order of their files."""
    found: list[Any] = []
    for file in sorted(folder.rglob("*.gz")):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            record = json.loads(line)
            inner = (record or {}).get("payload", record) if record else None
            if inner and inner.get("after"):
                found.append(record)
        if len(found) > RECORDS:
            break
    return tuple(found[:RECORDS])


def _csv(file: Path) -> tuple[Any, ...]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        return tuple(row for row, _ in zip(csv.DictReader(text), range(RECORDS), strict=False))
