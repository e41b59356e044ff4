"""`aura ledger`: the equation of every table and batch, recounted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.lake import Lake
    from aura_lake.ledger.equation import Ledger

#: In the order in which they are told.
VERDICTS = ("valid", "quarantined", "duplicate", "ignored", "superseded", "discarded", "erased")


def ledger(
    form: FormOption = Form.TABLE,
    batches: Annotated[bool, typer.Option("--batches", help="A line for each batch, also where it balances.")] = False,
    warehouse: Annotated[bool, typer.Option(help="Count the rows of the warehouse too.")] = True,
) -> None:
    """Records in = valid + quarantined + duplicate + ignored + superseded + discarded + erased.

    Recounted from the tables: bronze, log, state, warehouse and gold. Exit code 1 where anything is off.
    Example: [bold]aura ledger --format json[/bold]
    """
    from aura_lake.cli.opening import open_lake

    found = count_all(open_lake(), warehouse=warehouse)
    if form is Form.JSON:
        show_json(found.to_json())
    elif form is Form.CSV:
        show_rows(("table", "batch", "records", "units", *VERDICTS, "difference"), _lines(found), form)
    else:
        tell(found, batches=batches)
    if not found.balanced:
        raise typer.Exit(1)


def tell(found: Ledger, *, batches: bool = False) -> None:
    """The ledger for people: a line a table (and batch), and what is off in red."""
    from rich.markup import escape

    used = [verdict for verdict in VERDICTS if any(verdict in table.verdicts for table in found.tables)]
    columns = ["table", "records", "units", *(f"{'+' if at else '='} {verdict}" for at, verdict in enumerate(used))]
    rows: list[Sequence[Any]] = []
    for table in found.tables:
        counts = [_number(table.verdicts.get(verdict, 0)) for verdict in used]
        state = "balanced" if table.balanced else "OFF"
        rows.append((table.table, _number(table.records), _number(table.units), *counts, state))
        if batches:
            for line in table.batches:
                counts = [_number(line.verdicts.get(verdict, 0)) for verdict in used]
                state = "balanced" if line.balanced else f"OFF by {line.difference:+d}"
                rows.append((f"  batch {line.batch}", _number(line.records), _number(line.units), *counts, state))
    show_rows([*columns, "ledger"], rows, Form.TABLE, right=columns[1:])
    equations = sum(len(feed.equations) for feed in found.feeds) + len(found.money)
    waiting = sum(table.waiting_records for table in found.tables)
    if waiting:
        console().print(f"[yellow]{waiting:,} records have landed and are not judged yet.[/yellow]")
    for table in found.tables:
        if table.blocked:
            console().print(
                f"[red]{table.table}: {table.blocked:,} units in quarantine hold back its publication.[/red]"
            )
    for equation in found.money:
        if equation.balanced:
            console().print(f"{equation.name}: {equation.left:,} = {equation.right:,}")
    for problem in found.problems():
        console().print(f"[red]off:[/red] {escape(problem)}")
    total = equations + sum(len(table.batches) + len(table.equations) for table in found.tables)
    good, bad = "[green]Every row is accounted for[/green]", "[red]The ledger does not balance[/red]"
    verdict = good if found.balanced else bad
    console().print(f"{verdict}: {total:,} equations recounted from the tables.")


def _number(count: int) -> str:
    return f"{count:,}" if count else "·"


def _lines(found: Ledger) -> list[Sequence[Any]]:
    rows: list[Sequence[Any]] = []
    for table in found.tables:
        for line in table.batches:
            counts = [line.verdicts.get(verdict, 0) for verdict in VERDICTS]
            rows.append((table.table, line.batch, line.records, line.units, *counts, line.difference))
    return rows


def count_all(lake: Lake, *, warehouse: bool = True) -> Ledger:
    """The ledger, with the warehouse where there is one: a DuckDB file that was never made is not made by
    looking, and the warehouse is let go of again."""
    from aura_lake.ledger.count import count
    from aura_lake.warehouse.opening import open_warehouse

    settings = lake.settings
    is_there = settings.warehouse != "duckdb" or (settings.state / "warehouse.duckdb").is_file()
    if not (warehouse and is_there):
        return count(lake)
    house = open_warehouse(settings)
    try:
        return count(lake, house)
    finally:
        house.release()
