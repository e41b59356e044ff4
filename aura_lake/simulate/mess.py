"""Everything that can go wrong in the shop's records, by name.

A mess is off unless it is named. Each one touches the records it says and no other, and
which ones it touches depends on the seed and on their number alone, never on the other
messes. None of them loses a true change for good: what the lake must hold in the end is
known (`truth.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_lake.errors import SettingsError


@dataclass(frozen=True)
class Mess:
    """One thing that goes wrong: `every` n-th candidate from number `first` on."""

    name: str
    candidate: str  #: what is counted: order, change (of one table), click, user a day
    every: int
    first: int
    description: str
    verdict: str  #: what a lake must make of the records it touches

    def touches(self, number: int) -> bool:
        """True where candidate `number` (from 0) is one of those the mess falls upon."""
        return number % self.every == self.first


_ALL = (
    Mess(
        "redeliveries",
        "change",
        50,
        5,
        "a change or click is delivered a second time in an object at least one later: the same"
        " source position or event id, another processing time",
        "duplicate (quarantined where the record itself is bad)",
    ),
    Mess(
        "swaps",
        "change",
        100,
        11,
        "two neighbouring records of one hour stand in the wrong order",
        "none: the same records, the same result",
    ),
    Mess(
        "late_clicks",
        "click",
        100,
        13,
        "a click arrives 2 to 60 hours after it happened, in the object of its arrival",
        "valid, and attributes again the orders it precedes",
    ),
    Mess(
        "negative_amounts",
        "order",
        150,
        3,
        "order_amount has the wrong sign; alternately in every change of the order and in one only",
        "quarantined",
    ),
    Mess(
        "null_users",
        "order",
        150,
        5,
        "user_id is null; alternately in every change of the order and in one only",
        "quarantined",
    ),
    Mess(
        "amounts_as_strings",
        "order",
        150,
        7,
        "order_amount is the text '12.30 USD', alternately in every change of the order and in one"
        " only; and the price of every 500th click is a JSON string",
        "quarantined",
    ),
    Mess(
        "deletes",
        "order",
        80,
        9,
        "an order is purged 6 to 60 hours after it was placed (one from before the snapshot: after the"
        " snapshot), with its lines and payments, each delete followed by its tombstone",
        "valid; the tombstone is ignored",
    ),
    Mess(
        "address_changes",
        "user a day",
        400,
        0,
        "customers move to another city of their region: one a day, and one more for each 400",
        "valid: one more version of the customer",
    ),
    Mess(
        "broken_json",
        "change",
        400,
        9,
        "the writer died in the middle of a record and then wrote it again: a cut copy stands before the whole one",
        "quarantined (the cut copy)",
    ),
)

#: Every mess by its name, in the order in which they are shown.
MESSES: dict[str, Mess] = {mess.name: mess for mess in _ALL}

#: Every how many clicks `amounts_as_strings` makes the price a string.
PRICE_AS_STRING = Mess("amounts_as_strings", "click", 500, 17, "", "quarantined")


def mess_named(text: str) -> frozenset[str]:
    """The names in a comma-separated list; `all` is every mess, `none` or nothing is none.

    Raises SettingsError naming the unknown name and those that exist.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return frozenset(MESSES)
    if names in ([], ["none"]):
        return frozenset()
    return known_mess(frozenset(names))


def known_mess(names: frozenset[str]) -> frozenset[str]:
    """`names`, each of which is a mess that exists; SettingsError otherwise."""
    for name in sorted(names):
        if name not in MESSES:
            raise SettingsError(
                f"There is no mess called {name!r}.",
                fix=f"Choose from: all, none, {', '.join(MESSES)}.",
            )
    return names
