"""`aura why`: the life of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from rich.tree import Tree

    from aura_lake.ledger.life import Life, RecordLife, Row, TableLife

#: What a judgement's verdict looks like.
COLORS = {"valid": "green", "quarantined": "red", "duplicate": "yellow"}

_TIMES = ("valid_from", "valid_to", "is_current")

#: Lines shown under one heading.
SHOWN = 12


def why(
    key: Annotated[
        str, typer.Argument(help="A key, an event id, a place (object#ordinal), or a personal value, which is hashed.")
    ],
    form: FormOption = Form.TABLE,
) -> None:
    """The life of one row: each record that touched it, each verdict, version and gold row.

    Example: [bold]aura why 2f1b…-order-id[/bold]
    """
    from aura_lake.cli.opening import open_reader
    from aura_lake.ledger.why import why as look

    life = look(open_reader(), key)
    if form is Form.JSON:
        show_json(life.to_json())
    elif form is Form.CSV:
        show_rows(_COLUMNS, _as_rows(life), form)
    else:
        tell(life)
    if not life.is_known:
        if form is not Form.TABLE:
            complaints().print(f"Nothing in this lake is called {key!r}.")
        raise typer.Exit(1)


_COLUMNS = (
    "table",
    "feed",
    "place",
    "byte_offset",
    "batch",
    "landed_at",
    "verdict",
    "reason",
    "broken_rules",
    "stands",
)


def _as_rows(life: Life) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for table in life.tables:
        for record in table.records:
            for j in record.judgements:
                told = (j.verdict, j.reason, j.broken_rules, j.stands)
                where = (record.place, record.position.get("byte_offset"), record.batch, record.landed_at)
                rows.append((table.table, table.feed, *where, *told))
    return rows


def tell(life: Life, *, brief: bool = False) -> None:
    """The life as a tree on the terminal; `brief`: its main table, the credit, and the revenue alone."""
    from rich.markup import escape
    from rich.tree import Tree

    tree = Tree(f"[bold]{escape(life.key)}[/bold]")
    if brief:
        main = [table for table in life.tables if table.key and len(table.key) == 1]
        revenue = [gold for gold in life.gold if gold.model == "fct_sales_revenue"]
        life = replace(life, tables=tuple(main), gold=tuple(revenue))
    for table in life.tables:
        _add_table(tree, table)
    if life.touches:
        branch = tree.add("[bold cyan]silver.order_touchpoints[/bold cyan]")
        for row in life.touches[:SHOWN]:
            state = "" if row.get("_state") == "current" else f"[yellow]{row.get('_state')}:[/yellow] "
            branch.add(state + _words({name: value for name, value in row.items() if value != life.key}))
    for gold in life.gold:
        more = f" ({gold.total_rows} rows)" if gold.total_rows > 1 else ""
        branch = tree.add(f"[bold cyan]gold.{gold.model}[/bold cyan] version {gold.version}{more}")
        for row in gold.rows[:SHOWN]:
            branch.add(_words({name: value for name, value in row.items() if value != life.key}))
        _add_rest(branch, len(gold.rows[:SHOWN]), gold.total_rows)
    if life.mentions:
        branch = tree.add("[bold cyan]named by[/bold cyan]")
        for mention in life.mentions:
            branch.add(f"{mention.rows:,} rows of silver.{mention.table} ({mention.column})")
    for row in life.waiting:
        tree.add(f"[yellow]landed, and no table has judged it yet:[/yellow] {_words(row)}")
    if not life.is_known:
        where = ", ".join(life.searched)
        tree.add(f"[yellow]Nothing in this lake is called that.[/yellow] Looked in: {where}")
    console().print(tree)


def _add_table(tree: Tree, table: TableLife) -> None:
    from rich.markup import escape

    branch = tree.add(f"[bold cyan]silver.{table.table}[/bold cyan] from bronze.{table.feed}")
    if table.total_records:
        records = branch.add(f"{table.total_records} record{'s' if table.total_records != 1 else ''}")
        for record in table.records[:SHOWN]:
            line = records.add(_heading(record))
            for judgement in record.judgements:
                color = COLORS.get(judgement.verdict, "white")
                text = f"[{color}]{judgement.verdict}[/{color}]"
                if judgement.decided:
                    told = judgement.decided
                    text += f" by {escape(told['who'])}, {told['at'][:19]}: {escape(told['why'])}"
                elif judgement.reason:
                    text += f" ({escape(judgement.reason)})"
                if judgement.broken_rules:
                    text += f": breaks {escape(', '.join(judgement.broken_rules))}"
                if judgement.warnings:
                    text += f", warned of {escape(', '.join(judgement.warnings))}"
                if not judgement.stands:
                    text += " [dim](judged again)[/dim]"
                line.add(text)
        _add_rest(records, len(table.records[:SHOWN]), table.total_records)
    if table.versions:
        versions = branch.add(f"{len(table.versions)} version{'s' if len(table.versions) != 1 else ''}")
        earlier: Row = {}
        for row in table.versions[:SHOWN]:
            follows = bool(earlier) and all(row[name] == earlier[name] for name in table.key)
            versions.add(_version(row, earlier if follows else {}))
            earlier = row
        _add_rest(versions, len(table.versions[:SHOWN]), len(table.versions))
    _add_current(branch, table)


def _add_current(branch: Tree, table: TableLife) -> None:
    """The current rows, in full only where they say other things than the last versions."""
    last = [{n: v for n, v in row.items() if n not in _TIMES} for row in table.versions if row["is_current"]]
    for row in table.current[:SHOWN]:
        plain = {name: value for name, value in row.items() if not name.startswith("_")}
        waits = " [red](a newer change waits in quarantine)[/red]" if row.get("_has_newer_in_quarantine") else ""
        key = " / ".join(str(row[column]) for column in table.key)
        said = f"{key}, as its last version says" if plain in last else _words(row)
        branch.add(f"[green]current:[/green] {said}{waits}")
    if table.versions and not table.current:
        branch.add("[yellow]no current row: the key was deleted[/yellow]")


def _heading(record: RecordLife) -> str:
    from rich.markup import escape

    change = record.change
    said = [f"op {change['op']}"] if "op" in change else []
    said += [f"LSN {change['lsn']}"] if "lsn" in change else []
    said += [f"committed {change['committed_at']:%Y-%m-%d %H:%M:%S}"] if "committed_at" in change else []
    landed = f"landed {record.landed_at:%Y-%m-%d %H:%M:%S}" if record.landed_at else "landed"
    where = f"byte {record.position['byte_offset']:,}" if "byte_offset" in record.position else "byte unknown"
    return f"{escape(record.place)} [dim]{where}, batch {record.batch}, {landed}[/dim] {' '.join(said)}"


def _version(row: Row, earlier: Row) -> str:
    """When a version held, and what it says: the first in full, a later one where it differs."""
    from rich.markup import escape

    begin = f"{row['valid_from']:%Y-%m-%d %H:%M:%S}" if row["valid_from"] else "the beginning"
    end = f"{row['valid_to']:%Y-%m-%d %H:%M:%S}" if row["valid_to"] else "now"
    same_key = bool(earlier)
    shown = {n: v for n, v in row.items() if n not in _TIMES and (not same_key or v != earlier.get(n))}
    text = ", ".join(f"{name}={_value(value)}" for name, value in shown.items() if value is not None or same_key)
    return f"{begin} to {end}: {escape(text)}"


def _words(row: Row) -> str:
    from rich.markup import escape

    told = [f"{name}={_value(value)}" for name, value in row.items() if value is not None and not name.startswith("_")]
    return escape(", ".join(told))


def _value(value: object) -> str:
    from aura_lake.cli.output import when

    return when(value) if hasattr(value, "hour") and hasattr(value, "year") else str(value)  # type: ignore[arg-type]


def _add_rest(branch: Tree, shown: int, total: int) -> None:
    if total > shown:
        branch.add(f"[dim]and {total - shown:,} more; --format json shows them[/dim]")
