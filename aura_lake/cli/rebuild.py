"""`aura rebuild`: law 7, as a command."""

from __future__ import annotations

from typing import Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, show_rows


def rebuild(
    table: Annotated[str | None, typer.Argument(help="The silver table; leave it out with --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every table of the shop, one after the other.")] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Judge and fold a table again from bronze under its present contract, and compare.

    Equal rows: the table had grown as it should. Where a contract changed, different rows are what was
    asked for. Exit code 1 where the rows differ. Example: [bold]aura rebuild orders[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.delta.lease import ApplyLease
    from aura_lake.steps.rebuild import rebuild as rebuild_table

    if (table is None) != every:
        raise typer.BadParameter("Name one table, or give --all.")
    lake = open_lake()
    contracts = list(lake.shop.contracts.values()) if table is None else [lake.contract(table)]
    reports = []
    with ApplyLease(lake, command="aura rebuild", on_wait=lambda holder: complaints().print(f"Waiting for {holder} …")):
        for contract in contracts:
            with complaints().status(f"Rebuilding {contract.table} …"):
                reports.append(rebuild_table(lake, contract))
    rows = [(r.table, r.rows_before, r.rows_after, "equal" if r.equal else "DIFFERENT") for r in reports]
    show_rows(("table", "rows_before", "rows_after", "rows"), rows, form, right=("rows_before", "rows_after"))
    if not all(report.equal for report in reports):
        complaints().print("Rows differ: run `aura run` to bring gold up to them.")
        raise typer.Exit(1)
