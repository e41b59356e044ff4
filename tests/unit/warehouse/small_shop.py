"""A shop of a few dozen orders as silver holds it, changed at random from one seed.

It knows no warehouse and no SQL. `revenue_by_the_book` says in plain Python what
`fct_sales_revenue` must hold, from DESIGN.md's words alone.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from aura_lake.warehouse.warehouse import TableSpec

TEXT, FLAG, WHOLE = pa.string(), pa.bool_(), pa.int64()
TIME, MONEY, SHARE = pa.timestamp("us", "UTC"), pa.decimal128(18, 4), pa.decimal128(18, 9)
ADDRESS = ("city", "state", "zip_code", "region", "country")
STATUSES = ("created", "approved", "shipped", "delivered", "cancelled", "unavailable", "returned")
START = datetime(2024, 1, 20, 12, tzinfo=UTC)

_USER = {
    "user_id": TEXT,
    "email_hash": TEXT,
    "name_hash": TEXT,
    **dict.fromkeys(ADDRESS, TEXT),
    "created_at": TIME,
}


def _spec(name: str, key: tuple[str, ...], columns: dict[str, pa.DataType]) -> TableSpec:
    return TableSpec(name, tuple(columns.items()), key)


SPECS = {
    spec.name: spec
    for spec in (
        _spec("users", ("user_id",), _USER),
        _spec(
            "users_history",
            ("user_id",),
            {**_USER, "valid_from": TIME, "valid_to": TIME, "is_current": FLAG},
        ),
        _spec(
            "products",
            ("product_id",),
            dict.fromkeys(("product_id", "product_name", "category", "brand"), TEXT) | {"list_price": MONEY},
        ),
        _spec("categories", ("category",), {"category": TEXT, "category_name": TEXT}),
        _spec(
            "orders",
            ("order_id",),
            {
                "order_id": TEXT,
                "user_id": TEXT,
                "order_status": TEXT,
                "ordered_at": TIME,
                "updated_at": TIME,
                "order_amount": MONEY,
                "currency": TEXT,
                "discount_amount": MONEY,
                "tax_amount": MONEY,
                "region": TEXT,
                "approved_at": TIME,
                "shipped_at": TIME,
                "delivered_at": TIME,
            },
        ),
        _spec(
            "order_items",
            ("order_id", "line_number"),
            {
                "order_id": TEXT,
                "line_number": TEXT,
                "product_id": TEXT,
                "quantity": WHOLE,
                "unit_price": MONEY,
                "discount_amount": MONEY,
                "shipping_amount": MONEY,
            },
        ),
        _spec(
            "payments",
            ("order_id", "payment_number"),
            {
                "order_id": TEXT,
                "payment_number": WHOLE,
                "payment_type": TEXT,
                "amount": MONEY,
                "installments": WHOLE,
                "paid_at": TIME,
            },
        ),
        _spec(
            "order_touchpoints",
            ("order_id",),
            {
                "order_id": TEXT,
                "touch_number": pa.int32(),
                "occurred_at": TIME,
                "channel": TEXT,
                "campaign": TEXT,
                "device_os": TEXT,
                "session_id": TEXT,
                "model": TEXT,
                "weight": SHARE,
                "attributed_revenue": MONEY,
                "is_final": FLAG,
            },
        ),
    )
}

Row = dict[str, Any]
Key = tuple[Any, ...]


def rows_of(table: str, rows: list[Row]) -> pa.Table:
    """Rows as Arrow; absent columns are null."""
    spec = SPECS[table]
    full = [{name: row.get(name) for name in spec.column_names} for row in rows]
    return pa.Table.from_pylist(full, schema=pa.schema(list(spec.columns)))


def keys_of(table: str, keys: list[Key]) -> pa.Table:
    """Keys as Arrow, by the key columns of the table's spec."""
    names = SPECS[table].key
    schema = pa.schema([(name, dict(SPECS[table].columns)[name]) for name in names])
    return pa.Table.from_pylist([dict(zip(names, key, strict=True)) for key in keys], schema)


