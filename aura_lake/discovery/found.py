"""What is remembered of each topic and prefix that no contract names: a document in the lake.

It holds what was seen and where it lands; what a person decided stands in bronze, and what landed in the tables.
So a document that is lost is made anew, and what it named lands again under other names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from aura_lake.contracts.contract import KAFKA, Feed, Format, Shop
from aura_lake.contracts.draft import table_name
from aura_lake.contracts.sampling import plain_name
from aura_lake.contracts.servers import same_place
from aura_lake.decisions import DECISIONS, Decision

#: Where it stands in the lake.
DOCUMENT = "discovered.json"

#: Decisions about what was found (`name`, `location`, `topic`, `include`): its draft becomes a contract; it is left
#: alone.
ACCEPT_FOUND, IGNORE_FOUND = "accept_found", "ignore_found"


class State(StrEnum):
    """What became of something that was found."""

    WAITING = "waiting"  #: for a person
    ACCEPTED = "accepted"  #: its contract is read from the next start on
    NAMED = "named"  #: a contract names it
    IGNORED = "ignored"  #: never looked at again, until it is accepted


@dataclass(frozen=True)
class Found:
    """A topic or a prefix that no contract named when it was first seen; times are ISO 8601, UTC."""

    name: str  #: of its feed: it lands in `bronze/<name>`
    location: str  #: as a feed's
    first_seen: str
    last_seen: str
    topic: str | None = None
    format: str | None = None  #: how it is cut; null until its records were looked at
    delimiter: str = ","
    include: str | None = None
    layout: str | None = None
    endpoint_url: str | None = None
    units: int = 0  #: messages or objects there at the last look
    is_more: bool = False  #: of objects: there are more than are counted
    size: int | None = None  #: stored bytes of the counted objects
    guess: str = "nothing was read yet"  #: what its records look like
    personal: tuple[str, ...] = ()  #: columns that look personal
    draft: str | None = None  #: the file of the draft contract
    table: str | None = None  #: that it would make
    landed: int = 0  #: records in bronze
    waits: str | None = None  #: why not all of it has landed
    landed_at: str | None = None
    trouble: str | None = None  #: why it could not be read, landed or drafted
    state: str = State.WAITING.value  #: at the last look; what counts are the decisions

    @property
    def feed(self) -> Feed:
        """The feed it lands as, the same that its draft names."""
        return Feed(
            self.name,
            self.location,
            Format(self.format or Format.JSON),
            delimiter=self.delimiter,
            endpoint_url=self.endpoint_url,
            layout=self.layout,
            include=self.include,
            topics=(self.topic,) if self.topic else (),
            description="Found beside the shop's feeds; no contract names it yet.",
        )

    @property
    def where(self) -> str:
        """The place, for people."""
        if self.topic:
            return f"topic {self.topic} at {self.location.removeprefix(KAFKA)}"
        return f"{self.location}/{self.include.removeprefix('/')}" if self.include else self.location

    @property
    def place(self) -> tuple[str, str | None, str | None]:
        """What tells it from others."""
        return self.location, self.topic, self.include


@dataclass(frozen=True)
class Discovered:
    """The document: everything found, what was left out by rule, and what could not be looked at."""

    looked_at: str | None = None
    found: Mapping[str, Found] = field(default_factory=dict)  #: by name
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)  #: rule -> names
    roots: Sequence[str] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)  #: place -> why

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {**asdict(self), "found": {name: asdict(each) for name, each in sorted(self.found.items())}}

    @staticmethod
    def from_json(document: Mapping[str, Any] | None) -> Discovered:
        """As it was written; empty where it was not. Members that this version does not know are left out."""
        if document is None:
            return Discovered()
        known = {each.name for each in fields(Found)}
        found = {}
        for name, each in document.get("found", {}).items():
            members: dict[str, Any] = {k: v for k, v in each.items() if k in known}
            found[name] = Found(**{**members, "personal": tuple(members.get("personal", ()))})
        rest = {each.name for each in fields(Discovered)} - {"found"}
        return Discovered(found=found, **{k: v for k, v in document.items() if k in rest})

    def at(self, place: tuple[str, str | None, str | None]) -> Found | None:
        """What was found at that place, if anything."""
        return next((each for each in self.found.values() if each.place == place), None)


def state_of(found: Found, shop: Shop, decided: Iterable[Decision]) -> State:
    """What became of it. `decided`: decisions of these kinds, oldest first; the last one counts."""
    named = shop.feeds.get(found.name)
    if named is not None and is_same_feed(named, found.feed):
        return State.NAMED
    mine = [decision for decision in decided if _place_in(decision) == found.place]
    if not mine:
        return State.WAITING
    return State.IGNORED if mine[-1].kind == IGNORE_FOUND else State.ACCEPTED


def facts_of(found: Found) -> dict[str, Any]:
    """The facts of a decision about it."""
    return {"name": found.name, "location": found.location, "topic": found.topic, "include": found.include}


def is_same_feed(one: Feed, other: Feed) -> bool:
    """Whether both would give the same records at the same positions; what else a server says may differ."""
    rest: dict[str, Any] = {"layout": None, "registry": None, "decimals": None, "notifications": None}
    if one.is_topics:
        rest["format"] = Format.JSON  # a message is kept as it came, whatever it is framed in
    return same_place(replace(one, **rest), replace(other, **rest))


def table_of(name: str) -> str:
    """The table that a topic or folder is of, where it is called as a connector does: `prefix.schema.table`."""
    return name.rsplit(".", 1)[-1] if name.count(".") >= 2 else name


def name_for(wanted: str, place: tuple[str, str | None, str | None], taken: Collection[str]) -> str:
    """A name for the feed at `place`: the wanted one, made plain, and told apart where somebody has it.

    The same place gets the same name whenever it is asked for, so that what landed is found again.
    """
    name = plain_name(wanted)
    if name not in taken and name != DECISIONS:
        return name
    return f"{name[:50]}_{hashlib.sha256(repr(place).encode()).hexdigest()[:6]}"


def table_for(feed: str, taken: Collection[str]) -> str:
    """A table's name for the draft, that no other table has."""
    table = table_name(feed)
    return table if table not in taken else f"{table[:50]}_{hashlib.sha256(feed.encode()).hexdigest()[:6]}"


def _place_in(decision: Decision) -> tuple[str, str | None, str | None]:
    facts = decision.facts
    return str(facts.get("location")), facts.get("topic"), facts.get("include")
