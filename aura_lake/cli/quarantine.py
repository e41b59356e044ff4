"""`aura quarantine`: the inbox of rows that broke a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows
from aura_lake.cli.quarantine_decide import discard, replay

if TYPE_CHECKING:
    from aura_lake.ledger.inbox import Waiting, WaitingRow

#: Heights of a day's bar, nothing first.
_BARS = " ▁▂▃▄▅▆▇█"

app = typer.Typer(no_args_is_help=True, help="Rows that broke a rule and wait.")


@app.callback()
def _quarantine() -> None:
    """Rows that broke a rule and wait."""


app.command("replay")(replay)
app.command("discard")(discard)


@app.command("list")
def list_waiting(form: FormOption = Form.TABLE) -> None:
    """What waits, by table, rule and producer: how much, since when, on which days, and masked samples.

    A row that breaks two rules counts under both; a producer is a topic, or a folder of objects.
    Example: [bold]aura quarantine list[/bold]
    """
    from aura_lake.cli.opening import open_reader
    from aura_lake.ledger.inbox import Inbox

    inbox = Inbox(open_reader())
    lines = inbox.waiting()
    columns = ("table", "feed", "rule", "producer", "blocks", "units", "first_landed_at", "last_landed_at", "by_day")
    if form is not Form.TABLE:
        rows = [[*(getattr(line, name) for name in columns[:-1]), _days(line), _samples(line)] for line in lines]
        show_rows((*columns, "samples"), rows, form)
    elif lines:
        shown = [
            (
                line.table,
                line.rule,
                line.producer,
                "blocks" if line.blocks else "",
                line.units,
                _bars(line),
                f"{line.last_landed_at:%Y-%m-%d %H:%M}",
                line.samples[0].place,
            )
            for line in lines
        ]
        names = ("table", "rule", "producer", "blocks", "units", "by_day", "last_landed", "such_as")
        show_rows(names, shown, form, right=("units",), styles={"blocks": "red"})
        total = sum(inbox.units(table) for table in dict.fromkeys(line.table for line in lines))
        console().print(f"[dim]{total:,} units wait. aura quarantine show {lines[0].table} tells them.[/dim]")
    else:
        console().print("[green]Nothing waits.[/green]")


def _days(line: Waiting) -> dict[str, int]:
    return {day.isoformat(): units for day, units in line.by_day.items()}


def _samples(line: Waiting) -> list[dict[str, Any]]:
    return [{"place": row.place, "broken_rules": list(row.broken), "values": dict(row.values)} for row in line.samples]


def _bars(line: Waiting) -> str:
    """A bar for each day of the last ones, as high as its share of the highest."""
    from datetime import timedelta

    last = line.last_landed_at.date()
    counts = [line.by_day.get(last - timedelta(days=ago), 0) for ago in range(6, -1, -1)]
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // max(counts))] for count in counts)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="The silver table.")],
    rule: Annotated[str | None, typer.Option(help="Only rows that broke this rule.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many rows.")] = 20,
    raw: Annotated[
        bool, typer.Option("--raw", help="The records' bytes, out of bronze; they may be personal.")
    ] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """The rows of a table that wait: place, broken rules, and the values that could be read.

    Personal values are hashed. Example: [bold]aura quarantine show orders --rule order_amount_is_positive[/bold]
    """
    from aura_lake.cli.opening import open_reader
    from aura_lake.ledger.inbox import Inbox

    rows = Inbox(open_reader()).rows(table, rule=rule, limit=limit, raw=raw)
    if form is Form.JSON:
        show_json([_document(row, raw=raw) for row in rows])
    elif form is Form.CSV:
        columns = ["place", "byte_offset", "batch", "landed_at", "broken_rules", "values"]
        lines = [[r.place, r.byte_offset, r.batch, r.landed_at, r.broken_rules, r.values] for r in rows]
        if raw:
            columns, lines = [*columns, "raw"], [[*line, row.raw_text] for line, row in zip(lines, rows, strict=True)]
        show_rows(columns, lines, form)
    else:
        for row in rows:
            _tell(row, raw=raw)
        if not rows:
            complaints().print("Nothing waits" + (f" by the rule {rule}." if rule else "."))


def _document(row: WaitingRow, *, raw: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "place": row.place,
        "byte_offset": row.byte_offset,
        "batch": row.batch,
        "landed_at": row.landed_at,
        "broken_rules": row.broken_rules,
        "values": row.values,
    }
    return {**document, "raw": row.raw_text, "raw_note": row.raw_note} if raw else document


def _tell(row: WaitingRow, *, raw: bool) -> None:
    from rich.markup import escape

    where = "" if row.byte_offset is None else f" byte {row.byte_offset:,},"
    landed = f"batch {row.batch}, landed {row.landed_at:%Y-%m-%d %H:%M:%S}"
    console().print(f"[bold]{escape(row.place)}[/bold] [dim]{where} {landed}[/dim]")
    console().print(f"  [red]breaks[/red] {escape(', '.join(row.broken_rules))}")
    if row.values:
        from aura_lake.cli.output import cell

        console().print("  " + ", ".join(f"{escape(name)}={cell(value)}" for name, value in row.values.items()))
    if raw:
        console().print("  [yellow]raw[/yellow] " + escape(row.raw_text or row.raw_note or ""), soft_wrap=True)
