"""Hints: what a bucket's notifications name is listed now, instead of with the next listing.

A hint is never believed. The names it gives are listed, and what bronze lacks of them is landed as from any other
listing; so one that comes twice, late, swapped, or of an object that is gone changes nothing. A message is deleted
once everything it names stands in bronze, or was judged to be nothing of ours. If a queue is away nothing is
missed: listings go on beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from aura_lake.contracts.contract import Feed
from aura_lake.errors import FeedError, FeedUnavailable
from aura_lake.lake import Lake
from aura_lake.outside.objects import Listing
from aura_lake.outside.records import store_for
from aura_lake.outside.s3 import S3Store
from aura_lake.outside.s3_environment import s3_settings
from aura_lake.outside.s3_events import Notification, ObjectEvent, UnreadableNotification, read_notification
from aura_lake.outside.sqs import Message, Queue
from aura_lake.steps.land import land_listing, new_objects
from aura_lake.steps.land_report import LandReport

#: At most so many messages are taken of a queue at once; the rest waits there.
MOST_MESSAGES = 200

#: An object that is still uploading is asked for again after so long; a message that nobody understands as well.
UPLOADING_SECONDS, UNREADABLE_SECONDS = 30, 600


@dataclass
class Hinted:
    """What came of one look at the queues.

    `fates` counts the events: landed, known (in bronze before), fresh (to be landed by a run), waiting (still
    uploading), skipped, gone, removed, foreign, other; and the messages that are a test or unreadable.
    """

    reports: list[LandReport] = field(default_factory=list)
    fresh: Counter[str] = field(default_factory=Counter)  #: objects that bronze lacks, by feed
    fates: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)  #: names that were notified of and are not there
    messages: int = 0  #: taken
    deleted: int = 0
    trouble: dict[str, str] = field(default_factory=dict)  #: by queue: why it could not be asked

    def __str__(self) -> str:
        told = ", ".join(f"{count} {fate}" for fate, count in sorted(self.fates.items()))
        return f"{self.messages} messages ({told or 'nothing in them'}), {self.deleted} deleted"


class Hints:
    """The queues that the feeds name. `land` is for what lands, `look` for a sensor, which leaves that to a run."""

    def __init__(self, lake: Lake, feeds: Iterable[Feed]) -> None:
        self._lake = lake
        self._settings = s3_settings(lake.settings.environ)
        queues: dict[str, list[Feed]] = {}
        for feed in feeds:
            if feed.notifications:
                queues.setdefault(feed.notifications, []).append(feed)
        self._queues = [(Queue(url, self._settings), feeds) for url, feeds in queues.items()]

    @property
    def has_queues(self) -> bool:
        """Whether any feed names a queue; without one there is nothing to ask."""
        return bool(self._queues)

    def land(self, only: str | None = None) -> Hinted:
        """Land what the messages name now, of all feeds or `only` of this one, and delete those that are done with.

        Raises what landing raises; then the messages come again.
        """
        queues = [(queue, feeds) for queue, feeds in self._queues if only in (None, *(feed.name for feed in feeds))]
        return self._ask(queues, {feed.name for _, feeds in queues for feed in feeds if only in (None, feed.name)})

    def look(self) -> Hinted:
        """What the messages name and bronze lacks: given back at once, for the run that lands it."""
        return self._ask(self._queues, frozenset())

    def _ask(self, queues: Iterable[tuple[Queue, list[Feed]]], landing: Collection[str]) -> Hinted:
        hinted = Hinted()
        for queue, feeds in queues:
            try:
                messages = queue.take(MOST_MESSAGES)
            except (FeedError, FeedUnavailable) as error:
                hinted.trouble[queue.url] = str(error)
                continue
            hinted.messages += len(messages)
            if messages:
                settled = self._settle(messages, feeds, hinted, landing)
                try:
                    self._answer(queue, settled, hinted)
                except (FeedError, FeedUnavailable) as error:
                    hinted.trouble[queue.url] = str(error)  # they come again, and bronze has what they name
        return hinted

    def _settle(
        self, messages: Iterable[Message], feeds: Iterable[Feed], hinted: Hinted, landing: Collection[str]
    ) -> dict[str, list[Message]]:
        """The messages by what becomes of them: done, fresh, waiting or unreadable."""
        read: list[tuple[Message, Notification]] = []
        settled: dict[str, list[Message]] = {"done": [], "fresh": [], "waiting": [], "unreadable": []}
        for message in messages:
            try:
                read.append((message, read_notification(message.body)))
            except UnreadableNotification:
                settled["unreadable"].append(message)
                hinted.fates["unreadable"] += 1
        came = {event for _, note in read for event in note.events if event.came}
        fates = self._fates(came, feeds, hinted, landing)
        for message, note in read:
            hinted.fates["test"] += note.is_test
            mine = [_fate(event, fates) for event in note.events]
            hinted.fates.update(mine)
            standing = next((fate for fate in ("fresh", "waiting") if fate in mine), "done")
            settled[standing].append(message)
        hinted.fates = +hinted.fates  # without the zeros
        return settled

    def _fates(
        self, came: Iterable[ObjectEvent], feeds: Iterable[Feed], hinted: Hinted, landing: Collection[str]
    ) -> Mapping[ObjectEvent, str]:
        """What became of each object that came, by the listing of its name."""
        fates: dict[ObjectEvent, str] = {}
        for feed in feeds:
            store = store_for(feed, self._settings)
            assert isinstance(store, S3Store)  # only a server of type s3 may name a queue
            names = {event: name for event in came if (name := store.name_of(event.bucket, event.key)) is not None}
            if not names:
                continue
            listing = store.list_names(event.key for event in names)
            lacked = {info.name for info in new_objects(self._lake.bronze(feed.name), listing)}
            is_landing = feed.name in landing
            if lacked and is_landing:
                hinted.reports.append(land_listing(self._lake, feed, store, listing))
                left = {info.name for info in new_objects(self._lake.bronze(feed.name), listing)}
            else:
                left = set() if is_landing else lacked
                hinted.fresh[feed.name] += len(lacked)
            hinted.missing += sorted(n for n in names.values() if _fate_of(n, listing, lacked, left, True) == "gone")
            for event, name in names.items():
                fate = _fate_of(name, listing, lacked, left, is_landing)
                # Where two feeds share a prefix, one has it, and for the other it is skipped.
                if fates.get(event, "skipped") == "skipped":
                    fates[event] = fate
        return fates

    def _answer(self, queue: Queue, settled: Mapping[str, list[Message]], hinted: Hinted) -> None:
        """Delete what is done with; give the rest back. What cannot be understood is left to the queue's own
        rules: its dead-letter queue, or the end of its retention."""
        hinted.deleted += queue.delete(settled["done"])
        queue.give_back(settled["fresh"])
        queue.give_back(settled["waiting"], UPLOADING_SECONDS)
        queue.give_back(settled["unreadable"], UNREADABLE_SECONDS)


def _fate(event: ObjectEvent, fates: Mapping[ObjectEvent, str]) -> str:
    if event.came:
        return fates.get(event, "foreign")
    return "removed" if event.went else "other"


def _fate_of(name: str, listing: Listing, lacked: set[str], left: set[str], is_landing: bool) -> str:
    if name in listing.waiting:
        return "waiting"
    if name in listing.skipped:
        return "skipped"
    if name in left:
        return "waiting" if is_landing else "fresh"  # it changed while it was read
    if name in lacked:
        return "landed"
    return "known" if any(info.name == name for info in listing.objects) else "gone"
