"""What is wrong with a lake now: blocked tables, rows that wait, lanes that stop, stale tables, silence, drift.

Each source looks at everything it looks at, or says that it could not: then what it found before stands, and people
are told that nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aura_lake.contracts.contract import Feed, Severity
from aura_lake.errors import AuraError, Transient
from aura_lake.lake import Lake
from aura_lake.people.cause import Cause, Level, Look
from aura_lake.people.settings import AlertSettings
from aura_lake.steps.alert_sinks import alert_settings
from aura_lake.steps.blocks import check_table_rules
from aura_lake.steps.causes_in_quarantine import quarantine_causes
from aura_lake.steps.downstream import impact_of_table, impact_of_tables, models_of
from aura_lake.steps.drift_people import drift_causes
from aura_lake.steps.heartbeats import silent_beats


@dataclass(frozen=True)
class Sight:
    """What a source looks with."""

    lake: Lake
    settings: AlertSettings
    models: dict[str, tuple[str, ...]]  #: models that people see, by silver table
    now: datetime

    def owner(self, table: str) -> str:
        """Who is told of a table: its contract's owner, else the shop's, else a team of the shop's name."""
        contract = self.lake.shop.contracts.get(table)
        return (contract.owner if contract else None) or self.shop_owner

    @property
    def shop_owner(self) -> str:
        """Who is told of what is no table's."""
        return self.lake.shop.owners.get("default") or f"team:{self.lake.shop.id}"

    def feed_owner(self, feed: Feed) -> str:
        """Who is told of a feed: its owner, else that of the first table that reads it."""
        readers = [contract.owner for contract in self.lake.shop.readers(feed.name) if contract.owner]
        return feed.owner or (readers[0] if readers else self.shop_owner)


Source = Callable[[Sight], Look]

#: Reasons by lane, by feed: what a process that follows topics already knows of those that it cannot read on.
Stopped = Mapping[str, Mapping[str, str]]


def look_for_causes(
    lake: Lake,
    *,
    stopped: Stopped | None = None,
    more: Mapping[str, Source] | None = None,
    now: datetime | None = None,
) -> Look:
    """Everything that is wrong now.

    `stopped`: the lanes that a stream knows to be stopped; without it the brokers are asked. `more`: further sources
    by name. Raises SettingsError where the settings are wrong."""
    now, lake = now or datetime.now(UTC), lake.renewed()
    settings = alert_settings(lake)
    sight = Sight(lake, settings, models_of(lake), now)
    sources: dict[str, Source] = {
        "quarantine": quarantine,
        "lanes": stopped_lanes if stopped is None else lambda given: known_lanes(given, stopped),
        "freshness": stale_tables,
        "signs of life": beats,
        "drift": drift_causes,
        **(more or {}),
    }
    found = Look((), frozenset())
    for name, source in sources.items():
        found = found.and_also(_looked(source, name, sight))
    return found


def quarantine(sight: Sight) -> Look:
    """Rows that wait, and tables held back."""
    owners = {table: sight.owner(table) for table in sight.lake.shop.contracts}
    return quarantine_causes(sight.lake, sight.models, owners, sight.settings.quarantine_rows, sight.now)


def beats(sight: Sight) -> Look:
    """Sensors and streams that are silent."""
    return silent_beats(sight.lake, sight.shop_owner, sight.now)


def stale_tables(sight: Sight) -> Look:
    """Tables whose newest row is older than a freshness rule of their contract allows."""
    causes = []
    for table, contract in sight.lake.shop.contracts.items():
        rules = [rule for rule in contract.table_rules if rule.kind == "freshness"]
        if not rules or not sight.lake.log(contract).exists:
            continue
        for result in check_table_rules(sight.lake, contract, rules):
            if result.passed:
                continue
            blocks = result.rule.severity is Severity.BLOCK
            causes.append(
                Cause(
                    kind="stale",
                    source="freshness",
                    place=f"silver.{table}",
                    id=result.rule.name,
                    level=Level.ERROR if blocks else Level.WARNING,
                    owner=sight.owner(table),
                    says=f"{table} is stale: {result.says}",
                    first_seen_at=sight.now,
                    changed=f"The contract allows {result.rule.max_age_hours:g} h.",
                    impact=impact_of_table(sight.models, table),
                    command=f"aura status; then look at the feed {contract.feed}",
                )
            )
    return Look(tuple(causes), frozenset({"freshness"}))


def stopped_lanes(sight: Sight) -> Look:
    """Lanes that cannot be read on, asked of the brokers; a feed whose brokers do not answer is a cause itself."""
    if not any(feed.is_topics for feed in sight.lake.shop.feeds.values()):
        return Look((), frozenset({"feeds"}))
    from aura_lake.outside.kafka import TopicReader
    from aura_lake.steps.land_topics import plan_lanes

    stopped: dict[str, dict[str, str]] = {}
    away: list[Cause] = []
    covers = {f"lanes/{feed.name}" for feed in sight.lake.shop.feeds.values() if feed.is_topics}
    for feed in sight.lake.shop.feeds.values():
        if not feed.is_topics:
            continue
        try:
            with TopicReader(feed, sight.lake.settings.environ) as reader:
                plan = plan_lanes(sight.lake, feed, sight.lake.bronze(feed.name), reader)
        except Transient as error:
            # What was stopped before is not known to be mended: it stands, and the silence is told beside it.
            covers.discard(f"lanes/{feed.name}")
            away.append(_feed_away(sight, feed, error.what))
            continue
        stopped[feed.name] = {str(lane): stop.says for lane, stop in plan.stopped.items()}
    found = known_lanes(sight, stopped)
    return Look((*found.causes, *away), frozenset({*covers, "feeds"}))


def known_lanes(sight: Sight, stopped: Stopped) -> Look:
    """Lanes that are known to be stopped."""
    causes, feeds = [], sight.lake.shop.feeds
    for name, lanes in stopped.items():
        feed = feeds[name]
        for lane, says in sorted(lanes.items()):
            causes.append(
                Cause(
                    kind="lane_stopped",
                    source=f"lanes/{name}",
                    place=f"bronze.{name}",
                    id=lane,
                    level=Level.ERROR,
                    owner=sight.feed_owner(feed),
                    says=f"{lane} is not read on: {says}",
                    first_seen_at=sight.now,
                    changed="The other partitions are read on.",
                    impact=impact_of_tables(sight.models, sight.lake.shop.readers(name)),
                    command=f'aura source accept {name} --reason "…"',
                )
            )
    return Look(tuple(causes), frozenset(f"lanes/{name}" for name in stopped))


def _feed_away(sight: Sight, feed: Feed, says: str) -> Cause:
    return Cause(
        kind="feed_away",
        source="feeds",
        place=f"bronze.{feed.name}",
        id="brokers",
        level=Level.ERROR,
        owner=sight.feed_owner(feed),
        says=says,
        first_seen_at=sight.now,
        impact=impact_of_tables(sight.models, sight.lake.shop.readers(feed.name)),
        command="aura doctor",
    )


def _looked(source: Source, name: str, sight: Sight) -> Look:
    """What a source found; where it failed, that."""
    looking = f"looking/{name}"
    try:
        found = source(sight)
    except AuraError as error:
        cause = Cause(
            kind="not_looked",
            source=looking,
            place="the lake",
            id=name,
            level=Level.ERROR,
            owner=sight.shop_owner,
            says=f"Nobody knows whether all is well ({name}): {error.what}",
            first_seen_at=sight.now,
            changed="What was known before stands.",
            command=error.fix or "aura doctor",
        )
        return Look((cause,), frozenset({looking}))
    return Look(found.causes, found.covers | {looking})
