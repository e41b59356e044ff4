"""Where to look for prefixes that no contract names: beside those that the shop's feeds share a folder with.

A root is the topmost folder in which the ways to two feeds part. What lies under it and on no way to a feed is
unnamed. A single feed shows no root: what lies beside it may be anybody's, so `discovery.roots` has to say it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

from aura_lake.contracts.contract import Feed
from aura_lake.outside.pattern import matches, split_location

S3 = "s3://"


@dataclass(frozen=True)
class Place:
    """A folder or a prefix: `/srv/landing` or `s3://bucket/raw`; `endpoint_url` says whose S3."""

    location: str
    endpoint_url: str | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        """The steps from the file system's or the bucket's own root; the first is the store itself."""
        if self.location.startswith(S3):
            bucket, *rest = self.location.removeprefix(S3).split("/")
            return (f"{S3}{bucket} {self.endpoint_url or ''}", *filter(None, rest))
        return ("/", *filter(None, self.location.split("/")))

    def below(self, name: str) -> Place:
        """What lies in it under this name."""
        return Place(f"{self.location.rstrip('/')}/{name}", self.endpoint_url)

    def holds(self, other: Place) -> bool:
        """Whether the other lies below it, or is it."""
        mine = self.segments
        return other.segments[: len(mine)] == mine


@dataclass(frozen=True)
class Claim:
    """What a feed takes of the names below its place; without globs all of them."""

    place: Place
    globs: tuple[str, ...] = ()

    @staticmethod
    def of(feed: Feed) -> Claim:
        """The claim of a feed of objects."""
        location, glob = split_location(feed.location.removeprefix("file://"))
        globs = tuple(each for each in (glob, feed.include) if each)
        return Claim(Place(location.rstrip("/") or "/", feed.endpoint_url), globs)

    def takes(self, place: Place) -> bool:
        """Whether an object of that place is the feed's."""
        if not self.place.holds(place):
            return False
        name = "/".join(place.segments[len(self.place.segments) :])
        return not name or all(matches(glob, name) for glob in self.globs)


@dataclass(frozen=True)
class Claims:
    """What the feeds of a shop take, all of them."""

    claims: tuple[Claim, ...]

    @staticmethod
    def of(feeds: Iterable[Feed]) -> Claims:
        """The claims of the feeds of objects."""
        return Claims(tuple(Claim.of(feed) for feed in feeds if not feed.is_topics))

    def takes(self, place: Place) -> bool:
        """Whether some feed takes an object of that place. What the only feed in a folder leaves there, its
        contract leaves out on purpose."""
        return any(claim.place.holds(place) if self._is_alone(claim) else claim.takes(place) for claim in self.claims)

    def leads_to(self, folder: Place) -> bool:
        """Whether a feed lies below the folder, or shares it with others: then it is looked into."""
        return any(folder.holds(claim.place) for claim in self.claims)

    def roots(self, refused: Collection[Place] = ()) -> list[Place]:
        """The topmost folders in which ways to feeds part; `refused` ones are not taken, those below may be."""
        branching = [node for node, ways in self._ways.items() if len(ways) > 1 and self._place(node) not in refused]
        top = [
            node for node in branching if not any(n != node and node[: len(n)] == n for n in branching)
        ]  # fmt: skip
        return sorted((self._place(node) for node in top), key=lambda place: place.location)

    def _is_alone(self, claim: Claim) -> bool:
        return not any(other is not claim and claim.place.holds(other.place) for other in self.claims)

    @cached_property
    def _ways(self) -> dict[tuple[str, ...], set[str]]:
        """Each folder above a feed, with the next steps that lead to feeds."""
        ways: dict[tuple[str, ...], set[str]] = {}
        for claim in self.claims:
            leaf = claim.place.segments
            if claim.globs and not self._is_alone(claim):
                leaf += ("|".join(claim.globs),)
            for depth in range(1, len(leaf)):
                ways.setdefault(leaf[:depth], set()).add(leaf[depth])
        return ways

    def _place(self, node: tuple[str, ...]) -> Place:
        if not node[0].startswith(S3):
            return Place("/" + "/".join(node[1:]))
        bucket, _, endpoint = node[0].partition(" ")
        return Place("/".join([bucket, *node[1:]]), endpoint or None)
