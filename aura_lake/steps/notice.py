"""Notice: which topics and prefixes stand beside the shop's feeds that no contract names. Nothing is written.

Topics are looked for on the brokers that the feeds name; prefixes under the folders that feeds share, level by
level, so that what belongs to a feed is never listed here.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aura_lake.contracts.contract import Feed, Format
from aura_lake.contracts.sampling import Sample, is_paper, sort_samples
from aura_lake.discovery.found import table_of
from aura_lake.discovery.places import S3, Claim, Claims, Place
from aura_lake.discovery.topics import left_out, names_topic
from aura_lake.errors import AuraError
from aura_lake.lake import Lake
from aura_lake.outside.kafka import TopicReader
from aura_lake.outside.objects import ObjectInfo, ObjectStore, classify
from aura_lake.outside.records import store_for
from aura_lake.outside.s3_environment import s3_settings
from aura_lake.settings import Settings

#: At most so many names of one folder, and so many objects of one unnamed prefix, are looked at and counted.
MOST_NAMES, MOST_OBJECTS = 10_000, 5_000

HIDDEN_RULE = "hidden, or what a delivery stream could not process"
OWN_RULE = "the lake's or the shop's own"
PAPER_RULE = "about records, and none: readme, licence, code"
MIXED_RULE = "loose among objects of feeds, and no pattern tells it from them"


@dataclass
class Noticed:
    """What stands there now and is in no contract."""

    topics: dict[tuple[str, str], int] = field(default_factory=dict)  #: (location, topic) -> messages
    seen: dict[str, list[ObjectInfo]] = field(default_factory=dict)  #: objects of what was found before, by its name
    samples: list[Sample] = field(default_factory=list)  #: prefixes found now; nothing is read of them
    with_more: set[str] = field(default_factory=set)  #: locations that hold more objects than were looked at
    left_out: dict[str, list[str]] = field(default_factory=dict)  #: rule -> names
    roots: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)  #: place -> why it could not be looked at

    def leave_out(self, rule: str, name: str) -> None:
        """Count a name as left alone by a rule."""
        self.left_out.setdefault(rule, []).append(name)


def notice(lake: Lake, known: Iterable[Feed] = ()) -> Noticed:
    """What no contract names. `known`: feeds found before, so that what lies beside them is told apart.

    A place that cannot be looked at is named in `unreadable`; the others are looked at.
    """
    noticed = Noticed()
    _notice_topics(lake, noticed)
    _notice_prefixes(lake, list(known), noticed)
    return noticed


def _notice_topics(lake: Lake, noticed: Noticed) -> None:
    clusters: dict[str, list[Feed]] = {}
    for feed in lake.shop.feeds.values():
        if feed.is_topics:
            clusters.setdefault(feed.location, []).append(feed)
    for location, feeds in clusters.items():
        named = {topic for feed in feeds for topic in feed.topics}
        try:
            with TopicReader(feeds[0], lake.settings.environ) as reader:
                there = reader.every_topic()
            unnamed = []
            for topic, is_internal in sorted(there.items()):
                if names_topic(named, topic):
                    continue
                rule = "the brokers' own" if is_internal else left_out(topic, named, lake.shop.discovery.topics)
                if rule is None:
                    unnamed.append(topic)
                else:
                    noticed.leave_out(rule, topic)
            if unnamed:
                noticed.topics |= {(location, t): n for t, n in _messages(lake, location, unnamed).items()}
        except AuraError as error:
            noticed.unreadable[location] = str(error)


def _messages(lake: Lake, location: str, topics: list[str]) -> Mapping[str, int]:
    """Offsets that the brokers hold of each topic."""
    feed = Feed("discovery", location, Format.JSON, topics=tuple(topics))
    counts = dict.fromkeys(topics, 0)
    with TopicReader(feed, lake.settings.environ) as reader:
        for lane, extent in reader.extents(reader.lanes()).items():
            counts[lane.topic] += extent.end - extent.earliest
    return counts


def _notice_prefixes(lake: Lake, known: list[Feed], noticed: Noticed) -> None:
    named = Claims.of(lake.shop.feeds.values())
    roots = named.roots(refused=_refused(lake.settings))
    for written in lake.shop.discovery.roots:
        place = Place(written, _endpoint_of(named, written))
        if place not in roots:
            roots.append(place)
    noticed.roots = [root.location for root in roots]
    walk = _Walk(lake, named, [feed for feed in known if not feed.is_topics], noticed)
    for root in roots:
        if any(other != root and other.holds(root) for other in roots):
            continue  # looked at with the one above it
        try:
            walk.into(root)
        except AuraError as error:
            noticed.unreadable[root.location] = str(error)


def _endpoint_of(named: Claims, location: str) -> str | None:
    """Whose S3 a root of shop.yaml is in: where a feed of its bucket is."""
    bucket = location.removeprefix(S3).partition("/")[0] if location.startswith(S3) else None
    places = [claim.place for claim in named.claims if claim.place.location.startswith(f"{S3}{bucket}")]
    return places[0].endpoint_url if bucket and places else None


def _refused(settings: Settings) -> list[Place]:
    """Folders that are everybody's: the file system's root, the home folder, that of temporary files, the project,
    and what lies above them. What lies there is not the shop's because two of its feeds do."""
    refused: set[Path] = set()
    for each in (Path.home(), Path(tempfile.gettempdir()).resolve(), settings.project):
        refused |= {each, *each.parents}
    return [Place(str(path)) for path in refused]


