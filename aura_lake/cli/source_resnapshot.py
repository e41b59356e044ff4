"""`aura source resnapshot` and `aura source sweep`: repair what was missed, and remove what vanished."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import console
from aura_lake.cli.source_options import (
    ConnectorOption,
    UrlOption,
    WorkerOption,
    YesOption,
    address_of,
    confirm,
    tell,
    worker,
)

if TYPE_CHECKING:
    from aura_lake.lake import Lake
    from aura_lake.outside.postgres import Address
    from aura_lake.source.facts import TableName

ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the decision.")]
WhoOption = Annotated[str, typer.Option(help="Who decided it. Default: the user.")]


def resnapshot(
    table: Annotated[str | None, typer.Argument(help="The table: its name in silver or in the database.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All tables from nothing, with a new slot.")] = False,
    with_sweep: Annotated[bool, typer.Option("--sweep/--no-sweep", help="Also remove rows that vanished.")] = True,
    reason: ReasonOption = "",
    who: WhoOption = "",
    url: UrlOption = None,
    connector: ConnectorOption = None,
    connect_url: WorkerOption = None,
    yes: YesOption = False,
) -> None:
    """Read a table again while its changes go on: rows that were missed are repaired, rows that vanished unseen
    are removed.

    --all is for a slot that was lost or made anew. Each is a decision in bronze.
    Example: [bold]aura source resnapshot orders --reason "rows were missed on Monday"[/bold]
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
    if with_sweep:
        for one in asked:
            _sweep(lake, address, one.table, one.source, kept.names.slot, who, why)


def sweep(
    table: Annotated[str, typer.Argument(help="The table: its name in silver or in the database.")],
    reason: ReasonOption = "",
    who: WhoOption = "",
    url: UrlOption = None,
    connector: ConnectorOption = None,
) -> None:
    """Remove rows that the source no longer has, where their deletes were lost.

    Compares the table's keys with silver's; waits until silver holds what the database had at that moment.
    Example: [bold]aura source sweep orders --reason "offsets were lost on Monday"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.outside.postgres import connected
    from aura_lake.outside.postgres_facts import read_database
    from aura_lake.source.kept import one_kept
    from aura_lake.steps.source_resnapshot import source_of

    lake = open_lake()
    kept = one_kept(lake.settings.shop, connector)
    address = address_of(kept, url, lake.settings.environ)
    names = kept.names
    with connected(address) as connection:
        facts = read_database(connection, publication=names.publication, slot=names.slot, signal=kept.signal)
    silver, source = source_of(lake, kept, facts, table)
    _sweep(lake, address, silver, source, names.slot, who or getpass.getuser(), reason or "asked for")


def _sweep(lake: Lake, address: Address, table: str, source: TableName, slot: str, who: str, why: str) -> None:
    from aura_lake.steps.sweep import sweep as compare

    with console().status(f"compares the keys of {source} with silver.{table}"):
        found = compare(lake, lake.contract(table), address, source, slot, who=who, why=why)
    tell(f"silver.{table}: {found.vanished:,} rows had vanished; {found.keys:,} keys at the source")
