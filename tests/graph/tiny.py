"""A tiny shop with a lake of its own, driven through Dagster; and records for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aura_lake.orchestration.run import RunOutcome, run_once
from aura_lake.orchestration.workbench import Workbench
from aura_lake.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
CONTRACTS = Path(__file__).parent / "tiny_shop"

#: A day of the shop: two users, three orders and their lines, and the click behind one of them.
DAY: Mapping[str, list[dict[str, Any]]] = {
    "users": [
        {"user_id": "u1", "email": "ann@example.com", "city": "Bonn"},
        {"user_id": "u2", "email": "bob@example.com", "city": "Trier"},
    ],
    "products": [
        {"product_id": "p1", "product_name": "Lamp", "category": "home", "list_price": 10.00},
        {"product_id": "p2", "product_name": "Desk", "category": "home", "list_price": 99.50},
    ],
    "orders": [
        {"order_id": o, "user_id": u, "order_status": "created", "ordered_at": at, "order_amount": amount}
        for o, u, at, amount in (
            ("o1", "u1", "2026-01-02T10:00:00Z", 20.00),
            ("o2", "u2", "2026-01-03T10:00:00Z", 99.50),
            ("o3", "nobody", "2026-02-01T10:00:00Z", 2000.00),
        )
    ],
    "order_items": [
        {"order_id": "o1", "line_number": "1", "product_id": "p1", "quantity": 2, "unit_price": 10.00},
        {"order_id": "o2", "line_number": "1", "product_id": "p2", "quantity": 1, "unit_price": 99.50},
        {"order_id": "o3", "line_number": "1", "product_id": "p2", "quantity": 20, "unit_price": 100.00},
    ],
    "clickstream": [
        {"event_id": "c1", "event_type": "view", "occurred_at": "2026-01-02T09:00:00Z", "user_id": "u1",
         "channel": "mail", "device_os": "iOS"},
    ],
}  # fmt: skip


class TinyShop:
    """The shop in a folder: its feeds under `data`, its lake under `lake`."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.settings = settings_for(CONTRACTS, folder / "lake", {"TINY_DATA": str(self.data)})
        for feed in DAY:
            (self.data / feed).mkdir(parents=True, exist_ok=True)

    @property
    def bench(self) -> Workbench:
        """A new look at the lake."""
        return Workbench.open(self.settings)

    def deliver(self, name: str, records: Mapping[str, list[dict[str, Any]]]) -> None:
        """Put an object of that name with these records into each feed."""
        for feed, values in records.items():
            lines = "".join(json.dumps(value) + "\n" for value in values)
            (self.data / feed / f"{name}.jsonl").write_text(lines)

    def run(self, select: str | None = None) -> RunOutcome:
        """`aura run`."""
        return run_once(self.settings, select)


def settings_for(contracts: Path, home: Path, environ: Mapping[str, str]) -> Settings:
    """Settings of a lake that only tests use."""
    environ = {"AURA_PII_KEY": "a key that only tests hash with, 32 bytes or more", **environ}
    return Settings(project=PROJECT, home=str(home), state=home / "state", shop=contracts, environ=environ)
