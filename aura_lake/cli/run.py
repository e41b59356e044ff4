"""`aura run`: all that is new, once."""

from __future__ import annotations

from typing import Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, show_json


def run(
    select: Annotated[
        str | None, typer.Option("--select", "-s", help="Dagster's asset selection, such as 'key:\"silver/orders\"+'.")
    ] = None,
    full_listing: Annotated[
        bool, typer.Option("--full-listing", help="List everything, not only recent prefixes: finds late objects.")
    ] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Bring everything that is new from the feeds to gold, through the Dagster graph; then the ledger.

    Exit code 1 if a step failed, a table is blocked, or an equation is off. May be killed at any instant and
    run again. Example: [bold]aura run[/bold]
    """
    from aura_lake.cli.ledger import count_all, tell
    from aura_lake.cli.opening import open_lake
    from aura_lake.cli.progress import step_lines
    from aura_lake.orchestration.run import run_once

    lake = open_lake()
    with step_lines() as listener:
        result = run_once(lake.settings, select, full_listing=full_listing, listener=listener)
    found = count_all(lake)
    if form is Form.JSON:
        show_json({"success": result.success, "failed_steps": list(result.failed_steps), "ledger": found.to_json()})
    else:
        tell(found)
    if not result.success:
        failed = ", ".join(result.failed_steps) or "the run itself"
        complaints().print(f"[red]Failed:[/red] {failed}. Mend it and run again: what is done stays done.")
    if not (result.success and found.balanced) or found.blocked:
        raise typer.Exit(1)
