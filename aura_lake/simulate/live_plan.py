"""What a live shop is asked for, and what stands in its database when it opens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from aura_lake.errors import SettingsError
from aura_lake.simulate.chance import stream
from aura_lake.simulate.clock import DAY_US, HOUR_US, day_of
from aura_lake.simulate.customers import new_customer
from aura_lake.simulate.goods import new_product
from aura_lake.simulate.mess import known_mess
from aura_lake.simulate.plan import SimulationPlan
from aura_lake.simulate.rows import Product, User

#: A day in the life of a live order takes a minute: it is delivered while somebody looks.
DAYS_ARE_MINUTES = DAY_US // 60_000_000

#: An hour on the road (a late click, a redelivery) at the same pace.
LIVE_HOUR_US = HOUR_US // DAYS_ARE_MINUTES

#: Messes that SQL's types and a database's own log rule out for rows; clicks may still have them.
_ON_THE_WIRE_ONLY = frozenset({"amounts_as_strings"})

FIRST_CUSTOMERS, FIRST_PRODUCTS = 200, 60


@dataclass(frozen=True)
class Standing:
    """What stands in the shop's database. `customers`: how many there are; `users`: those that will come again."""

    users: tuple[User, ...] = ()
    products: tuple[Product, ...] = ()
    customers: int = 0
    last_us: int = 0  #: the newest time of any row; 0 where there is none

    @property
    def is_empty(self) -> bool:
        """Whether the shop has to be opened first."""
        return not self.users or not self.products


@dataclass(frozen=True)
class LivePlan:
    """A shop that begins at `start_us` and goes on.

    It alone decides every statement and every click, and when each is due. SettingsError where a number makes no
    sense or a mess has no such name.
    """

    start_us: int
    standing: Standing
    seed: int = 7
    rate: float = 20.0  #: transactions a second, those rolled back included
    clicks: float = 60.0  #: clicks a second; 0: nobody clicks
    mess: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise SettingsError(
                f"A shop with {self.rate:g} transactions a second does nothing.", fix="Give a rate above 0."
            )
        if self.clicks < 0:
            raise SettingsError(f"{self.clicks:g} clicks a second are not possible.", fix="Give 0 or more.")
        if self.standing.is_empty:
            raise SettingsError("The shop has no customers or no products.", fix="Open it first.")
        known_mess(self.mess)

    def chance(self, name: str) -> Random:
        """The chance of one part of the shop. A shop that goes on draws otherwise than before: nothing that it
        makes has a key that stands already."""
        return stream(self.seed, f"live:{self.standing.last_us}:{name}")

    def has(self, mess: str) -> bool:
        """True where that mess is switched on."""
        return mess in self.mess

    def for_orders(self) -> SimulationPlan:
        """The plan by which orders are spoilt: without the messes that no column takes."""
        return SimulationPlan(seed=self.seed, days=1, end=day_of(self.start_us), mess=self.mess - _ON_THE_WIRE_ONLY)


def opened(seed: int, at_us: int) -> Standing:
    """The customers and products with which an empty shop opens at `at_us`, the same for the same seed but for
    their times."""
    customers, goods = stream(seed, "live:customers"), stream(seed, "live:goods")
    users = tuple(
        new_customer(customers, number, at_us - int(customers.random() * 400 * DAY_US))
        for number in range(FIRST_CUSTOMERS)
    )
    year_us = timedelta(days=400) // timedelta(microseconds=1)
    products = tuple(new_product(goods, number, at_us - year_us + number) for number in range(FIRST_PRODUCTS))
    return Standing(users, products, customers=len(users))
