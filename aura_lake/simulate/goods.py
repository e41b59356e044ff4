"""What the shop sells, and how its prices move."""

from __future__ import annotations

from random import Random

from aura_lake.simulate.catalog import ADJECTIVES, CATEGORIES
from aura_lake.simulate.chance import below
from aura_lake.simulate.rows import Product

FIRST_PRODUCT_ID = 1001


def new_product(chance: Random, number: int, at_us: int) -> Product:
    """The `number`-th product (from 0); prices end in 99 or 49 cents and lean to the cheap."""
    shelf = CATEGORIES[number % len(CATEGORIES)]
    adjective = ADJECTIVES[below(chance, len(ADJECTIVES))]
    noun = shelf.nouns[below(chance, len(shelf.nouns))]
    cents = shelf.low + int((shelf.high - shelf.low) * chance.random() ** 3)
    return Product(
        product_id=FIRST_PRODUCT_ID + number,
        product_name=f"{adjective} {noun} {number // len(CATEGORIES) + 1}",
        category=shelf.category,
        brand=shelf.brands[below(chance, len(shelf.brands))],
        list_price=cents // 100 * 100 + (99 if number % 3 else 49),
        created_us=at_us,
        updated_us=at_us,
    )


def repriced(chance: Random, product: Product, at_us: int) -> Product:
    """The same product at 80 to 120 % of its price, never below a dollar."""
    share = 80 + below(chance, 41)
    return product._replace(list_price=max(100, product.list_price * share // 100), updated_us=at_us)
