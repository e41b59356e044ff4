"""The messes that happen inside the shop: to an order, to a customer.

What happens to records on their way is in `delivery.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from aura_lake.simulate.chance import between
from aura_lake.simulate.clock import HOUR_US
from aura_lake.simulate.mess import MESSES
from aura_lake.simulate.orders import Placed, purge
from aura_lake.simulate.plan import SimulationPlan
from aura_lake.simulate.rows import Change, Order


def spoil_amount_sign(order: Order) -> Order:
    """The order with a negative amount."""
    assert isinstance(order.order_amount, int)
    return order._replace(order_amount=-order.order_amount)


def spoil_user(order: Order) -> Order:
    """The order of nobody."""
    return order._replace(user_id=None)


def spoil_amount_type(order: Order) -> Order:
    """The order with its amount as a text, which is no base64 either."""
    assert isinstance(order.order_amount, int)
    dollars, cents = divmod(order.order_amount, 100)
    return order._replace(order_amount=f"{dollars}.{cents:02d} {order.currency}")


_SPOILERS = {
    "negative_amounts": spoil_amount_sign,
    "null_users": spoil_user,
    "amounts_as_strings": spoil_amount_type,
}


def spoil_life(plan: SimulationPlan, chance: Random, placed: Placed, changes: Sequence[Change]) -> list[Change]:
    """The order's changes after the messes of its number; at most one falls on an order."""
    hours = between(chance, 6, 60)
    number = placed.number
    if plan.has("deletes") and MESSES["deletes"].touches(number):
        seen_us = max(placed.order.created_us, plan.start_us)
        return purge(placed, changes, seen_us + hours * HOUR_US + 77)
    for name, spoiler in _SPOILERS.items():
        if plan.has(name) and MESSES[name].touches(number):
            every_change = number // MESSES[name].every % 2 == 0
            return _spoiled(changes, name, spoiler, every_change=every_change)
    return list(changes)


def _spoiled(
    changes: Sequence[Change], name: str, spoiler: Callable[[Order], Order], *, every_change: bool
) -> list[Change]:
    spoiled: list[Change] = []
    orders_seen = 0
    for change in changes:
        if isinstance(change.row, Order):
            if every_change or orders_seen == 1:
                change = change._replace(row=spoiler(change.row), breaks=name)
            orders_seen += 1
        spoiled.append(change)
    return spoiled
