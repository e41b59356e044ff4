"""`aura contract import`: contracts written in SQL become files of the shop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aura_lake.cli.output import console


def import_sql(
    file: Annotated[Path, typer.Argument(help="A file of CREATE DATA CONTRACT statements.", show_default=False)],
    into: Annotated[
        Path | None, typer.Option(help="The shop to write into; without it the contracts are printed.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Lay it over the contract that the table has.")] = False,
) -> None:
    """Read `CREATE DATA CONTRACT … ENFORCEMENT MODE BLOCK` into ODCS.

    Rows that break a value rule wait in quarantine; under BLOCK a value of another type, or a record without a
    required field, stops publication. Where the shop has a contract of the table, --replace keeps its servers and
    columns and lays the statement over it.

    Example: [bold]aura contract import silver_orders.sql --into shops/aura_mart --replace[/bold]
    """
    from aura_lake.contracts.sql_install import Installed, install, translate
    from aura_lake.errors import ContractError

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{file}: the file cannot be read ({error}).", fix="Name a file of SQL.") from error
    if into is None:
        for document in translate(text, file):
            typer.echo(document, nl=False)
        return
    from aura_lake.cli.opening import read_settings

    settings = read_settings()
    written: list[Installed] = install(text, file, into.resolve(), settings.environment, settings.environ, replace)
    for each in written:
        what = "laid over what stood there" if each.replaced else "a new contract"
        console().print(f"[green]{each.table}[/green] in [bold]{each.file}[/bold]: {what}, {each.rules} rules.")
    console().print("Next: [bold]aura contract try[/bold] on what lies in bronze, or [bold]aura run[/bold].")
