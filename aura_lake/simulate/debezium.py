"""Changes as Debezium's PostgreSQL connector writes them: schemas off, decimals precise.

https://debezium.io/documentation/reference/stable/connectors/postgresql.html

- money is numeric(12,2): base64 of the unscaled big-endian two's complement (cents);
- timestamp(6) is microseconds, an integer; timestamptz(6) is an ISO string in UTC;
- the replica identity is the default one: an update has no `before`, a delete has only
  its key in it, the rest is null.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from aura_lake.simulate.clock import iso_micros
from aura_lake.simulate.rows import Change, Line, Order, Payment, Product, Row, User

_LSN_BASE = 155_402_856
_TX_BASE = 2_936


class Envelope(NamedTuple):
    """A change event in two parts: a redelivery has the same `event` and another tail."""

    event: str
    at_us: int  #: when the connector read it

    def line(self, at_us: int | None = None) -> str:
        """The JSON text, read by the connector at `at_us` (default: the first time)."""
        at_us = self.at_us if at_us is None else at_us
        return f'{self.event},"ts_ms":{at_us // 1000},"ts_us":{at_us},"ts_ns":{at_us}000}}'


def lsn_of(at_us: int, step: int, start_us: int) -> int:
    """The log position of a change: a function of its time, so that no change moves another."""
    return _LSN_BASE + at_us - start_us + 56 * (step + 1)


@lru_cache(maxsize=65_536)
def decimal_text(unscaled: int) -> str:
    """Base64 of the shortest two's complement of `unscaled`, as java.math.BigInteger has it."""
    size = (unscaled if unscaled >= 0 else ~unscaled).bit_length() // 8 + 1
    return b64encode(unscaled.to_bytes(size, "big", signed=True)).decode()


def envelope(change: Change, start_us: int, snapshot: str = "false") -> Envelope:
    """The event of a change. snapshot: Debezium's marker, e.g. first, true, last, false."""
    at_us = change.at_us
    lsn = lsn_of(at_us, change.step, start_us)
    last_commit = "null" if change.op == "r" else f'\\"{lsn_of(at_us, 0, start_us) - 56}\\"'
    sequence = f'[{last_commit},\\"{lsn}\\"]'
    if change.op == "d":
        row = f'"before":{_KEY_ONLY[change.table](change.row)},"after":null'
    else:
        row = f'"before":null,"after":{_AFTER[change.table](change.row)}'
    event = (
        f'{{{row},"source":{{"version":"3.7.0.Final","connector":"postgresql","name":"aura",'
        f'"ts_ms":{at_us // 1000},"snapshot":"{snapshot}","db":"aura_mart","sequence":"{sequence}",'
        f'"ts_us":{at_us},"ts_ns":{at_us}000,"schema":"public","table":"{change.table}",'
        f'"txId":{_TX_BASE + (at_us - start_us) // 10_000},"lsn":{lsn},"xmin":null,"origin":null,'
        f'"origin_lsn":null}},"transaction":null,"op":"{change.op}"'
    )
    return Envelope(event, at_us + 90_000 + lsn % 800_000)


@lru_cache(maxsize=65_536)
def _text(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _user(row: Row) -> str:
    assert isinstance(row, User)
    return (
        f'{{"user_id":"{row.user_id}","email":{_text(row.email)},"full_name":{_text(row.full_name)},'
        f'"city":{_text(row.city)},"state":"{row.state}","zip_code":"{row.zip_code}",'
        f'"region":"{row.region}","country":"{row.country}","created_at":{row.created_us},'
        f'"updated_at":{row.updated_us}}}'
    )


def _product(row: Row) -> str:
    assert isinstance(row, Product)
    return (
        f'{{"product_id":{row.product_id},"product_name":{_text(row.product_name)},'
        f'"category":{_text(row.category)},"brand":{_text(row.brand)},'
        f'"list_price":"{decimal_text(row.list_price)}","created_at":{row.created_us},'
        f'"updated_at":{row.updated_us}}}'
    )


def _order(row: Row) -> str:
    assert isinstance(row, Order)
    amount = row.order_amount
    return (
        f'{{"order_id":"{row.order_id}","user_id":{_text(row.user_id)},"status":"{row.status}",'
        f'"order_amount":"{amount if isinstance(amount, str) else decimal_text(amount)}",'
        f'"discount_amount":"{decimal_text(row.discount_amount)}",'
        f'"tax_amount":"{decimal_text(row.tax_amount)}","currency":"{row.currency}",'
        f'"region":"{row.region}","created_at":"{iso_micros(row.created_us)}",'
        f'"updated_at":"{iso_micros(row.updated_us)}","approved_at":{_number(row.approved_us)},'
        f'"shipped_at":{_number(row.shipped_us)},"delivered_at":{_number(row.delivered_us)}}}'
    )


def _line(row: Row) -> str:
    assert isinstance(row, Line)
    return (
        f'{{"order_id":"{row.order_id}","line_number":{row.line_number},'
        f'"product_id":{row.product_id},"quantity":{row.quantity},'
        f'"unit_price":"{decimal_text(row.unit_price)}",'
        f'"discount_amount":"{decimal_text(row.discount_amount)}",'
        f'"shipping_amount":"{decimal_text(row.shipping_amount)}"}}'
    )


def _payment(row: Row) -> str:
    assert isinstance(row, Payment)
    return (
        f'{{"order_id":"{row.order_id}","payment_number":{row.payment_number},'
        f'"payment_type":"{row.payment_type}","amount":"{decimal_text(row.amount)}",'
        f'"installments":{row.installments},"paid_at":{row.paid_us}}}'
    )


_AFTER: dict[str, Callable[[Row], str]] = {
    "users": _user,
    "products": _product,
    "orders": _order,
    "order_items": _line,
    "payments": _payment,
}


def _nulls(*columns: str) -> str:
    return "".join(f',"{column}":null' for column in columns)


_ORDER_NULLS = _nulls(
    "user_id", "status", "order_amount", "discount_amount", "tax_amount", "currency", "region",
    "created_at", "updated_at", "approved_at", "shipped_at", "delivered_at",
)  # fmt: skip
_LINE_NULLS = _nulls("product_id", "quantity", "unit_price", "discount_amount", "shipping_amount")
_PAYMENT_NULLS = _nulls("payment_type", "amount", "installments", "paid_at")

#: Of the tables whose rows are ever deleted.
_KEY_ONLY: dict[str, Callable[[Row], str]] = {
    "orders": lambda row: f'{{"order_id":"{row[0]}"{_ORDER_NULLS}}}',
    "order_items": lambda row: f'{{"order_id":"{row[0]}","line_number":{row[1]}{_LINE_NULLS}}}',
    "payments": lambda row: f'{{"order_id":"{row[0]}","payment_number":{row[1]}{_PAYMENT_NULLS}}}',
}
