"""What a process that never ends does for people: a sign of life, and a look at the lake, every so often.

Looking and telling happen in a thread of their own: who calls `turn` never waits, whoever is away.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping

from aura_lake.contracts.contract import Feed
from aura_lake.errors import AuraError
from aura_lake.lake import Lake
from aura_lake.steps.heartbeats import beat, leave
from aura_lake.steps.look_for_causes import Source, Stopped, look_for_causes
from aura_lake.steps.tell_people import PATIENCE_SECONDS, Told, tell_people

#: People are told within about so long.
LOOK_EVERY_SECONDS = 30.0


class PeopleWatch:
    """Keeps people told about one lake, under the name `who`. `more`: sources beside those of every lake."""

    def __init__(
        self,
        lake: Lake,
        who: str,
        *,
        every_seconds: float = LOOK_EVERY_SECONDS,
        more: Mapping[str, Source] | None = None,
    ) -> None:
        self._lake, self._who, self._every, self._more = lake, who, every_seconds, more
        self._looking: threading.Thread | None = None
        self._begun: float | None = None
        #: What the last look led to, and why one could not be made.
        self.told: Told | None = None
        self.trouble: str | None = None

    def turn(self, stopped: Mapping[str, str] | None = None) -> bool:
        """Give a sign of life; begin a look where one is due and none is under way. True where one was begun.

        `stopped`: by lane (`topic[partition]`), why it is not read on, as a `Follower` knows it."""
        beat(self._lake, self._who, every_seconds=self._every)
        is_under_way = self._looking is not None and self._looking.is_alive()
        if is_under_way or (self._begun is not None and time.monotonic() - self._begun < self._every):
            return False
        self._begun = time.monotonic()
        known = None if stopped is None else by_feed(self._lake.shop.feeds.values(), stopped)
        self._looking = threading.Thread(target=self._look, args=(known,), name="people-watch", daemon=True)
        self._looking.start()
        return True

    def end(self) -> None:
        """End in order: what is under way is waited for, as long as sinks may take, and nobody misses us."""
        if self._looking is not None:
            self._looking.join(2 * PATIENCE_SECONDS)
        leave(self._lake, self._who)

    def _look(self, stopped: Stopped | None) -> None:
        try:
            self.told = tell_people(self._lake, look_for_causes(self._lake, stopped=stopped, more=self._more))
            self.trouble = None
        except AuraError as error:
            self.trouble = str(error)


def by_feed(feeds: Iterable[Feed], stopped: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Stopped lanes by the feeds of topics that read them; a feed of which none is stopped has none."""
    found: dict[str, dict[str, str]] = {}
    for feed in feeds:
        if feed.is_topics:
            found[feed.name] = {lane: says for lane, says in stopped.items() if _reads(feed, lane.rpartition("[")[0])}
    return found


def _reads(feed: Feed, topic: str) -> bool:
    return any(re.fullmatch(t, topic) if t.startswith("^") else t == topic for t in feed.topics)
