"""Who shops and what is on the shelf, as far as it is committed."""

from __future__ import annotations

from collections import deque
from random import Random

from aura_lake.simulate import orders, sessions
from aura_lake.simulate.catalog import CATEGORIES
from aura_lake.simulate.chance import below
from aura_lake.simulate.customers import new_customer
from aura_lake.simulate.goods import FIRST_PRODUCT_ID
from aura_lake.simulate.live_plan import LivePlan
from aura_lake.simulate.rows import Product, User


class ShopFloor:
    """What the database and the visitors of a live shop both know."""

    #: What people search for.
    words = tuple(name.lower() for kind in CATEGORIES for name in (kind.category, *kind.nouns))

    def __init__(self, plan: LivePlan) -> None:
        standing = plan.standing
        self.users = list(standing.users)
        self.products = list(standing.products)
        self.shelf = [sessions.goods_members(product) for product in self.products]
        self.customers = standing.customers  #: how many there ever were: the number of the next
        self.newcomers: deque[User] = deque()  #: who looks around and has still to be signed up
        self._places = {user.user_id: place for place, user in enumerate(self.users)}
        self._shelves = {product.product_id: place for place, product in enumerate(self.products)}

    @property
    def next_product(self) -> int:
        """The number of the product that is listed next."""
        return max(self._shelves) - FIRST_PRODUCT_ID + 1

    def some_user(self, chance: Random) -> User:
        """A customer; those who have been there long come often."""
        return self.users[int(chance.random() ** 1.5 * len(self.users))]

    def some_product(self, chance: Random) -> Product:
        """Any product."""
        return self.products[below(chance, len(self.products))]

    def basket(self, chance: Random) -> list[int]:
        """The places on the shelf of what somebody buys."""
        size = orders.basket_size(chance)
        return sorted({int(chance.random() ** 2 * len(self.products)) for _ in range(size)})

    def newcomer(self, chance: Random, at_us: int) -> User:
        """Somebody who comes for the first time and will be signed up."""
        user = new_customer(chance, self.customers, at_us)
        self.customers += 1
        self.newcomers.append(user)
        return user

    def keep_user(self, user: User) -> None:
        """A customer as committed, new or changed."""
        place = self._places.setdefault(user.user_id, len(self.users))
        self.users[place : place + 1] = [user]

    def keep_product(self, product: Product) -> None:
        """A product as committed, new or changed."""
        place = self._shelves.setdefault(product.product_id, len(self.products))
        self.products[place : place + 1] = [product]
        self.shelf[place : place + 1] = [sessions.goods_members(product)]
