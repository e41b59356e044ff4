"""`aura doctor`: every dependency and setting, and the fix."""

from __future__ import annotations

import typer

from aura_lake.cli.output import Form, FormOption, complaints, show_rows

_COLORS = {"good": "[green]good[/green]", "odd": "[yellow]odd[/yellow]", "bad": "[red]bad[/red]"}


def doctor(form: FormOption = Form.TABLE) -> None:
    """Probe every dependency and setting, and say the fix.

    Looks at Python, packages, folders, contracts, feeds, tables, lease and warehouse; writes nothing but the
    digest of the contracts. Exit code 1 where something is bad. Example: [bold]aura doctor[/bold]
    """
    from aura_lake.cli.checkup import probe_lake, probe_settings
    from aura_lake.cli.opening import read_settings

    settings = read_settings()
    found = [*probe_settings(settings), *probe_lake(settings)]
    if form is Form.TABLE:
        from rich.markup import escape

        from aura_lake.cli.output import console

        for finding in found:
            probe = f"[bold]{escape(finding.probe):<26}[/bold]"
            console().print(f"{_COLORS[finding.state]:<22} {probe} {escape(finding.found)}")
            if finding.fix:
                console().print(f"     {'':<26} [bold]Fix:[/bold] {escape(finding.fix)}")
    else:
        rows = [(finding.probe, finding.state, finding.found, finding.fix) for finding in found]
        show_rows(("probe", "state", "found", "fix"), rows, form)
    bad = sum(finding.state == "bad" for finding in found)
    if bad:
        complaints().print(f"[red]{bad} of {len(found)} probes are bad.[/red]")
        raise typer.Exit(1)
