"""`aura run`: all that is new, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, show_json

if TYPE_CHECKING:
    from aura_lake.lake import Lake
    from aura_lake.orchestration.run import RunOutcome


def run(
    select: Annotated[
        str | None, typer.Option("--select", "-s", help="Dagster's asset selection, such as 'key:\"silver/orders\"+'.")
    ] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Bring everything that is new from the feeds to gold, through the Dagster graph; then the ledger.

    Lists every feed whole, so that objects in old prefixes are found too. May be killed at any instant and
    run again. Exit code 1 if a step failed, a table is blocked, or an equation is off.

    Example: [bold]aura run[/bold]
    """
    from aura_lake.cli.ledger import count_all, tell
    from aura_lake.cli.opening import open_lake
    from aura_lake.cli.progress import step_lines
    from aura_lake.orchestration.run import run_once

    lake = open_lake()
    with step_lines() as hear:
        outcome = run_once(lake.settings, select, on_event=hear)
    found = count_all(lake)
    if form is Form.JSON:
        document = {"success": outcome.success, "run_id": outcome.run_id, "failed": dict(outcome.failed)}
        blocked = {"blocked": dict(outcome.blocked), "broken_checks": list(outcome.broken_checks)}
        show_json({**document, **blocked, "ledger": found.to_json()})
    else:
        tell(found)
    tell_people_of(lake, outcome)
    if not tell_trouble(outcome) or not found.balanced or found.blocked:
        raise typer.Exit(1)


def tell_trouble(outcome: RunOutcome) -> bool:
    """Say what failed and what is held back; True where nothing is."""
    from rich.markup import escape

    for step, what in outcome.failed.items():
        complaints().print(f"[red]{escape(step)} failed:[/red] {escape(what)}")
    for table, why in outcome.blocked.items():
        complaints().print(f"[red]{escape(table)} is not published:[/red] {escape(why)}")
    if outcome.failed:
        complaints().print("Mend it and run again: what is done stays done.")
    return outcome.success and not outcome.blocked


def tell_people_of(lake: Lake, outcome: RunOutcome) -> None:
    """Tell people what is wrong after a run. Who cannot be told now is told later; the run ends as it ended."""
    from aura_lake.errors import AuraError
    from aura_lake.orchestration.after_run import tell_after_run

    try:
        told = tell_after_run(lake, outcome)
    except AuraError as error:
        complaints().print(f"[yellow]Nobody was told:[/yellow] {error}", highlight=False)
        return
    for sink, why in told.untold.items():
        complaints().print(f"[yellow]{sink} was not told, and will be:[/yellow] {why}", highlight=False)
    if told.opened or told.resolved:
        counts = f"{len(told.opened)} incidents opened, {len(told.resolved)} resolved"
        complaints().print(f"[dim]{counts}. aura alerts list tells them.[/dim]")
