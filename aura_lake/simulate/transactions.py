"""What a live shop writes to its database: one transaction after the other.

What is due comes first (an order's next state, a move, a price); where nothing is due, somebody checks out. So the
rate is kept, and there are as many orders as it bears.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from aura_lake.simulate import orders
from aura_lake.simulate.catalog import CATEGORIES
from aura_lake.simulate.chance import Choice, below, between
from aura_lake.simulate.clock import MINUTE_US, SECOND_US
from aura_lake.simulate.customers import moved, new_customer
from aura_lake.simulate.goods import new_product, repriced
from aura_lake.simulate.live_orders import LiveOrder, statements_of
from aura_lake.simulate.live_plan import LivePlan
from aura_lake.simulate.mess import MESSES
from aura_lake.simulate.rows import Product, User, key_of
from aura_lake.simulate.shop_floor import ShopFloor
from aura_lake.simulate.spoil import spoil_life
from aura_lake.simulate.statements import Statement, Verb
from aura_lake.simulate.visitors import Visitors

#: Share of the transactions that are rolled back, and of those that write many rows.
ROLLED_BACK, BULK = 0.06, 0.015

_NEWCOMERS = 0.25
_RETRY_US = SECOND_US // 2


class Transaction(NamedTuple):
    """Statements that are committed together, or rolled back together. `mess`: what goes wrong in it on purpose."""

    name: str
    at_us: int
    statements: tuple[Statement, ...]
    is_rolled_back: bool = False
    mess: tuple[str, ...] = ()

    @property
    def rows(self) -> frozenset[tuple[object, ...]]:
        """The rows it writes, by table and key: no other transaction may have one of them open."""
        return frozenset((s.table, *key_of(s.table, row)) for s in self.statements for row in s.rows)


#: Makes the transaction that is due at a time, or the attempt of one that fails.
_Due = Callable[[int, bool], Transaction]


class LiveShop:
    """The transactions of a plan. Ask for them in the order of their times."""

    def __init__(self, plan: LivePlan, floor: ShopFloor, visitors: Visitors) -> None:
        self._plan, self._floor, self._visitors = plan, floor, visitors
        self._spoiling = plan.for_orders()
        self._fates = plan.chance("fates")
        self._orders = plan.chance("orders")
        self._purges = plan.chance("deletes")
        self._customers = plan.chance("customers")
        self._goods = plan.chance("goods")
        self._moves = plan.chance("address_changes")
        self._bulks: Choice[_Due] = Choice(
            ((self._import_customers, 45.0), (self._sale, 40.0), (self._new_season, 15.0))
        )
        self._ordered = 0
        self._waiting: list[tuple[int, int, _Due]] = []
        self._planned = 0
        self._later(plan.start_us + between(self._goods, 1, 20) * SECOND_US, self._reprice)
        self._later(plan.start_us + 2 * MINUTE_US, self._list)
        if plan.has("address_changes"):
            self._later(plan.start_us + between(self._moves, 1, 3) * SECOND_US, self._move)

    def next(self, at_us: int) -> Transaction:
        """The transaction that happens at `at_us`."""
        fails = self._fates.random() < ROLLED_BACK
        is_bulk = self._fates.random() < BULK
        if self._floor.newcomers:
            return self._sign_up(self._floor.newcomers.popleft(), at_us, fails)
        if is_bulk:
            return self._bulks.draw(self._fates)(at_us, fails)
        if self._waiting and self._waiting[0][0] <= at_us:
            return heapq.heappop(self._waiting)[2](at_us, fails)
        return self._check_out(at_us, fails)

    def _later(self, due_us: int, due: _Due) -> None:
        heapq.heappush(self._waiting, (due_us, self._planned, due))
        self._planned += 1

    def _check_out(self, at_us: int, fails: bool) -> Transaction:
        """An order of a visitor whose cart is full, else of somebody who was not seen clicking."""
        chance, floor = self._orders, self._floor
        session = self._visitors.take_buyer()
        joins = session is None and chance.random() < _NEWCOMERS
        user = (
            session.user
            if session is not None
            else new_customer(self._customers, floor.customers, at_us)
            if joins
            else floor.some_user(chance)
        )
        assert user is not None
        basket = floor.basket(chance) if session is None else session.basket
        placed = orders.place(chance, self._ordered, at_us, user, [floor.products[place] for place in basket])
        changes = spoil_life(self._spoiling, self._purges, placed, orders.life(chance, placed))
        order = LiveOrder(changes)
        first = order.attempt(at_us)
        statements = statements_of(first)
        if joins:
            statements = (Statement(Verb.INSERT, "users", (user,)), *statements)
        if fails:  # and it is given up: of this order nothing remains
            return Transaction("abandoned_checkout", at_us, statements, is_rolled_back=True)
        self._ordered += 1
        if joins:
            floor.customers += 1
            floor.keep_user(user)
        if session is not None:
            self._visitors.bought(session)
        self._await(order)
        return Transaction("checkout", at_us, statements, mess=tuple(c.breaks for c in first if c.breaks))

    def _go_on(self, order: LiveOrder, at_us: int, fails: bool) -> Transaction:
        """The order's next state; where it fails it is tried again."""
        changes = order.attempt(at_us)
        statements = statements_of(changes)
        is_purge = changes[0].op == "d"
        name = "purge" if is_purge else "next_state"
        if fails:
            self._later(at_us + _RETRY_US, partial(self._go_on, order))
            return Transaction(name, at_us, statements, is_rolled_back=True)
        self._await(order)
        mess = ("deletes",) if is_purge else tuple(change.breaks for change in changes if change.breaks)
        return Transaction(name, at_us, statements, mess=mess)

    def _await(self, order: LiveOrder) -> None:
        due_us = order.happened()
        if due_us is not None:
            self._later(due_us, partial(self._go_on, order))

    def _sign_up(self, user: User, at_us: int, fails: bool) -> Transaction:
        user = user._replace(created_us=at_us, updated_us=at_us)
        if fails:
            self._later(at_us + _RETRY_US, partial(self._sign_up, user))
        else:
            self._floor.keep_user(user)
        return Transaction("sign_up", at_us, (Statement(Verb.INSERT, "users", (user,)),), fails)

    def _move(self, at_us: int, fails: bool) -> Transaction:
        """A customer moves house: one a live day, and one more for each 400."""
        floor = self._floor
        movers = 1 + len(floor.users) // MESSES["address_changes"].every
        self._later(at_us + MINUTE_US // movers, self._move)
        user = moved(self._moves, floor.users[below(self._moves, len(floor.users))], at_us)
        if not fails:
            floor.keep_user(user)
        mess = () if fails else ("address_changes",)
        return Transaction("move", at_us, (Statement(Verb.UPDATE, "users", (user,)),), fails, mess)

    def _reprice(self, at_us: int, fails: bool) -> Transaction:
        self._later(at_us + between(self._goods, 20, 60) * SECOND_US, self._reprice)
        product = repriced(self._goods, self._floor.some_product(self._goods), at_us)
        return self._of_products("price", Verb.UPDATE, (product,), at_us, fails)

    def _list(self, at_us: int, fails: bool) -> Transaction:
        self._later(at_us + 3 * MINUTE_US, self._list)
        product = new_product(self._goods, self._floor.next_product, at_us)
        return self._of_products("listing", Verb.INSERT, (product,), at_us, fails)

    def _new_season(self, at_us: int, fails: bool) -> Transaction:
        """Several products listed by one INSERT."""
        first = self._floor.next_product
        count = between(self._goods, 3, 8)
        season = tuple(new_product(self._goods, number, at_us) for number in range(first, first + count))
        return self._of_products("new_season", Verb.INSERT, season, at_us, fails)

    def _sale(self, at_us: int, fails: bool) -> Transaction:
        """A whole category repriced by one UPDATE."""
        category = CATEGORIES[below(self._goods, len(CATEGORIES))].category
        chosen = [product for product in self._floor.products if product.category == category]
        chosen = chosen or [self._floor.some_product(self._goods)]
        sale = tuple(repriced(self._goods, product, at_us) for product in chosen[-100:])
        return self._of_products("sale", Verb.UPDATE, sale, at_us, fails)

    def _of_products(
        self, name: str, verb: Verb, products: tuple[Product, ...], at_us: int, fails: bool
    ) -> Transaction:
        if not fails:
            for product in products:
                self._floor.keep_product(product)
        return Transaction(name, at_us, (Statement(verb, "products", products),), fails)

    def _import_customers(self, at_us: int, fails: bool) -> Transaction:
        """A partner's customers, by COPY."""
        first = self._floor.customers
        count = between(self._customers, 20, 60)
        users = tuple(new_customer(self._customers, number, at_us) for number in range(first, first + count))
        if not fails:
            self._floor.customers += count
            for user in users:
                self._floor.keep_user(user)
        return Transaction("import_customers", at_us, (Statement(Verb.COPY, "users", users),), fails)
