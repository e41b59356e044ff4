"""How commands show rows: a table for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any

import typer
from rich.console import Console

#: Cells longer than this are cut in tables; JSON and CSV have them whole.
CELL = 60

#: Cells up to this width are never broken over lines.
WHOLE = 26

#: Width of tables that go into a file or a pipe.
PIPED = 200


class Form(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormOption = Annotated[
    Form, typer.Option("--format", "-f", help="How to write the rows.", show_choices=True, case_sensitive=False)
]


@cache
def console() -> Console:
    """Where answers go. Into a file or a pipe lines are as long as they must be."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED)


@cache
def complaints() -> Console:
    """Where errors and progress go."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPED)


def show_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    form: Form,
    *,
    title: str | None = None,
    right: Sequence[str] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """Rows in the form asked for. `right`: columns of numbers; `styles`: by column, for people only."""
    if form is Form.JSON:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif form is Form.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(value) for value in row] for row in rows)
    else:
        _show_table(columns, rows, title, right, styles or {})


def show_json(document: Any) -> None:
    """A JSON document: money as text, times in ISO, bytes in hex."""
    sys.stdout.write(json.dumps(document, indent=2, default=_json, ensure_ascii=False) + "\n")


def _show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str | None,
    right: Sequence[str],
    styles: Mapping[str, str],
) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    texts = [[cell(value) for value in row] for row in rows]
    for at, name in enumerate(columns):
        widest = max([len(name), *(len(row[at]) for row in texts)])
        table.add_column(
            name,
            justify="right" if name in right else "left",
            style=styles.get(name),
            no_wrap=name in right or widest <= WHOLE,
            overflow="fold",
        )
    for row in texts:
        table.add_row(*row)
    console().print(table)


def cell(value: Any) -> str:
    """A value in a table for people; markup in it is text."""
    from rich.markup import escape

    text = _text(value)
    return escape(text if len(text) <= CELL else text[: CELL - 1] + "…")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(element) for element in value)
    if isinstance(value, dict):
        return json.dumps(value, default=_json, ensure_ascii=False)
    return str(value)


def when(moment: datetime) -> str:
    """A time as people read it: UTC, to the second, or as far as it goes."""
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def ago(seconds: float | None) -> str:
    """How long ago, in the largest unit that says something."""
    if seconds is None:
        return "never"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _json(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    return str(value)
