"""The words of the shop: what it sells, where its customers live, how they come."""

from __future__ import annotations

from typing import NamedTuple

from aura_lake.simulate.chance import Choice


class Range(NamedTuple):
    """A category: what its goods are called and cost (cents), and who makes them."""

    category: str
    nouns: tuple[str, ...]
    brands: tuple[str | None, ...]
    low: int
    high: int


CATEGORIES = (
    Range(
        "Phones",
        ("Phone", "Phone Case", "Charger", "Screen Guard"),
        ("Nimbus", "Orbit", "Kestrel"),
        1_900,
        89_900,
    ),
    Range("Laptops", ("Notebook", "Laptop Sleeve", "Dock"), ("Kestrel", "Slate", "Northwind"), 4_900, 189_900),
    Range("Audio", ("Headphones", "Earbuds", "Speaker", "Soundbar"), ("Sonora", "Orbit", "Vale"), 2_900, 49_900),
    Range(
        "Kitchen",
        ("Kettle", "Blender", "Pan", "Knife Set", "Café Press"),
        ("Hearth", "Olla", None),
        1_500,
        24_900,
    ),
    Range("Home", ("Lamp", "Blanket", "Cushion", "Shelf"), (None, "Fjäll", "Hearth"), 1_200, 19_900),
    Range("Toys", ("Puzzle", "Blocks", "Board Game", "Kite"), ("Pip & Co", "Brio Lane"), 900, 7_900),
    Range("Beauty", ("Serum", "Shampoo", "Perfume", "Brush"), ("Éclat", "Maris"), 800, 11_900),
    Range("Sports", ("Yoga Mat", "Dumbbell", "Bottle", "Backpack"), ("Ridge", "Vale", None), 1_400, 15_900),
    Range("Fashion", ("Jacket", "Sneakers", "Scarf", "Belt"), ("Ridge", "Atelier 9", "Maris"), 1_900, 22_900),
    Range("Books", ("Novel", "Cookbook", "Atlas", "Notebook Set"), ("Lamplight", None), 700, 5_900),
)

ADJECTIVES = (
    "Classic", "Compact", "Deluxe", "Eco", "Essential", "Everyday", "Light", "Mini", "Plus",
    "Premium", "Pro", "Quiet", "Slim", "Smart", "Studio", "Travel", "Ultra", "Urban",
)  # fmt: skip


class Place(NamedTuple):
    """A city, and the first three digits of its ZIP codes."""

    city: str
    state: str
    zip_prefix: str
    region: str


PLACES = tuple(
    Place(*text.split("|"))
    for text in (
        "New York|NY|100|Northeast", "Buffalo|NY|142|Northeast", "Boston|MA|021|Northeast",
        "Philadelphia|PA|191|Northeast", "Newark|NJ|071|Northeast", "Portland|ME|041|Northeast",
        "Chicago|IL|606|Midwest", "Detroit|MI|482|Midwest", "Columbus|OH|432|Midwest",
        "Minneapolis|MN|554|Midwest", "St. Louis|MO|631|Midwest", "Milwaukee|WI|532|Midwest",
        "Houston|TX|770|South", "Dallas|TX|752|South", "Austin|TX|787|South", "Miami|FL|331|South",
        "Atlanta|GA|303|South", "Charlotte|NC|282|South", "Nashville|TN|372|South",
        "Los Angeles|CA|900|West", "San Francisco|CA|941|West", "San José|CA|951|West",
        "Seattle|WA|981|West", "Denver|CO|802|West", "Phoenix|AZ|850|West", "Portland|OR|972|West",
    )
)  # fmt: skip

PLACES_BY_REGION: dict[str, tuple[Place, ...]] = {
    region: tuple(place for place in PLACES if place.region == region)
    for region in ("Northeast", "Midwest", "South", "West")
}

FIRST_NAMES = (
    "Ada", "Amir", "Ana", "Beatriz", "Ben", "Chloé", "Daniel", "Eleni", "Emma", "Farah", "Grace",
    "Hiro", "Ines", "Jamal", "José", "Kofi", "Lena", "Liam", "Maya", "Mei", "Noah", "Olga",
    "Priya", "Rosa", "Sam", "Tomás", "Uma", "Victor", "Yara", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Adams", "Baker", "Castillo", "Dubois", "Evans", "Fischer", "García", "Haddad", "Ito", "Jones",
    "Kim", "Lopez", "Martin", "Nguyen", "O'Neill", "Patel", "Quinn", "Rossi", "Santos", "Tanaka",
    "Usman", "Vogel", "Walker", "Xu", "Young", "Zieliński",
)  # fmt: skip


class Way(NamedTuple):
    """How somebody came to the shop; `channel` is null where the app was opened by hand."""

    channel: str | None
    campaign: str | None

    @property
    def is_direct(self) -> bool:
        """True where nothing brought the visitor, so that nothing can be credited."""
        return self.channel in (None, "direct")


WAYS: Choice[Way] = Choice(
    (
        (Way("instagram_ad", "spring_reels"), 9.0),
        (Way("instagram_ad", "creator_week"), 7.0),
        (Way("google_ads", "brand_search"), 10.0),
        (Way("google_ads", "shopping_feed"), 10.0),
        (Way("facebook_ad", "lookalike_us"), 5.0),
        (Way("organic_search", None), 22.0),
        (Way("email", "weekly_digest"), 7.0),
        (Way("email", "abandoned_cart"), 4.0),
        (Way("affiliate", "deal_hunters"), 4.0),
        (Way("referral", None), 3.0),
        (Way("direct", None), 14.0),
        (Way(None, None), 5.0),
    )
)

DEVICES: Choice[str] = Choice((("iOS", 38.0), ("Android", 29.0), ("Windows", 19.0), ("macOS", 11.0), ("Linux", 3.0)))

#: Business of an hour of the day (UTC): asleep at 9, busiest in the American evening.
HOURS: Choice[int] = Choice(
    tuple(
        enumerate(
            (9, 8.5, 7.5, 6, 4.5, 3, 2, 1.3, 1, 0.9, 1, 1.5, 2.5, 3.5, 4.5, 5.5, 6, 6.2, 6, 6, 6.3,
             7, 8, 9)
        )
    )
)  # fmt: skip

PAYMENT_TYPES: Choice[str] = Choice((("credit_card", 58.0), ("debit_card", 16.0), ("paypal", 17.0), ("apple_pay", 9.0)))
