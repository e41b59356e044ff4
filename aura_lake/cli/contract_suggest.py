"""`aura contract suggest`: a draft contract for a feed that lies in bronze."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, show_json


def suggest(
    feed: Annotated[str, typer.Argument(help="The feed, as bronze names it.", show_default=False)],
    table: Annotated[str | None, typer.Option(help="The table to be; default: named after the feed.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file to write; without it the draft is printed.")] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Profile a feed into a draft: types, keys, times, what looks personal, and what held in all records seen.

    Ranges and enumerations become rules that only warn; observed is not agreed. Nothing in the lake is changed.

    Example: [bold]aura contract suggest aura_clickstream --out drafts/clickstream.odcs.yaml[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.errors import ContractError
    from aura_lake.steps.suggest_contract import suggest_contract

    if out is not None and out.exists():
        raise ContractError(f"{out}: the file is there already.", fix="Name another one, or move it away.")
    with complaints().status(f"Looking at bronze.{feed} …"):
        found = suggest_contract(open_lake(), feed, table)
    draft = found.draft
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(found.text, encoding="utf-8")
    if form is Form.JSON:
        facts = {"table": draft.table, "kind": draft.kind, "sampled": draft.sampled, "verdicts": dict(draft.verdicts)}
        show_json({**facts, "personal": list(draft.personal), "notes": list(draft.notes), "contract": found.text})
        return
    if out is None:
        typer.echo(found.text, nl=False)
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(draft.verdicts.items()))
    where = f" in {out}" if out is not None else ""
    complaints().print(
        f"[dim]{draft.table}{where}: {draft.columns} columns; of {draft.sampled:,} records {verdicts}.[/dim]"
    )
