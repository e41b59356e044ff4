"""What visitors click: sessions that only look, and sessions that end in an order.

A visitor who has an account is anonymous until the login, which in some sessions comes
late. Way and device are those of the session.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from aura_lake.simulate.catalog import DEVICES, WAYS
from aura_lake.simulate.chance import Choice, between, uuid_text
from aura_lake.simulate.rows import Product

_VIEWS: Choice[int] = Choice(((1, 30), (2, 22), (3, 16), (4, 11), (6, 9), (9, 7), (14, 5)))
_STEP_MS = 1_000


class Visit(NamedTuple):
    """What all clicks of one session share. `who` and `how` are JSON members, ready to write."""

    user_id: str | None
    session_id: str
    device_os: str
    channel: str | None
    is_direct: bool
    who: str
    anonymous: str
    how: str


class Click(NamedTuple):
    """One click; `user_id` null while nobody is logged in."""

    at_ms: int
    event_type: str
    event_id: str
    visit: Visit
    user_id: str | None
    goods: str  #: the product's JSON members, or their nulls
    query: str | None


NO_GOODS = '"product_id":null,"category":null,"brand":null,"price":null'


def goods_members(product: Product) -> str:
    """The product as a click tells it: id, category, brand, price."""
    dollars, cents = divmod(product.list_price, 100)
    return (
        f'"product_id":{product.product_id},"category":{json.dumps(product.category, ensure_ascii=False)},'
        f'"brand":{json.dumps(product.brand, ensure_ascii=False)},"price":{dollars}.{cents:02d}'
    )


def _quoted(word: str | None) -> str:
    """A word of ours, in which nothing needs escaping, as JSON."""
    return "null" if word is None else f'"{word}"'


def _visit(chance: Random, user_id: str | None) -> Visit:
    way = WAYS.draw(chance)
    device = DEVICES.draw(chance)
    session = uuid_text(chance)
    return Visit(
        user_id,
        session,
        device,
        way.channel,
        way.is_direct,
        f'"user_id":{_quoted(user_id)},"session_id":"{session}",',
        f'"user_id":null,"session_id":"{session}",',
        f'"device_os":"{device}","channel":{_quoted(way.channel)},"campaign":{_quoted(way.campaign)},',
    )


def browse(
    chance: Random, start_ms: int, user_id: str | None, shelf: Sequence[str], words: Sequence[str]
) -> list[Click]:
    """A session that looks, sometimes searches, sometimes fills a cart, and leaves.

    shelf: `goods_members` of the products; words: what people search for.
    """
    random = chance.random
    visit = _visit(chance, user_id)
    login = 2 if user_id is not None and random() < 0.2 else 0
    clicks: list[Click] = []
    at_ms = start_ms
    for number in range(_VIEWS.draw(chance)):
        user = user_id if number >= login else None
        if random() < 0.12:
            word = words[int(random() * len(words))]
            clicks.append(Click(at_ms, "search", uuid_text(chance), visit, user, NO_GOODS, word))
            at_ms += _STEP_MS + int(random() * 15_000)
        goods = shelf[int(random() ** 2 * len(shelf))]
        clicks.append(Click(at_ms, "view", uuid_text(chance), visit, user, goods, None))
        at_ms += _STEP_MS + int(random() * 90_000)
        if random() < 0.07:
            clicks.append(Click(at_ms, "cart", uuid_text(chance), visit, user, goods, None))
            at_ms += _STEP_MS + int(random() * 20_000)
    return clicks


def buy(chance: Random, ordered_ms: int, user_id: str, basket: Sequence[str], shelf: Sequence[str]) -> list[Click]:
    """The session of an order: views and carts before it, a purchase a line just after it."""
    random = chance.random
    visit = _visit(chance, user_id)
    looked_at = [shelf[int(random() ** 2 * len(shelf))] for _ in range(between(chance, 0, 4))]
    clicks: list[Click] = []
    before = _STEP_MS + int(random() * 30_000)
    for goods in reversed(basket):
        clicks.append(Click(ordered_ms - before, "cart", uuid_text(chance), visit, user_id, goods, None))
        before += _STEP_MS + int(random() * 20_000)
        clicks.append(Click(ordered_ms - before, "view", uuid_text(chance), visit, user_id, goods, None))
        before += _STEP_MS + int(random() * 120_000)
    for goods in looked_at:
        clicks.append(Click(ordered_ms - before, "view", uuid_text(chance), visit, user_id, goods, None))
        before += _STEP_MS + int(random() * 90_000)
    clicks.reverse()
    after = _STEP_MS
    for goods in basket:
        clicks.append(Click(ordered_ms + after, "purchase", uuid_text(chance), visit, user_id, goods, None))
        after += int(random() * 400)
    return clicks
