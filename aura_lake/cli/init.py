"""`aura init`: draft contracts for records that lie somewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_rows


def init(
    shop: Annotated[str, typer.Argument(help="Name of the new shop, or the folder to make it in.")],
    source: Annotated[str, typer.Option("--from", help="A file, a folder, or s3://bucket/prefix.")],
    form: FormOption = Form.TABLE,
) -> None:
    """Profile what lies somewhere into draft contracts that run.

    Tells formats, tables, types, keys, times and what looks personal; each guess is a comment to check.
    Example: [bold]aura init my_shop --from ~/exports[/bold]
    """
    from aura_lake.cli.opening import find_environment
    from aura_lake.contracts.draft import draft_shop

    environ, project = find_environment()
    folder = Path(shop).expanduser() if "/" in shop else project / "shops" / shop
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
