"""`aura discover`: topics and prefixes that no contract names, and what becomes of them."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.discovery.found import Discovered

app = typer.Typer(no_args_is_help=False, help="What stands beside the feeds and in no contract.")

COLUMNS = ("name", "state", "where", "there", "landed", "looks like", "personal", "first seen")

_Name = Annotated[str, typer.Argument(help="The name that `aura discover` gives it.")]
_Who = Annotated[str | None, typer.Option("--who", help="Who decides; default: the user.")]


@app.callback(invoke_without_command=True)
def discover(context: typer.Context) -> None:
    """New topics and prefixes: noticed, landed raw, drafted, waiting for you.

    Without a word more it lists them. Example: [bold]aura discover[/bold]
    """
    if context.invoked_subcommand is None:
        list_found()


@app.command("list")
def list_found(form: FormOption = Form.TABLE, all_: Annotated[bool, typer.Option("--all")] = False) -> None:
    """What was found by the last look and waits; with --all also what was decided.

    Example: [bold]aura discover list --format json[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.discover import read_discovered

    _show(read_discovered(open_lake()), form, all_)


@app.command()
def look(form: FormOption = Form.TABLE) -> None:
    """Look now: land what is new beside the feeds, draft contracts, and list what waits.

    Example: [bold]aura discover look[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.discover import look as look_once

    lake = open_lake()
    if not lake.shop.discovery.is_on:
        complaints().print("shop.yaml says discovery: {notice: false}; looking because you ask.", markup=False)
    with complaints().status("Looking beside the feeds …"):
        looked = look_once(lake)
    _show(looked.discovered, form, all_=False)
    if form is Form.TABLE:
        console().print(f"{len(looked.new)} new, {looked.records:,} records landed.")


@app.command()
def accept(
    name: _Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept for ever.")] = "its draft was read and is right",
    who: _Who = None,
) -> None:
    """Make its draft a contract: it is moved into the shop's folder, and its table begins with what has landed.

    Read the draft first: guesses stand beside each column, and what looks personal is hashed.
    Example: [bold]aura discover accept reviews --reason "marketing asked for it"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.decide_found import accept_found

    file = accept_found(open_lake(), name, who=who or getpass.getuser(), why=reason)
    complaints().print(f"[green]✓[/green] {file} is a contract now. `aura run` brings what landed to silver; a Dagster")
    complaints().print("  that runs already has to reload its definitions.")


@app.command()
def ignore(
    name: _Name, reason: Annotated[str, typer.Option("--reason", help="Why; kept for ever.")], who: _Who = None
) -> None:
    """Leave it alone from now on: nothing more of it lands. What has landed stays in bronze.

    Example: [bold]aura discover ignore billing_invoices --reason "another team's"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.decide_found import ignore_found

    ignore_found(open_lake(), name, who=who or getpass.getuser(), why=reason)
    complaints().print(f"[green]✓[/green] {name} is left alone. `aura discover accept {name}` takes it back.")


def _show(discovered: Discovered, form: Form, all_: bool) -> None:
    shown = [each for _, each in sorted(discovered.found.items()) if all_ or each.state in ("waiting", "accepted")]
    if form is Form.JSON:
        document = discovered.to_json()
        show_json({**document, "found": {each.name: document["found"][each.name] for each in shown}})
        return
    rows = [
        (e.name, e.state, e.where, f"{e.units:,}{'+' if e.is_more else ''}", e.landed, e.guess, ", ".join(e.personal),
         e.first_seen[:16])
        for e in shown
    ]  # fmt: skip
    show_rows(COLUMNS, rows, form, right=("there", "landed"))
    if form is not Form.TABLE:
        return
    for each in shown:
        for says in (each.trouble, each.waits):
            if says:
                console().print(f"{each.name}: {says}", markup=False)
        if each.draft:
            console().print(f"[dim]{each.name}: {each.draft}[/dim]")
    for place, why in discovered.unreadable.items():
        console().print(f"{place}: {why}", markup=False, style="red")
    for rule, names in discovered.left_out.items():
        console().print(f"[dim]{len(names)} left out: {rule}[/dim]")
    when = "never; `aura discover look` looks now" if discovered.looked_at is None else discovered.looked_at[:16]
    roots = f"; folders looked at: {', '.join(discovered.roots)}" if discovered.roots else ""
    console().print(f"[dim]Looked: {when}{roots}[/dim]")
