"""A shop that is alive: customers sign up, look, order, wait for the parcel, move house.

`LivingShop` makes one day after the other and hands out what has happened hour by hour.
What lies in the future (a delivery in four days) waits in its hour.
"""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter, itemgetter

from aura_lake.simulate import orders, sessions
from aura_lake.simulate.catalog import CATEGORIES, HOURS
from aura_lake.simulate.chance import below, between, stream
from aura_lake.simulate.clock import DAY_US, HOUR_US, MINUTE_US
from aura_lake.simulate.customers import moved, new_customer
from aura_lake.simulate.goods import new_product, repriced
from aura_lake.simulate.mess import MESSES
from aura_lake.simulate.plan import SimulationPlan
from aura_lake.simulate.rows import CDC_TABLES, Change, Product, User, key_of
from aura_lake.simulate.sessions import Click
from aura_lake.simulate.spoil import spoil_life

#: Share of the orders that a customer places on the day of signing up.
_NEWCOMERS = 0.25
#: Share of the browsing sessions by somebody with an account.
_KNOWN_VISITORS = 0.55


class LivingShop:
    """The shop of one plan. Ask for its hours in order, each once."""

    def __init__(self, plan: SimulationPlan) -> None:
        self._plan = plan
        self._customers = stream(plan.seed, "customers")
        self._goods = stream(plan.seed, "goods")
        self._orders = stream(plan.seed, "orders")
        self._clicks = stream(plan.seed, "clicks")
        self._moves = stream(plan.seed, "mess:address_changes")
        self._purges = stream(plan.seed, "mess:deletes")
        self._changes_of: dict[int, list[Change]] = defaultdict(list)
        self._clicks_of: dict[int, list[Click]] = defaultdict(list)
        self._users: list[User] = []
        self._products: list[Product] = []
        self._ordered = 0
        self._next_day = 0
        self.snapshot = self._open()  #: the rows that stood when the feed began, op r

    def hour(self, hour: int) -> tuple[list[Change], list[Click]]:
        """What happened in an hour (counted from 1970): changes and clicks by their times."""
        while self._plan.first_hour + 24 * self._next_day <= hour:
            self._live_through(self._next_day)
            self._next_day += 1
        changes = sorted(self._changes_of.pop(hour, ()), key=attrgetter("at_us", "step"))
        clicks = sorted(self._clicks_of.pop(hour, ()), key=itemgetter(0))
        return changes, clicks

    def _open(self) -> list[Change]:
        """Customers and goods from before, orders on their way; what is due comes later."""
        plan, start = self._plan, self._plan.start_us
        for number in range(max(12, plan.orders // 2)):
            at_us = start - DAY_US - int(self._customers.random() * 400 * DAY_US)
            self._users.append(new_customer(self._customers, number, at_us))
        for number in range(max(20, min(400, 20 + plan.orders // 12))):
            self._products.append(new_product(self._goods, number, start - 400 * DAY_US + number))
        standing: dict[tuple[object, ...], Change] = {}
        for user in self._users:
            standing["users", user.user_id] = Change(start, 0, "users", "r", user)
        for product in self._products:
            standing["products", product.product_id] = Change(start, 0, "products", "r", product)
        ages = sorted((self._orders.random() * 5 for _ in range(plan.snapshot_orders)), reverse=True)
        for age_days in ages:
            at_us = self._instant(start - int(age_days * DAY_US) - MINUTE_US)
            for change in self._place(at_us, self._some_user(len(self._users)))[1]:
                if change.at_us >= start:
                    self._changes_of[change.at_us // HOUR_US].append(change)
                else:
                    key = (change.table, *key_of(change.table, change.row))
                    standing[key] = change._replace(op="r", at_us=start, step=0)
        return sorted(standing.values(), key=lambda change: CDC_TABLES.index(change.table))

    def _live_through(self, day: int) -> None:
        plan, day_us = self._plan, self._plan.day_us(day)
        self._move_goods(day, day_us)
        if plan.has("address_changes"):
            self._move_customers(day_us)
        shelf = [sessions.goods_members(product) for product in self._products]
        known = len(self._users)
        quota = plan.quota(plan.clicks, day)
        placed = plan.quota(plan.orders - plan.snapshot_orders, day)
        for at_us in sorted(self._instant(self._time_of_day(day_us)) for _ in range(placed)):
            newcomer = self._orders.random() < _NEWCOMERS
            user = self._sign_up(at_us, day_us) if newcomer else self._some_user(known)
            basket, changes = self._place(at_us, user)
            for change in changes:
                self._changes_of[change.at_us // HOUR_US].append(change)
            bought = [shelf[index] for index in basket]
            quota -= self._keep(sessions.buy(self._clicks, at_us // 1000, user.user_id, bought, shelf), quota, day_us)
        self._browse(day_us, known, quota, shelf)

    def _browse(self, day_us: int, known: int, quota: int, shelf: list[str]) -> None:
        chance = self._clicks
        words = [name.lower() for kind in CATEGORIES for name in (kind.category, *kind.nouns)]
        while quota > 0:
            start_us = day_us + HOURS.draw(chance) * HOUR_US + below(chance, HOUR_US)
            is_known = chance.random() < _KNOWN_VISITORS
            user_id = self._users[int(chance.random() ** 1.5 * known)].user_id if is_known else None
            visit = sessions.browse(chance, start_us // 1000, user_id, shelf, words)
            quota -= self._keep(visit, quota, day_us)

    def _keep(self, clicks: list[Click], quota: int, day_us: int) -> int:
        """Files the first `quota` clicks under their hours; how many those are.

        A session never reaches back before its day, nor forth into the next.
        """
        first_ms, last_ms = day_us // 1000, (day_us + DAY_US) // 1000 - 1
        kept = clicks[-quota:] if quota > 0 else []
        for click in kept:
            if not first_ms <= click.at_ms <= last_ms:
                click = click._replace(at_ms=min(max(click.at_ms, first_ms), last_ms))
            self._clicks_of[click.at_ms // 3_600_000].append(click)
        return len(kept)

    def _place(self, at_us: int, user: User) -> tuple[list[int], list[Change]]:
        """An order with everything that will happen to it; which goods were in the basket."""
        chance = self._orders
        basket = sorted({int(chance.random() ** 2 * len(self._products)) for _ in range(orders.basket_size(chance))})
        goods = [self._products[index] for index in basket]
        placed = orders.place(chance, self._ordered, at_us, user, goods)
        self._ordered += 1
        changes = orders.life(chance, placed)
        return basket, spoil_life(self._plan, self._purges, placed, changes)

    def _sign_up(self, at_us: int, day_us: int) -> User:
        signed_up_us = max(day_us, at_us - between(self._customers, 3 * 60, 40 * 60) * 1_000_003)
        user = new_customer(self._customers, len(self._users), signed_up_us)
        self._users.append(user)
        self._changes_of[signed_up_us // HOUR_US].append(Change(signed_up_us, 0, "users", "c", user))
        return user

    def _some_user(self, known: int) -> User:
        return self._users[int(self._orders.random() ** 1.5 * known)]

    def _time_of_day(self, day_us: int) -> int:
        return day_us + HOURS.draw(self._orders) * HOUR_US + below(self._orders, HOUR_US)

    @staticmethod
    def _instant(at_us: int) -> int:
        """An instant that no click, which has whole milliseconds, can share."""
        return at_us // 1000 * 1000 + 1 + at_us % 999

    def _move_goods(self, day: int, day_us: int) -> None:
        """One or two prices change just after midnight; a new product every third day."""
        for step in range(between(self._goods, 1, 2)):
            number = below(self._goods, len(self._products))
            product = repriced(self._goods, self._products[number], day_us + step * 1_009)
            self._products[number] = product
            self._changes_of[day_us // HOUR_US].append(Change(product.updated_us, step, "products", "u", product))
        if day % 3 == 2:
            product = new_product(self._goods, len(self._products), day_us + 7_013)
            self._products.append(product)
            self._changes_of[day_us // HOUR_US].append(Change(product.created_us, 0, "products", "c", product))

    def _move_customers(self, day_us: int) -> None:
        movers = 1 + len(self._users) // MESSES["address_changes"].every
        for _ in range(movers):
            number = below(self._moves, len(self._users))
            at_us = day_us + HOUR_US + below(self._moves, 22 * HOUR_US)
            if self._users[number].updated_us >= at_us:
                continue
            self._users[number] = moved(self._moves, self._users[number], at_us)
            self._changes_of[at_us // HOUR_US].append(Change(at_us, 0, "users", "u", self._users[number]))
