"""`aura source accept`: let a feed of topics go on past what is lost, by a decision with a name and a reason."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from aura_lake.cli.output import complaints


def accept(
    feed: Annotated[str, typer.Argument(help="The feed, as `servers` names it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why what is lost may be given up; kept for ever.")],
    who: Annotated[str | None, typer.Option("--who", help="Who decides; default: the user.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give up offsets that are gone, and read topics that were made anew.

    Says first what exactly is given up. The decision is a record in bronze; rows whose changes were lost are
    repaired by `aura source resnapshot`.

    Example: [bold]aura source accept aura_orders --reason "retention ran over on the 4th; resnapshot runs"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.decisions import decide
    from aura_lake.errors import QueryError
    from aura_lake.outside.kafka import TopicReader
    from aura_lake.steps.land_topics import plan_lanes

    lake = open_lake()
    named = lake.shop.feeds.get(feed)
    if named is None or not named.is_topics:
        topics = sorted(name for name, known in lake.shop.feeds.items() if known.is_topics)
        raise QueryError(
            f"{feed!r} is no feed of topics in the environment {lake.settings.environment!r}.",
            fix=f"Feeds of topics: {', '.join(topics) or 'none'}. AURA_ENV picks the servers of the contracts.",
        )
    with TopicReader(named, lake.settings.environ) as reader:
        plan = plan_lanes(lake, named, lake.bronze(feed), reader)
    told = complaints()
    if not plan.stopped:
        told.print(f"Nothing of {feed} is stopped; there is nothing to accept.")
        return
    for stop in plan.stopped.values():
        told.print(stop.says, highlight=False)
    open_stops = {str(stop.facts): stop for stop in plan.stopped.values() if stop.kind}.values()
    if not open_stops:
        told.print("None of this can be accepted: see what to do above.")
        raise typer.Exit(1)
    if not yes:
        typer.confirm(f"Give this up, for the reason {reason!r}?", abort=True, err=True)
    for stop in open_stops:
        assert stop.kind is not None
        made = decide(lake, stop.kind, stop.facts, who=who or getpass.getuser(), why=reason)
        told.print(f"[green]✓[/green] decision {made.number}: {made.kind}")
