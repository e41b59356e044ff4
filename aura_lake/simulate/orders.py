"""The life of one order, from the cart to the door or back.

created → pending → approved → processing → invoiced → shipped → delivered; some are
cancelled on the way, some come back. An order is paid when it is approved.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from aura_lake.simulate.catalog import PAYMENT_TYPES
from aura_lake.simulate.chance import Choice, below, between, uuid_text
from aura_lake.simulate.clock import MINUTE_US
from aura_lake.simulate.rows import Change, Line, Order, Payment, Product, User

CURRENCY = "USD"
TAX_PERCENT = 8

_LINES: Choice[int] = Choice(((1, 46.0), (2, 28.0), (3, 16.0), (4, 10.0)))
_QUANTITY: Choice[int] = Choice(((1, 80.0), (2, 14.0), (3, 6.0)))
#: Least and most minutes until the next state.
_PACE = (
    ("pending", 1, 4),
    ("approved", 2, 6 * 60),
    ("processing", 30, 10 * 60),
    ("invoiced", 20, 8 * 60),
    ("shipped", 2 * 60, 30 * 60),
    ("delivered", 24 * 60, 5 * 24 * 60),
)
_RETURN_PACE = (12 * 60, 6 * 24 * 60)


class Placed(NamedTuple):
    """An order as it was placed: its number in the plan (from 0), first row and lines."""

    number: int
    order: Order
    lines: tuple[Line, ...]


def place(chance: Random, number: int, at_us: int, user: User, basket: Sequence[Product]) -> Placed:
    """An order of one line for each product of the basket, at today's prices."""
    order_id = uuid_text(chance)
    lines = []
    for line_number, product in enumerate(basket, start=1):
        quantity = _QUANTITY.draw(chance)
        gross = quantity * product.list_price
        percent = between(chance, 5, 30) if chance.random() < 0.18 else 0
        shipping = 0 if gross >= 5_000 else between(chance, 299, 999)
        lines.append(
            Line(order_id, line_number, product.product_id, quantity, product.list_price,
                 gross * percent // 100, shipping)
        )  # fmt: skip
    net = sum(line.net for line in lines)
    discount = net * between(chance, 5, 15) // 100 if chance.random() < 0.12 else 0
    tax = ((net - discount) * TAX_PERCENT + 50) // 100
    amount = net + sum(line.shipping_amount for line in lines) - discount + tax
    order = Order(order_id, user.user_id, "created", amount, discount, tax, CURRENCY, user.region, at_us, at_us)
    return Placed(number, order, tuple(lines))


def basket_size(chance: Random) -> int:
    """How many different products an order has."""
    return _LINES.draw(chance)


def life(chance: Random, placed: Placed) -> list[Change]:
    """Every change of the order, its lines and its payments, in the order of their times.

    Always the same number of draws, so that the fate of one order does not move the next.
    """
    order, lines = placed.order, placed.lines
    changes = [Change(order.created_us, 0, "orders", "c", order)]
    changes += [Change(order.created_us, step, "order_items", "c", line) for step, line in enumerate(lines, start=1)]
    draws = [chance.random() for _ in range(11)]
    cancelled_after = below(chance, 3) if draws[7] < 0.05 else None
    at_us = order.created_us
    for state, (status, least, most) in enumerate(_PACE):
        at_us += _minutes(draws[state], least, most)
        if cancelled_after is not None and state > cancelled_after:
            order = order._replace(status="cancelled", updated_us=at_us)
            changes.append(Change(at_us, 0, "orders", "u", order))
            return changes
        order = order._replace(status=status, updated_us=at_us)
        if status == "approved":
            order = order._replace(approved_us=at_us)
        elif status == "shipped":
            order = order._replace(shipped_us=at_us)
        elif status == "delivered":
            order = order._replace(delivered_us=at_us)
        changes.append(Change(at_us, 0, "orders", "u", order))
        if status == "approved":
            changes += [
                Change(at_us, step, "payments", "c", payment)
                for step, payment in enumerate(_payments(order, at_us, draws[8:]), start=1)
            ]
    if draws[7] > 0.96:
        at_us += _minutes(draws[6], *_RETURN_PACE)
        changes.append(Change(at_us, 0, "orders", "u", order._replace(status="returned", updated_us=at_us)))
    return changes


def _minutes(share: float, least: int, most: int) -> int:
    return least * MINUTE_US + int(share * (most - least) * MINUTE_US)


def _payments(order: Order, at_us: int, draws: Sequence[float]) -> list[Payment]:
    """One payment, or a gift card and the rest."""
    assert isinstance(order.order_amount, int)
    rest = order.order_amount
    payments = []
    if draws[0] < 0.07 and rest > 2_000:
        gift = min(rest // 2, 2_500)
        payments.append(Payment(order.order_id, 1, "gift_card", gift, 1, at_us))
        rest -= gift
    installments = (3 if draws[2] < 0.6 else 6) if rest > 30_000 and draws[2] < 0.9 else 1
    payments.append(Payment(order.order_id, len(payments) + 1, PAYMENT_TYPES.at(draws[1]), rest, installments, at_us))
    return payments


def purge(placed: Placed, changes: Sequence[Change], at_us: int) -> list[Change]:
    """The life of an order that is purged at `at_us`.

    What would have come later does not happen; its payments, its lines and then the
    order itself are deleted in one transaction.
    """
    lived = [change for change in changes if change.at_us < at_us]
    doomed = [change for change in lived if change.table == "payments"]
    doomed += [change for change in lived if change.table == "order_items"]
    deletes = [Change(at_us, step, c.table, "d", c.row) for step, c in enumerate(doomed)]
    return [*lived, *deletes, Change(at_us, len(deletes), "orders", "d", placed.order)]
