"""The shop's customers: who they are, when they come, where they move."""

from __future__ import annotations

from random import Random

from aura_lake.simulate.catalog import FIRST_NAMES, LAST_NAMES, PLACES, PLACES_BY_REGION, Place
from aura_lake.simulate.chance import below, uuid_text
from aura_lake.simulate.rows import User


def new_customer(chance: Random, number: int, at_us: int) -> User:
    """Somebody who signs up at `at_us`; `number` keeps the e-mail address unique."""
    first = FIRST_NAMES[below(chance, len(FIRST_NAMES))]
    last = LAST_NAMES[below(chance, len(LAST_NAMES))]
    place = PLACES[below(chance, len(PLACES))]
    return User(
        user_id=uuid_text(chance),
        email=f"{first}.{last}.{number}@mail.example".lower().replace("'", ""),
        full_name=f"{first} {last}",
        city=place.city,
        state=place.state,
        zip_code=_zip_code(chance, place),
        region=place.region,
        country="US",
        created_us=at_us,
        updated_us=at_us,
    )


def moved(chance: Random, user: User, at_us: int) -> User:
    """The same customer in another city of the same region."""
    elsewhere = tuple(place for place in PLACES_BY_REGION[user.region] if place.city != user.city)
    place = elsewhere[below(chance, len(elsewhere))]
    return user._replace(city=place.city, state=place.state, zip_code=_zip_code(chance, place), updated_us=at_us)


def _zip_code(chance: Random, place: Place) -> str:
    return f"{place.zip_prefix}{below(chance, 100):02d}"
