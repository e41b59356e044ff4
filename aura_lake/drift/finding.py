"""What was found in a feed: what happened to which field, how sure that is, and the patch that would read it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as member
from enum import StrEnum
from typing import Any

from aura_lake.drift.patch import Patch, read_patch

#: A finding is proposed from this confidence on; below it is unclear, and shows its candidates.
BAR = 0.95


class Happened(StrEnum):
    """What happened to a field."""

    RENAMED = "renamed"  #: also moved to another path
    RETYPED = "retyped"
    SWAPPED = "swapped"
    ADDED = "added"
    DROPPED = "dropped"
    RESPELLED = "respelled"  #: known values are written otherwise
    EXTENDED = "extended"  #: values that the enumeration lacks


class Stands(StrEnum):
    """What a finding asks for."""

    PROPOSED = "proposed"  #: approve or reject the patch
    BREAKING = "breaking"  #: no patch reads it as it was: the producer has to mend it, or a contract has to change
    UNCLEAR = "unclear"  #: a person has to look; no patch is offered
    NOTE = "note"  #: it passes as it is, without loss


@dataclass(frozen=True)
class Candidate:
    """What may have happened, where it is unclear. `source`: who thinks so."""

    says: str
    confidence: float
    patch: Patch | None = None
    source: str = "values"

    def to_json(self) -> dict[str, Any]:
        """The candidate as JSON."""
        patch = None if self.patch is None else self.patch.to_json()
        return {"says": self.says, "confidence": self.confidence, "source": self.source, "patch": patch}


@dataclass(frozen=True)
class Finding:
    """One thing that happened to a feed. Texts hold names and counts, `evidence` figures; never a value of a person."""

    feed: str
    happened: Happened
    field: str  #: the field it happened to, as it was called; of one that is new, its name
    stands: Stands
    says: str
    confidence: float
    became: str | None = None  #: its new name, the field it changed places with, or its new type
    evidence: Mapping[str, float | int | str] = member(default_factory=dict)
    patch: Patch | None = None
    candidates: tuple[Candidate, ...] = ()
    places: tuple[str, ...] = ()  #: `table.column`s that read the field
    rows: int = 0  #: records looked at that carry it
    first_row: int = 0  #: of these, the first one's number in the window

    @property
    def id(self) -> str:
        """Eight hex digits that stay while more is learned: from the feed, the field, and what happened. What a field
        became is not in it, so that the patch may become another, and an approval of the old one is refused."""
        group = "values" if self.happened in (Happened.RESPELLED, Happened.EXTENDED) else self.happened.value
        if self.happened in (Happened.RENAMED, Happened.DROPPED):
            group = "gone"
        names = sorted((self.field, self.became or "")) if self.happened is Happened.SWAPPED else [self.field]
        return hashlib.sha256("\0".join([self.feed, group, *names]).encode()).hexdigest()[:8]

    def at_most(self, stands: Stands) -> Finding:
        """The finding without its patch, which becomes a candidate."""
        if self.patch is None:
            return replace(self, stands=stands)
        own = Candidate(self.says, self.confidence, self.patch)
        return replace(self, stands=stands, patch=None, candidates=(own, *self.candidates))

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {
            "id": self.id,
            "feed": self.feed,
            "happened": self.happened.value,
            "field": self.field,
            "became": self.became,
            "stands": self.stands.value,
            "says": self.says,
            "confidence": self.confidence,
            "evidence": dict(self.evidence),
            "patch": None if self.patch is None else self.patch.to_json(),
            "hash": None if self.patch is None else self.patch.hash,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "places": list(self.places),
            "rows": self.rows,
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Finding:
        """The finding in a document that `to_json` made."""
        return Finding(
            feed=document["feed"],
            happened=Happened(document["happened"]),
            field=document["field"],
            became=document["became"],
            stands=Stands(document["stands"]),
            says=document["says"],
            confidence=document["confidence"],
            evidence=document["evidence"],
            patch=None if document["patch"] is None else read_patch(document["patch"]),
            candidates=tuple(
                Candidate(
                    c["says"], c["confidence"], None if c["patch"] is None else read_patch(c["patch"]), c["source"]
                )
                for c in document["candidates"]
            ),
            places=tuple(document["places"]),
            rows=document["rows"],
        )
