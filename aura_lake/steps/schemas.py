"""The schemas of a feed's framed records: those the lake keeps, and the registry for those it does not.

What is in the lake counts, so that judging again gives the same rows whatever became of the registry. Of a new
id the registry is asked, and the answer kept before a row is written that was read with it. An id that nobody
knows may be known in a moment, to a replica that lags: it is asked again for a bounded time, once for all
unknown ids of a slice, and then its records wait in quarantine. A registry that is away is no answer: judging
stops with FeedUnavailable, and nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import lru_cache

from aura_lake.cdc.wire_schema import WireSchema
from aura_lake.contracts.contract import Feed
from aura_lake.delta.schemas import KeptSchemas
from aura_lake.errors import FeedUnavailable
from aura_lake.lake import Lake
from aura_lake.outside.schema_registry import SchemaRegistry

#: Seconds between the questions for ids that the registry does not know (yet); ten seconds in all.
ASK_AGAIN_AFTER = (0.5, 1.0, 2.0, 3.0, 3.5)

#: A kept schema is compared with the registry's so often, where the registry answers: ids that begin anew are
#: noticed before records are read with the wrong schema.
COMPARE_EVERY_SECONDS = 600.0

Sleep = Callable[[float], None]
Clock = Callable[[], float]


@lru_cache(maxsize=64)
def feed_schemas(lake: Lake, feed: Feed) -> FeedSchemas | None:
    """The schemas of a feed, one object as long as the lake is open; None for a feed without a registry."""
    if feed.registry is None:
        return None
    return FeedSchemas(KeptSchemas(lake, feed.name), SchemaRegistry(feed.registry, lake.settings.environ))


class FeedSchemas:
    """`current` for records that are judged now, `remembered` for those that are judged again."""

    def __init__(
        self, kept: KeptSchemas, registry: SchemaRegistry, *, sleep: Sleep = time.sleep, clock: Clock = time.monotonic
    ) -> None:
        self._kept, self._registry, self._sleep, self._clock = kept, registry, sleep, clock
        self._compared: dict[int, float] = {}

    def current(self, ids: Collection[int]) -> Mapping[int, WireSchema | None]:
        """The schemas of these ids; None for those the registry does not know, also not after a while.

        Raises FeedUnavailable where the registry is away and an id is new, FeedError where it has another schema
        under a known id."""
        found = dict(self._kept(ids))
        self._compare([id_ for id_, schema in found.items() if schema is not None])
        new = [id_ for id_, schema in found.items() if schema is None]
        return {**found, **self._asked(new, patiently=True)} if new else found

    def remembered(self, ids: Collection[int]) -> Mapping[int, WireSchema | None]:
        """The schemas these ids had when their records were judged first. An id that nobody knew then is asked
        for again; it stays unknown where the registry is away."""
        found = dict(self._kept(ids))
        new = [id_ for id_, schema in found.items() if schema is None]
        known_unknown = self._kept.unknown() if new else frozenset()
        found |= self._asked([id_ for id_ in new if id_ not in known_unknown], patiently=True)
        with suppress(FeedUnavailable):  # then the answer of then is the answer: the same rows again
            found |= self._asked([id_ for id_ in new if id_ in known_unknown], patiently=False)
        return found

    def _asked(self, ids: Collection[int], *, patiently: bool) -> dict[int, WireSchema | None]:
        """What the registry says of ids that the lake has no schema of; answers are kept."""
        if not ids:
            return {}
        before = self._kept.unknown()
        found = {id_: self._ask(id_) for id_ in ids}
        for seconds in ASK_AGAIN_AFTER if patiently else ():
            missing = [id_ for id_, schema in found.items() if schema is None and id_ not in before]
            if not missing:
                break
            self._sleep(seconds)
            found |= {id_: self._ask(id_) for id_ in missing}
        known = {id_ for id_, schema in found.items() if schema is not None}
        self._kept.set_unknown((before | set(ids)) - known)
        return found

    def _ask(self, id_: int) -> WireSchema | None:
        schema = self._registry.schema(id_)
        if schema is not None:
            self._kept.keep(id_, schema)
            self._compared[id_] = self._clock()
        return schema

    def _compare(self, ids: Collection[int]) -> None:
        """Raise FeedError where the registry has another schema under one of these kept ids. A registry that is
        away, or has forgotten an id, is no reason: what is kept suffices."""
        now = self._clock()
        due = [id_ for id_ in ids if now - self._compared.get(id_, -COMPARE_EVERY_SECONDS) >= COMPARE_EVERY_SECONDS]
        with suppress(FeedUnavailable):
            for id_ in due:
                schema = self._registry.schema(id_)
                if schema is not None:
                    self._kept.keep(id_, schema)
        self._compared |= dict.fromkeys(due, now)
