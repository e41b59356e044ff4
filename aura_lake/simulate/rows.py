"""The rows of the shop's database, and a change of one of them.

Money is whole cents, times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import NamedTuple

#: Tables that Debezium follows, in the order in which a snapshot reads them.
CDC_TABLES = ("users", "products", "orders", "order_items", "payments")
CLICKSTREAM = "clickstream"


class User(NamedTuple):
    """A row of public.users."""

    user_id: str
    email: str
    full_name: str
    city: str
    state: str
    zip_code: str
    region: str
    country: str
    created_us: int
    updated_us: int


class Product(NamedTuple):
    """A row of public.products."""

    product_id: int
    product_name: str
    category: str
    brand: str | None
    list_price: int
    created_us: int
    updated_us: int


class Order(NamedTuple):
    """A row of public.orders.

    order_amount = sum over the lines of (quantity * unit_price - discount_amount +
    shipping_amount) - discount_amount + tax_amount. A mess makes it a text or negative,
    or takes the user away.
    """

    order_id: str
    user_id: str | None
    status: str
    order_amount: int | str
    discount_amount: int
    tax_amount: int
    currency: str
    region: str
    created_us: int
    updated_us: int
    approved_us: int | None = None
    shipped_us: int | None = None
    delivered_us: int | None = None


class Line(NamedTuple):
    """A row of public.order_items."""

    order_id: str
    line_number: int
    product_id: int
    quantity: int
    unit_price: int
    discount_amount: int
    shipping_amount: int

    @property
    def net(self) -> int:
        """quantity * unit_price - discount_amount, in cents."""
        return self.quantity * self.unit_price - self.discount_amount


class Payment(NamedTuple):
    """A row of public.payments; the payments of an order add up to its order_amount."""

    order_id: str
    payment_number: int
    payment_type: str
    amount: int
    installments: int
    paid_us: int


Row = User | Product | Order | Line | Payment


class Change(NamedTuple):
    """One row as one transaction left it.

    op: r (snapshot), c, u or d; of a d only the key of `row` is written. `step` is its
    place within the transaction, which is known by its time. `breaks` names the mess that
    made the row one that a lake must refuse.
    """

    at_us: int
    step: int
    table: str
    op: str
    row: Row
    breaks: str | None = None


def key_of(table: str, row: Row) -> tuple[str | int, ...]:
    """The primary key of a row: the first column, or the first two."""
    return (row[0], row[1]) if table in ("order_items", "payments") else (row[0],)  # type: ignore[return-value]
