"""`aura source new-epoch`: say that a database's log began anew, so that lower positions are newer ones."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated

import typer

from aura_lake.cli.output import complaints


def new_epoch(
    feeds: Annotated[list[str], typer.Argument(help="The feeds of that database, as `servers` names them.")],
    after: Annotated[
        datetime,
        typer.Option(
            help="The last commit of the old log, with its zone.",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"],
        ),
    ],
    reason: Annotated[str, typer.Option(help="What happened; kept for ever.")],
    who: Annotated[str | None, typer.Option(help="Who decides; default: the user.")] = None,
) -> None:
    """Count changes that committed after a time as newer than all before, whatever their LSN.

    For a database that was restored or failed over: its log's positions began anew. What judging stopped for
    goes on with the next run. What the old life knew and the new one does not: aura source resnapshot.

    Example: [bold]aura source new-epoch aura_orders --after 2026-11-20T14:03:00Z --reason "failover"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.errors import QueryError
    from aura_lake.steps.epochs import begin_epoch

    lake = open_lake()
    unknown = [feed for feed in feeds if feed not in lake.shop.feeds]
    if unknown:
        raise QueryError(
            f"The shop {lake.shop.id} has no feed {', '.join(unknown)}.",
            fix=f"Its feeds: {', '.join(lake.shop.feeds)}.",
        )
    made = begin_epoch(lake, feeds, after, who=who or getpass.getuser(), why=reason)
    complaints().print(f"[green]✓[/green] decision {made.number}: a new epoch of {', '.join(feeds)} after {after}")
