"""`aura source`: change data capture from PostgreSQL."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.findings import show_findings
from aura_lake.cli.output import Form, FormOption, complaints, console
from aura_lake.cli.source_accept import accept
from aura_lake.cli.source_connect import connect
from aura_lake.cli.source_epoch import new_epoch
from aura_lake.cli.source_options import (
    ConnectorOption,
    UrlOption,
    WorkerOption,
    YesOption,
    address_of,
    confirm,
    names_in,
    tell,
    worker,
)

if TYPE_CHECKING:
    from aura_lake.source.findings import Finding

app = typer.Typer(no_args_is_help=True, help="Change data capture from PostgreSQL.")


@app.callback()
def _source() -> None:
    """Change data capture from PostgreSQL."""


app.command("connect")(connect)
app.command("accept")(accept)
app.command("new-epoch")(new_epoch)


@app.command()
def check(
    url: UrlOption = None,
    tables: Annotated[str | None, typer.Option(help="Before there is a connector: a,b; default all.")] = None,
    connector: ConnectorOption = None,
    connect_url: WorkerOption = None,
    much_lag: Annotated[int, typer.Option(help="Bytes of lag that are worth a warning.")] = 1 << 30,
    form: FormOption = Form.TABLE,
) -> None:
    """Look at database, slot, connector and contracts, and say what would lose or bend rows.

    Exit code 1 if anything is refused. Example: [bold]aura source check[/bold]
    """
    from aura_lake.cli.opening import read_settings
    from aura_lake.source.kept import one_kept, read_kept

    settings = read_settings()
    if connector is None and (tables or not read_kept(settings.shop)):
        findings = _check_before(url, tables, settings.environ)
    else:
        from aura_lake.contracts.load import load_shop
        from aura_lake.steps.source_check import check_running

        kept = one_kept(settings.shop, connector)
        shop = load_shop(settings.shop, settings.environment, settings.environ)
        address = address_of(kept, url, settings.environ)
        findings = check_running(kept, address, worker(connect_url, settings.environ), shop, much_lag)
    show_findings(findings, form)
    refused = sum(finding.level == "refuse" for finding in findings)
    if refused:
        complaints().print(f"[red]{refused} of {len(findings)} findings refuse.[/red]")
        raise typer.Exit(1)


def _check_before(url: str | None, tables: str | None, environ: Mapping[str, str]) -> list[Finding]:
    """The findings for tables that nothing captures yet."""
    from aura_lake.outside.postgres import connected, read_address
    from aura_lake.outside.postgres_facts import read_database
    from aura_lake.source.facts import TableName
    from aura_lake.source.plan import SIGNAL, Names, choose_tables, make_plan
    from aura_lake.source.wished import where
    from aura_lake.steps.source_check import look_at_database

    address = read_address(where(None, url, environ)[0])
    with connected(address) as connection:
        names = Names.after(connection.info.dbname)
        signal = TableName("public", SIGNAL)
        facts = read_database(connection, publication=names.publication, slot=names.slot, signal=signal)
    chosen = choose_tables(facts.tables.values(), names_in(tables), everything=not tables)
    return list(look_at_database(facts, make_plan(facts, chosen, names)))


@app.command()
def resnapshot(
    table: Annotated[str | None, typer.Argument(help="The table: its name in silver or in the database.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All tables from nothing, with a new slot.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stands in the decision.")] = "",
    who: Annotated[str, typer.Option(help="Who decided it. Default: the user.")] = "",
    url: UrlOption = None,
    connector: ConnectorOption = None,
    connect_url: WorkerOption = None,
    yes: YesOption = False,
) -> None:
    """Read a table again while its changes go on: rows that were missed are repaired.

    --all is for a slot that was lost or made anew. Writes a decision into bronze, so that keys which vanished
    unseen can be found. Example: [bold]aura source resnapshot orders --reason "rows were missed on Monday"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.errors import SourceError
    from aura_lake.source.kept import one_kept
    from aura_lake.steps.source_resnapshot import begin_anew, prepare
    from aura_lake.steps.source_resnapshot import resnapshot as ask

    if (table is None) is not everything:
        raise SourceError("Name one table, or say --all.", fix="aura source resnapshot orders --reason …")
    lake = open_lake()
    settings = lake.settings
    kept = one_kept(settings.shop, connector)
    address, client = address_of(kept, url, settings.environ), worker(connect_url, settings.environ)
    who = who or getpass.getuser()
    why = reason or ("slot lost or made anew" if everything else "asked for")
    if everything:
        confirm(f"Stop {kept.name}, make the slot {kept.names.slot} anew, and read every table again?", yes)
        asked = begin_anew(lake, kept, address, client, who=who, why=why, tell=tell)
    else:
        assert table is not None
        prepared = prepare(lake, kept, address, client, table)
        for statement in prepared.statements:
            console().print(f"[dim]-- {statement.purpose}[/dim]\n{statement.sql};", markup=True, soft_wrap=True)
        confirm(f"Read {prepared.source} again, into {prepared.table}?", yes)
        asked = [ask(lake, kept, address, client, prepared, who=who, why=why)]
    for one in asked:
        console().print(f"[green]asked[/green] {one.source} → {one.table}, request {one.request}")
    console().print("Its rows arrive as reads: [bold]aura run[/bold] takes them in.")


@app.command()
def restart(
    connector: ConnectorOption = None,
    url: UrlOption = None,
    connect_url: WorkerOption = None,
) -> None:
    """Start a connector and its failed tasks again, and wait until it reads. Loses nothing: the slot kept its place.

    Example: [bold]aura source restart[/bold]
    """
    from aura_lake.cli.opening import read_settings
    from aura_lake.source.kept import one_kept
    from aura_lake.steps.source_connect import wait_until_read

    settings = read_settings()
    kept = one_kept(settings.shop, connector)
    client = worker(connect_url, settings.environ)
    client.restart(kept.name)
    wait_until_read(address_of(kept, url, settings.environ), client, kept.names)
    console().print(f"[green]{kept.name} reads {kept.names.slot}.[/green]")
