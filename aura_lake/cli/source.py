"""`aura source`: change data capture from PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.findings import show_findings
from aura_lake.cli.output import Form, FormOption, complaints, console
from aura_lake.cli.source_accept import accept
from aura_lake.cli.source_connect import connect
from aura_lake.cli.source_epoch import new_epoch
from aura_lake.cli.source_options import ConnectorOption, UrlOption, WorkerOption, address_of, names_in, worker
from aura_lake.cli.source_resnapshot import resnapshot, sweep

if TYPE_CHECKING:
    from aura_lake.source.findings import Finding

app = typer.Typer(no_args_is_help=True, help="Change data capture from PostgreSQL.")


@app.callback()
def _source() -> None:
    """Change data capture from PostgreSQL."""


app.command("connect")(connect)
app.command("accept")(accept)
app.command("new-epoch")(new_epoch)
app.command("resnapshot")(resnapshot)
app.command("sweep")(sweep)


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
