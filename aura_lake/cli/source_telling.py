"""What `aura source connect` says: what it understood, what it found, what it wrote and what it is about to make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aura_lake.cli.findings import show_findings
from aura_lake.cli.output import Form, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.source.wish import Wish
    from aura_lake.steps.source_connect import Prepared
    from aura_lake.steps.source_drafts import Written


def tell_wish(wish: Wish, environ: Mapping[str, str]) -> None:
    """What was understood, word by word, and what was not."""
    from rich.markup import escape

    rows = [(one.words, one.what, one.value) for one in wish.understood]
    show_rows(("said", "is", "understood"), rows, Form.TABLE, title="Understood")
    for refused in wish.refused:
        console().print(f"[red]Not done:[/red] {escape(refused.words)} – {escape(refused.why)}", soft_wrap=True)
    for words in wish.not_understood:
        console().print(f"[yellow]Not understood:[/yellow] {escape(words)}", soft_wrap=True)
    home = environ.get("AURA_HOME", ".aura")
    if wish.bucket and not home.startswith(wish.bucket):
        console().print(f"[yellow]Bronze stands in AURA_HOME={escape(home)}:[/yellow] set AURA_HOME={wish.bucket}.")
    elif wish.wants_s3 and not home.startswith("s3://"):
        console().print(f"[yellow]Bronze stands in AURA_HOME={escape(home)}:[/yellow] set it to s3://bucket/prefix.")
    if wish.environment and environ.get("AURA_ENV", "local") != wish.environment:
        told = environ.get("AURA_ENV", "local")
        console().print(
            f"[dim]AURA_ENV is {escape(told)}; contracts with a server for {wish.environment} want it.[/dim]"
        )


def tell_plan(prepared: Prepared, address: str, named_by: str) -> None:
    """The database, its tables, and what the look at them found."""
    from rich.markup import escape

    server, plan = prepared.facts.server, prepared.plan
    kind = f"{server.flavour} " if server.flavour else ""
    console().print(
        f"[bold]{escape(address)}[/bold] ({named_by}): {kind}PostgreSQL {server.major}, as {escape(server.user)}"
    )
    facts = prepared.facts.tables
    rows = [
        (
            str(one.table),
            one.kind,
            ", ".join(facts[one.table].primary_key),
            facts[one.table].estimated_rows,
            one.topic,
            "new" if prepared.is_new or one.table in prepared.added else "captured",
        )
        for one in plan.tables
    ]
    show_rows(("table", "kind", "key", "rows (about)", "topic", ""), rows, Form.TABLE, right=("rows (about)",))
    show_findings([one for one in prepared.findings if one.level != "ok"], Form.TABLE)
    show_findings(prepared.worker_findings, Form.TABLE)


def tell_files(prepared: Prepared, written: Sequence[Written], folder: Path, *, password_is_clear: bool) -> None:
    """What was written, and where the password is."""
    for one in written:
        told = f"{len(one.draft.notes)} notes" if one.draft is not None else "stands already"
        console().print(f"[green]✓[/green] {one.file} [dim]{told}[/dim]", soft_wrap=True)
    name = prepared.plan.names.connector
    console().print(f"[green]✓[/green] {folder / 'connectors' / (name + '.json')}", soft_wrap=True)
    if password_is_clear:
        console().print(
            "[dim]The password stands in no file. Kafka Connect is told it and keeps it in clear in its own topic: "
            "with --password-from '${file:…}' it resolves a reference instead.[/dim]",
            soft_wrap=True,
        )


def tell_what_is_made(prepared: Prepared, worker_url: str) -> None:
    """The statements and the call that a yes runs."""
    from rich.markup import escape

    console().print("[bold]To be made[/bold]")
    for statement in prepared.statements:
        console().print(f"  {escape(statement.sql)};  [dim]-- {escape(statement.purpose)}[/dim]", soft_wrap=True)
    verb = "make" if prepared.is_new else "change"
    name = prepared.plan.names.connector
    console().print(f"  PUT {worker_url}/connectors/{name}/config  [dim]-- {verb} the connector[/dim]", soft_wrap=True)


def tell_program(prepared: Prepared, wish: Wish | None, written: Sequence[Written], *, created: bool) -> None:
    """All of it as one document."""
    show_json(
        {
            **({"understood": understood_in(wish), **unclear_in(wish)} if wish is not None else {}),
            "database": prepared.facts.server.address,
            "connector": prepared.plan.names.connector,
            "slot": prepared.plan.names.slot,
            "publication": prepared.plan.names.publication,
            "tables": [{"table": str(one.table), "kind": one.kind, "topic": one.topic} for one in prepared.plan.tables],
            "findings": [vars(one) for one in (*prepared.findings, *prepared.worker_findings)],
            "statements": [one.sql for one in prepared.statements],
            "files": [str(one.file) for one in written],
            "created": created,
        }
    )


def understood_in(wish: Wish) -> list[dict[str, Any]]:
    """Words and what they were taken for."""
    return [vars(one) for one in wish.understood]


def unclear_in(wish: Wish) -> dict[str, Any]:
    """What was not taken up."""
    return {"refused": [vars(one) for one in wish.refused], "not_understood": wish.not_understood}