class _Walk:
    """A walk down from the roots, into folders that lead to feeds, up to those that do not."""

    def __init__(self, lake: Lake, named: Claims, known: Sequence[Feed], noticed: Noticed) -> None:
        self._named, self._noticed = named, noticed
        self._known = {feed.name: Claim.of(feed) for feed in known}
        self._all = Claims((*named.claims, *self._known.values()))
        self._settings = s3_settings(lake.settings.environ)
        self._own = (lake.settings.home, str(lake.settings.state), str(lake.settings.shop), str(lake.shop.path))

    def into(self, folder: Place) -> None:
        """Look at one level, and go down where feeds lie below."""
        level = self._store(folder).level(MOST_NAMES)
        if level.is_more:
            self._noticed.unreadable[folder.location] = (
                f"There are more names in it than the {MOST_NAMES:,} that are looked at. Give each feed a folder."
            )
        self._take_loose(folder, level.objects)
        for name in level.folders:
            below = folder.below(name)
            if below.location in self._own:
                self._noticed.leave_out(OWN_RULE, below.location)
            elif self._named.takes(below):
                continue
            elif self._is_way(below):
                self.into(below)
            elif classify(f"{name}/x", 1) is not None:
                self._noticed.leave_out(HIDDEN_RULE, below.location)
            else:
                self._take(below)

    def _is_way(self, folder: Place) -> bool:
        """Whether feeds, found or named, share the folder with others; or the lake itself lies below it."""
        is_found = any(claim.place == folder and not claim.globs for claim in self._known.values())
        has_own = any(own.startswith(f"{folder.location}/") for own in self._own)
        return has_own or (self._all.leads_to(folder) and not is_found)

    def _take(self, place: Place) -> None:
        """What lies below one unnamed folder, sorted into feeds to be."""
        objects, is_more = self._store(place).some(MOST_OBJECTS)
        rest = self._recognised(place, objects)
        if is_more:
            self._noticed.with_more.add(place.location)
        samples = sort_samples(rest, place.location, place.location) if rest else []
        shared = Counter(sample.location for sample in samples)
        for sample in samples:
            sample.endpoint_url = place.endpoint_url
            if shared[sample.location] == 1:  # it takes the whole folder, so it is called as that
                sample.name = table_of(sample.location.rsplit("/", 1)[-1])
            self._noticed.samples.append(sample)

    def _take_loose(self, folder: Place, objects: Sequence[ObjectInfo]) -> None:
        """Objects that lie directly beside feeds: each kind of name is a feed, by a pattern that takes nothing else."""
        loose = [info for info in objects if not self._named.takes(folder.below(info.name))]
        named = [info.name for info in objects if self._named.takes(folder.below(info.name))]
        rest = self._recognised(folder, loose)
        for sample in sort_samples(rest, folder.location, folder.location) if rest else ():
            mine = [info.name for info in sample.objects]
            strangers = [*named, *(info.name for info in rest if info.name not in mine)]
            include = pattern_for(mine, strangers)
            if include is None:
                for name in mine:
                    self._noticed.leave_out(MIXED_RULE, folder.below(name).location)
                continue
            sample.include, sample.endpoint_url = include, folder.endpoint_url
            self._noticed.samples.append(sample)

    def _recognised(self, folder: Place, objects: Iterable[ObjectInfo]) -> list[ObjectInfo]:
        """The objects that nobody knows yet; those of feeds found before are counted there."""
        rest = []
        for info in objects:
            place = folder.below(info.name)
            owner = next((name for name, claim in self._known.items() if claim.takes(place)), None)
            if owner is not None:
                self._noticed.seen.setdefault(owner, []).append(info)
            elif is_paper(info.name):
                self._noticed.leave_out(PAPER_RULE, place.location)
            else:
                rest.append(info)
        return rest

    def _store(self, place: Place) -> ObjectStore:
        feed = Feed("discovery", place.location, Format.JSON, endpoint_url=place.endpoint_url)
        return store_for(feed, self._settings)


def pattern_for(names: Sequence[str], strangers: Sequence[str]) -> str | None:
    """A glob, anchored to its folder, that takes these names and none of the others; None where there is none.

    What follows the first digit may change from one object to the next: `reviews-2026-01.csv` is `/reviews-*`.
    """
    first, last = min(names), max(names)
    differs = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    beginning = first[: next(differs, min(len(first), len(last)))]
    if len(names) == 1 and not re.search(r"\d", first):
        return None if re.search(r"[*?\[]", first) else f"/{first}"
    beginning = re.split(r"\d", beginning, maxsplit=1)[0]
    if len(beginning) < 2 or re.search(r"[*?\[]", beginning) or any(n.startswith(beginning) for n in strangers):
        return None
    return f"/{beginning}*"
