"""The visitors of a live shop: one click after the other, of many sessions at once, and what befalls clicks."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from aura_lake.simulate import sessions
from aura_lake.simulate.chance import below, between
from aura_lake.simulate.clock import SECOND_US
from aura_lake.simulate.delivery import click_text, cut_short, price_as_string
from aura_lake.simulate.live_plan import LIVE_HOUR_US, LivePlan
from aura_lake.simulate.mess import MESSES, PRICE_AS_STRING
from aura_lake.simulate.rows import User
from aura_lake.simulate.sessions import Click
from aura_lake.simulate.shop_floor import ShopFloor

#: How many sessions click in turn.
SESSIONS = 24

#: With so many full carts waiting for a checkout nobody begins to fill another.
_FULL_CARTS = 20

_BUYERS, _NEWCOMERS, _KNOWN = 0.4, 0.25, 0.55


class Message(NamedTuple):
    """A click on its way. `verdict`: what a lake must make of it: valid, quarantined or duplicate; `mess`: what
    befell it."""

    due_us: int
    key: str
    text: str
    verdict: str = "valid"
    mess: str | None = None


@dataclass
class Session:
    """One visit: the clicks to come. Of a buyer `basket` holds places on the shelf and `purchases` the clicks
    after the checkout."""

    clicks: deque[Click]
    user: User | None = None
    basket: tuple[int, ...] = ()
    purchases: tuple[Click, ...] = ()


class Visitors:
    """Clicks at the rate of the plan. A buyer whose cart is full waits in `take_buyer` for the checkout."""

    def __init__(self, plan: LivePlan, floor: ShopFloor) -> None:
        self._plan, self._floor = plan, floor
        self._chance = plan.chance("clicks")
        self._roads = {name: plan.chance(f"road:{name}") for name in MESSES}
        self._sessions: list[Session] = []
        self._carts: deque[Session] = deque()
        self._waiting: list[tuple[int, int, Message]] = []
        self._slot = self._number = self._held = 0

    @property
    def next_us(self) -> int | None:
        """When the next click is due; None where nobody clicks."""
        if self._plan.clicks == 0:
            return None
        return self._plan.start_us + int(self._slot * SECOND_US / self._plan.clicks)

    def next(self) -> list[Message]:
        """What arrives at `next_us`: one new click, unless it is late, and those that are due by now."""
        at_us = self.next_us
        assert at_us is not None
        self._slot += 1
        arrived: list[Message] = []
        while self._waiting and self._waiting[0][0] <= at_us:
            arrived.append(heapq.heappop(self._waiting)[2]._replace(due_us=at_us))
        return [*self._sent(self._click(at_us), at_us), *arrived]

    def rest(self) -> list[Message]:
        """What is still on its way when the shop closes."""
        rest = [message for _, _, message in sorted(self._waiting, key=lambda entry: entry[:2])]
        self._waiting.clear()
        return rest

    def take_buyer(self) -> Session | None:
        """Who has waited longest with a full cart."""
        return self._carts.popleft() if self._carts else None

    def bought(self, session: Session) -> None:
        """The checkout of a buyer was committed: the purchase is clicked."""
        session.clicks.extend(session.purchases)
        session.purchases = ()
        self._sessions.append(session)

    def _click(self, at_us: int) -> Click:
        """The next click of some session."""
        while len(self._sessions) < SESSIONS:
            self._sessions.append(self._enter(at_us))
        place = below(self._chance, len(self._sessions))
        session = self._sessions[place]
        click = session.clicks.popleft()
        if not session.clicks:
            self._sessions[place] = self._sessions[-1]
            self._sessions.pop()
            if session.purchases:
                self._carts.append(session)
        return click._replace(at_ms=at_us // 1000)

    def _enter(self, at_us: int) -> Session:
        chance, floor = self._chance, self._floor
        if len(self._carts) >= _FULL_CARTS or chance.random() >= _BUYERS:
            user_id = floor.some_user(chance).user_id if chance.random() < _KNOWN else None
            return Session(deque(sessions.browse(chance, at_us // 1000, user_id, floor.shelf, floor.words)))
        is_new = chance.random() < _NEWCOMERS
        user = floor.newcomer(chance, at_us) if is_new else floor.some_user(chance)
        basket = tuple(floor.basket(chance))
        goods = [floor.shelf[place] for place in basket]
        clicks = sessions.buy(chance, at_us // 1000, user.user_id, goods, floor.shelf)
        before = deque(click for click in clicks if click.event_type != "purchase")
        return Session(before, user, basket, tuple(click for click in clicks if click.event_type == "purchase"))

    def _sent(self, click: Click, at_us: int) -> list[Message]:
        """The messages of a click, after the messes of its number."""
        number, key = self._number, click.user_id or click.visit.session_id
        self._number += 1
        verdict, mess = "valid", None
        if click.query is None and self._plan.has("amounts_as_strings") and PRICE_AS_STRING.touches(number):
            click = click._replace(goods=price_as_string(click.goods))
            verdict, mess = "quarantined", "amounts_as_strings"
        message = Message(at_us, key, click_text(click), verdict, mess)
        sent: list[Message] = []
        if self._hits("broken_json", number):
            cut = cut_short(self._roads["broken_json"], message.text)
            sent.append(Message(at_us, key, cut, "quarantined", "broken_json"))
        arrives_us = at_us
        if self._hits("late_clicks", number):
            arrives_us += between(self._roads["late_clicks"], 2, 60) * LIVE_HOUR_US
            self._hold(arrives_us, message._replace(mess="late_clicks"))
        elif self._hits("swaps", number):
            self._hold(at_us, message._replace(mess="swaps"))  # with the next click, and after it
        else:
            sent.append(message)
        if self._hits("redeliveries", number):
            again = "duplicate" if verdict == "valid" else verdict
            due_us = arrives_us + between(self._roads["redeliveries"], 1, 30) * LIVE_HOUR_US
            self._hold(due_us, message._replace(verdict=again, mess="redeliveries"))
        return sent

    def _hits(self, mess: str, number: int) -> bool:
        return self._plan.has(mess) and MESSES[mess].touches(number)

    def _hold(self, due_us: int, message: Message) -> None:
        heapq.heappush(self._waiting, (due_us, self._held, message))
        self._held += 1