@dataclass
class SmallShop:
    """Silver tables as dictionaries by key, and the keys that changed since the last load."""

    seed: int
    zone: str = "Europe/Berlin"
    currency: str = "EUR"
    tables: dict[str, dict[Key, Any]] = field(default_factory=lambda: {name: {} for name in SPECS})
    touched: dict[str, set[Key]] = field(default_factory=lambda: {name: set() for name in SPECS})
    batches: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPECS, -1))

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._now = START
        self._count = 0

    def put(self, table: str, key: Key, row: Row | list[Row]) -> None:
        """Insert or replace what stands under a key."""
        self.tables[table][key] = row
        self.touched[table].add(key)

    def drop(self, table: str, key: Key) -> None:
        """Delete a key; one that never stood is touched all the same."""
        self.tables[table].pop(key, None)
        self.touched[table].add(key)

    def rows(self, table: str, key: Key) -> list[Row]:
        """The rows that stand under a key, none or one; several in users_history."""
        row = self.tables[table].get(key, [])
        return row if isinstance(row, list) else [row]

    def pending(self, table: str) -> tuple[pa.Table, pa.Table, int, int]:
        """What `Warehouse.load` takes for the changes since the last call."""
        keys = sorted(self.touched[table])
        self.touched[table] = set()
        from_batch = self.batches[table]
        self.batches[table] = from_batch + 1 + self._chance.randrange(3)
        rows = [row for key in keys for row in self.rows(table, key)]
        return rows_of(table, rows), keys_of(table, keys), from_batch, self.batches[table]

    def live(self, changes: int) -> None:
        """Let so many random things happen."""
        happenings = (
            [self._order_comes] * 6
            + [self._order_changes] * 4
            + [self._order_goes]
            + [self._order_moves]
            + [self._lines_change] * 4
            + [self._payment_comes] * 2
            + [self._click_comes] * 3
            + [self._user_moves] * 3
            + [self._user_goes]
            + [self._product_changes] * 2
            + [self._translation_changes]
        )
        for _ in range(changes):
            self._now += timedelta(minutes=self._chance.randrange(1, 600))
            self._chance.choice(happenings)()

    # -- what happens ---------------------------------------------------------------

    def _any(self, table: str) -> Key | None:
        keys = sorted(self.tables[table])
        return self._chance.choice(keys) if keys else None

    def _user(self) -> str | None:
        return self._chance.choice([None, *(f"u{n}" for n in range(8))])

    def _money(self, low: int = 0) -> Decimal | None:
        cents = self._chance.choice([None, *(self._chance.randrange(low, 99999) for _ in range(6))])
        return None if cents is None else Decimal(cents).scaleb(-2)

    def _order_comes(self) -> None:
        self._count += 1
        order_id = f"o{self._count}"
        self.put(
            "orders",
            (order_id,),
            {
                "order_id": order_id,
                "user_id": self._user(),
                "order_status": self._chance.choice(STATUSES),
                "ordered_at": self._chance.choice([None] + [self._now] * 9),
                "order_amount": self._money(),
                "currency": self._chance.choice([None, "EUR", "USD"]),
                "region": self._chance.choice([None, "north", "south"]),
            },
        )
        for _ in range(self._chance.randrange(3)):
            self._line(order_id)

    def _line(self, order_id: str) -> None:
        number = str(self._chance.randrange(1, 5))
        self.put(
            "order_items",
            (order_id, number),
            {
                "order_id": order_id,
                "line_number": number,
                "product_id": self._chance.choice([None, *(f"p{n}" for n in range(6))]),
                "quantity": self._chance.choice([None, 1, 1, 2, -3]),
                "unit_price": self._money(),
                "discount_amount": self._money(),
                "shipping_amount": self._money(),
            },
        )

    def _order_changes(self) -> None:
        if key := self._any("orders"):
            change = self._chance.choice(["order_status", "user_id", "order_amount", "nothing"])
            value = {
                "order_status": self._chance.choice(STATUSES),
                "user_id": self._user(),
                "order_amount": self._money(),
                "nothing": None,
            }[change]
            self.put("orders", key, {**self.tables["orders"][key], change: value})

    def _order_moves(self) -> None:
        """To another month, or from the shop's one day into the other."""
        if key := self._any("orders"):
            moved = self._now + timedelta(days=self._chance.choice([-65, -30, -1, 0, 31]))
            self.put("orders", key, {**self.tables["orders"][key], "ordered_at": moved})

    def _order_goes(self) -> None:
        """With its lines or without them."""
        if key := self._any("orders"):
            self.drop("orders", key)
            if self._chance.random() < 0.5:
                for line in [k for k in self.tables["order_items"] if k[0] == key[0]]:
                    self.drop("order_items", line)

    def _lines_change(self) -> None:
        order_id = f"o{self._chance.randrange(1, self._count + 3)}"  # sometimes of no order yet
        if self._chance.random() < 0.3 and (key := self._any("order_items")):
            self.drop("order_items", key)
        else:
            self._line(order_id)

    def _payment_comes(self) -> None:
        order_id = f"o{self._chance.randrange(1, self._count + 3)}"
        number = self._chance.randrange(1, 3)
        self.put(
            "payments",
            (order_id, number),
            {"order_id": order_id, "payment_number": number, "amount": self._money()},
        )

    def _click_comes(self) -> None:
        if key := self._any("orders"):
            if self._chance.random() < 0.2:
                self.drop("order_touchpoints", key)
                return
            touch = {
                "order_id": key[0],
                "touch_number": 1,
                "occurred_at": self._now - timedelta(days=1),
                "channel": self._chance.choice(["search", "mail"]),
                "campaign": self._chance.choice([None, "spring"]),
                "device_os": self._chance.choice(["ios", "android", None]),
                "model": "last",
                "weight": Decimal(1),
            }
            self.put("order_touchpoints", key, touch)

    def _user_moves(self) -> None:
        """A new version; sometimes only the e-mail address changes, sometimes after a gap."""
        user_id = f"u{self._chance.randrange(8)}"
        versions = [dict(version) for version in self.rows("users_history", (user_id,))]
        user = {
            "user_id": user_id,
            "email_hash": str(self._chance.random()),
            "city": self._chance.choice(["Bonn", "Köln", None]),
            "country": self._chance.choice(["DE", "DE", "AT"]),
        }
        if versions and versions[-1]["is_current"]:
            versions[-1] |= {"valid_to": self._now, "is_current": False}
        since = None if not versions and self._chance.random() < 0.3 else self._now
        versions.append({**user, "valid_from": since, "valid_to": None, "is_current": True})
        self.put("users", (user_id,), user)
        self.put("users_history", (user_id,), versions)

    def _user_goes(self) -> None:
        if key := self._any("users"):
            versions = [dict(version) for version in self.rows("users_history", key)]
            versions[-1] |= {"valid_to": self._now, "is_current": False}
            self.drop("users", key)
            self.put("users_history", key, versions)

    def _product_changes(self) -> None:
        product_id = f"p{self._chance.randrange(6)}"
        if self._chance.random() < 0.2:
            self.drop("products", (product_id,))
            return
        self.put(
            "products",
            (product_id,),
            {
                "product_id": product_id,
                "product_name": f"Product {product_id}",
                "category": self._chance.choice([None, "tools", "toys"]),
                "brand": self._chance.choice([None, "Acme", "Zeta"]),
            },
        )

    def _translation_changes(self) -> None:
        category = self._chance.choice(["tools", "toys"])
        if self._chance.random() < 0.3:
            self.drop("categories", (category,))
            return
        name = self._chance.choice(["Werkzeug", "Spielzeug", None])
        self.put("categories", (category,), {"category": category, "category_name": name})

    # -- what must come of it ---------------------------------------------------------

    def revenue_by_the_book(self) -> list[Row]:
        """The rows of fct_sales_revenue, in order of order and line."""
        rows = []
        for (order_id,), order in self.tables["orders"].items():
            lines = [row for key, row in self.tables["order_items"].items() if key[0] == order_id]
            for line in lines or [None]:
                rows.append(self._revenue(order, line))
        return sorted(rows, key=lambda row: (row["order_id"], row["line_number"]))

    def _revenue(self, order: Row, line: Row | None) -> Row:
        at = order["ordered_at"]
        product = self.tables["products"].get(((line or {}).get("product_id") or "",), {})
        translation = self.tables["categories"].get((product.get("category") or "",), {})
        touch = self.tables["order_touchpoints"].get((order["order_id"],), {})
        if line is None:
            gross, discount = order["order_amount"] or Decimal(0), Decimal(0)
        else:
            gross = (line["quantity"] or 0) * (line["unit_price"] or Decimal(0))
            discount = line["discount_amount"] or Decimal(0)
        earns = order["order_status"] not in ("cancelled", "unavailable")
        return {
            "order_id": order["order_id"],
            "line_number": line["line_number"] if line else "0",
            "ordered_at": at,
            "order_date": at.astimezone(ZoneInfo(self.zone)).date() if at else None,
            "order_status": order["order_status"],
            "user_id": order["user_id"],
            "customer_key": self._customer_key(order["user_id"], at),
            "product_id": line["product_id"] if line else None,
            "category": translation.get("category_name") or product.get("category"),
            "brand": product.get("brand"),
            "quantity": line["quantity"] if line else None,
            "gross_revenue": gross,
            "net_revenue": gross - discount if earns else Decimal(0),
            "currency": order["currency"] or self.currency,
            "region": order["region"],
            "channel": touch.get("channel"),
            "campaign": touch.get("campaign"),
            "device_os": touch.get("device_os"),
            "attributed_at": touch.get("occurred_at"),
        }

    def _customer_key(self, user_id: str | None, at: datetime | None) -> str:
        merged: list[Row] = []
        for version in self.rows("users_history", (user_id or "",)):
            same = merged and all(merged[-1].get(c) == version.get(c) for c in ADDRESS)
            if same and merged[-1]["valid_to"] == version["valid_from"]:
                merged[-1] = {**merged[-1], "valid_to": version["valid_to"]}
            else:
                merged.append(version)
        for number, version in enumerate(merged):
            begun = number == 0 or (at is not None and version["valid_from"] <= at)
            lasts = version["valid_to"] is None or (at is not None and at < version["valid_to"])
            if begun and lasts:
                since = version["valid_from"]
                micros = "" if since is None else str(_micros(since))
                return hashlib.md5(f"{user_id}|{micros}".encode()).hexdigest()
        return "unknown"


def _micros(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
