"""`aura init`: draft contracts for records that lie somewhere, or for the tables of a database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_rows


def init(
    shop: Annotated[str, typer.Argument(help="Name of the new shop, or the folder to make it in.")],
    source: Annotated[
        str, typer.Option("--from", help="A file, a folder, s3://bucket/prefix, or postgres://user@host/database.")
    ],
    tables: Annotated[str | None, typer.Option(help="Of a database: these tables, a,b; default all.")] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Profile what lies somewhere into draft contracts that run.

    Of records it tells formats, tables, types, keys, times and what looks personal; each guess is a comment to
    check. Of a PostgreSQL database the catalog says what is there; nothing in it is changed.

    Example: [bold]aura init my_shop --from ~/exports[/bold]
    Example: [bold]aura init my_shop --from postgres://reader@db.example.com/shop --tables orders,users[/bold]
    """
    from aura_lake.cli.opening import find_environment

    environ, project = find_environment()
    folder = Path(shop).expanduser() if "/" in shop else project / "shops" / shop
    if source.startswith(("postgres://", "postgresql://")):
        _from_database(folder, source, tables, environ, form)
    else:
        _from_records(folder, source, environ, form)


def _from_records(folder: Path, source: str, environ: Mapping[str, str], form: Form) -> None:
    from aura_lake.contracts.draft import draft_shop

    with complaints().status(f"Looking at {source} …"):
        drafts = draft_shop(folder.resolve(), source, environ)
    rows = [
        (d.table, d.kind, d.objects, d.sampled, *(d.verdicts.get(v, 0) for v in ("valid", "quarantined")), str(d.file))
        for d in drafts
    ]
    columns = ("table", "kind", "objects", "sampled", "valid", "quarantined", "file")
    if form is not Form.TABLE:
        show_rows(columns, rows, form)
        return
    show_rows(columns[:-1], [row[:-1] for row in rows], form, right=columns[2:])
    console().print(f"{len(drafts)} contracts in [bold]{folder}[/bold]; what is guessed is said beside it.")
    console().print(f"Next: [bold]AURA_SHOP={folder} AURA_HOME=.aura-{folder.name} aura run[/bold]")


def _from_database(folder: Path, source: str, tables: str | None, environ: Mapping[str, str], form: Form) -> None:
    from aura_lake.cli.source_options import names_in
    from aura_lake.outside.postgres import read_address
    from aura_lake.steps.source_drafts import draft_database

    address = read_address(source)
    with complaints().status(f"Looking at {address} …"):
        written = draft_database(folder.resolve(), address, names_in(tables), environ)
    rows = [
        (d.table, str(d.source), d.kind, ", ".join(d.key), d.columns, len(d.notes), str(folder / d.file))
        for d in written
    ]
    columns = ("table", "source", "kind", "key", "columns", "notes", "file")
    if form is not Form.TABLE:
        show_rows(columns, rows, form)
        return
    show_rows(columns[:-1], [row[:-1] for row in rows], form, right=columns[4:])
    console().print(f"{len(written)} contracts in [bold]{folder}[/bold]; what to look at is said beside it.")
    console().print(f"Next: [bold]AURA_SHOP={folder} aura source connect postgres --url {address} --tables …[/bold]")
