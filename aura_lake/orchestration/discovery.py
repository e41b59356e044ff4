"""What no contract names, in the graph: an asset that looks, and a check that is yellow while something waits."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MarkdownMetadataValue,
    MaterializeResult,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    asset,
)

from aura_lake.contracts.contract import Shop
from aura_lake.discovery.found import DOCUMENT, Discovered, Found, State
from aura_lake.errors import AuraError
from aura_lake.orchestration import describe
from aura_lake.orchestration.instance import IN_PROGRESS, settle_dead_runs
from aura_lake.orchestration.jobs import DISCOVER
from aura_lake.orchestration.news import look_at_feed
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.settings import Settings
from aura_lake.steps.discover import OPEN, look, read_discovered
from aura_lake.steps.notice import notice

GROUP = "discovery"
FOUND = AssetKey([GROUP, "found"])
NOTHING_WAITS, PLACES_ANSWER = "nothing_waits_for_a_person", "every_place_could_be_looked_at"


def discovery_asset(settings: Settings, shop: Shop) -> AssetsDefinition:
    """The asset `discovery/found`."""

    @asset(
        key=FOUND,
        group_name=GROUP,
        kinds={"json"},
        description="Topics and prefixes beside the shop's feeds that no contract names. They land raw in bronze and "
        "wait with a draft of their contract: `aura discover`.",
        owners=describe.owners(shop, None),
        metadata={"dagster/uri": settings.uri(DOCUMENT)},
        check_specs=[
            AssetCheckSpec(NOTHING_WAITS, asset=FOUND, description="Whatever was found was accepted or ignored."),
            AssetCheckSpec(PLACES_ANSWER, asset=FOUND, description="No broker or folder refused, no draft failed."),
        ],
        pool=GROUP,
        required_resource_keys={BENCH},
    )
    def found(context: AssetExecutionContext) -> Iterator[Any]:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, "discover") as voice:
            looked = look(bench.lake)
            voice.done(
                f"{len(looked.waiting)} wait for a person", new=len(looked.new), records=looked.records,
                left_out=sum(map(len, looked.discovered.left_out.values())),
            )  # fmt: skip
        yield from _told(looked.discovered, looked.new, looked.records)

    return found


def _told(discovered: Discovered, new: tuple[str, ...], records: int) -> Iterator[Any]:
    waiting = [each for each in discovered.found.values() if each.state == State.WAITING]
    left_out = {rule: len(names) for rule, names in discovered.left_out.items()}
    yield MaterializeResult(
        asset_key=FOUND,
        metadata={
            "waiting": len(waiting),
            "new": list(new),
            "records": records,
            "left_out": left_out,
            "roots": list(discovered.roots),
            "found": MarkdownMetadataValue(_table(waiting)),
        },
    )
    yield AssetCheckResult(
        asset_key=FOUND,
        check_name=NOTHING_WAITS,
        passed=not waiting,
        severity=AssetCheckSeverity.WARN,
        metadata={each.name: f"{each.where}: {each.guess}" for each in waiting},
    )
    troubles = {**discovered.unreadable, **{e.name: e.trouble for e in discovered.found.values() if e.trouble}}
    yield AssetCheckResult(
        asset_key=FOUND,
        check_name=PLACES_ANSWER,
        passed=not troubles,
        severity=AssetCheckSeverity.WARN,
        metadata={"troubles": troubles},
    )


def _table(waiting: list[Found]) -> str:
    rows = [
        f"| {e.name} | {e.where} | {e.units:,} | {e.landed:,} | {e.guess} | {', '.join(e.personal)} | {e.draft or ''} |"
        for e in waiting
    ]
    head = ["| name | where | there | landed | looks like | looks personal | draft |", "|---|---|--:|--:|---|---|---|"]
    return "\n".join([*head, *rows])


def run_for_found(context: SensorEvaluationContext, bench: Workbench) -> RunRequest | SkipReason:
    """A run that lands and drafts where something new stands beside the feeds, or came to what was found; or why
    there is none. Reads only."""
    if not bench.shop.discovery.is_on:
        return SkipReason("shop.yaml says discovery: {notice: false}.")
    settle_dead_runs(context.instance)
    busy = context.instance.get_runs(RunsFilter(job_name=DISCOVER, statuses=list(IN_PROGRESS)))
    if busy:
        return SkipReason(f"Run {busy[0].run_id[:8]} looks already.")
    discovered = read_discovered(bench.lake)
    noticed = notice(bench.lake, [each.feed for each in discovered.found.values()])
    for place, why in noticed.unreadable.items():
        context.log.warning(f"{place}: {why}")
    waiting = sum(each.state == State.WAITING for each in discovered.found.values())
    unknown = [topic for place, topic in noticed.topics if discovered.at((place, topic, None)) is None]
    unknown += [sample.name for sample in noticed.samples]
    if unknown:
        context.log.info(f"no contract names {', '.join(unknown)}")
        return RunRequest()
    if (noticed.unreadable.keys() != discovered.unreadable.keys()) or discovered.looked_at is None:
        return RunRequest()  # so that the check of the asset says it
    grown = [each.name for each in discovered.found.values() if each.state in OPEN and _has_news(context, bench, each)]
    if grown and bench.shop.discovery.lands:
        context.log.info(f"more came to {', '.join(grown)}")
        return RunRequest()
    return SkipReason(f"Nothing new beside the feeds; {waiting} wait for a person (aura discover).")


def _has_news(context: SensorEvaluationContext, bench: Workbench, found: Found) -> bool:
    """Whether a feed that was found holds what bronze lacks."""
    if found.format is None:
        return False
    if found.waits is not None:
        return True
    try:
        return look_at_feed(bench.lake, found.feed).fresh > 0
    except AuraError as error:
        context.log.warning(f"{found.name}: {error}")
        return False
