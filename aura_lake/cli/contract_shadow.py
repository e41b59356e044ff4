"""`aura contract shadow`: what the contracts in the shadow would have done with live rows."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, console, show_json, show_rows

COLUMNS = ("table", "version", "batches", "units", "would_pass", "would_wait", "rules_broken_newly", "would_block")


def shadow(
    batches: Annotated[bool, typer.Option("--batches", help="One line for each group of batches.")] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """What each contract in the shop's folder `shadow` would have done with the rows that came since it lies there.

    Example: [bold]aura contract shadow --batches[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.shadow import FOLDER, shadows

    lake = open_lake()
    found = shadows(lake)
    if form is Form.JSON:
        show_json(found)
        return
    rows = [row for document in found for row in _rows(document, batches)]
    if rows or form is Form.CSV:
        show_rows(COLUMNS, rows, form, right=("units", "would_pass", "would_wait"))
    if form is Form.CSV:
        return
    for document in found:
        if document.get("trouble"):
            console().print(f"[red]{document['table']} is not judged in the shadow[/red]: {document['trouble']}")
    if not found:
        folder = lake.settings.shop / FOLDER
        console().print(
            f"Nothing stands in the shadow. Put a contract into {folder}: the next new batch is judged by it."
        )


def _rows(document: dict[str, Any], batches: bool) -> list[tuple[Any, ...]]:
    if document["total"] is None:
        return []
    earlier = [document["earlier"]] if document["earlier"] else []
    entries = [*earlier, *document["batches"]] if batches else [document["total"]]
    return [_row(document, entry) for entry in entries]


def _row(document: dict[str, Any], entry: dict[str, Any]) -> tuple[Any, ...]:
    newly = {name: count["newly"] for name, count in entry["rules"].items() if count["newly"]}
    blocking = [n for n, s in document["severities"].items() if s == "block" and entry["rules"].get(n, {}).get("now")]
    blocks = entry.get("would_block", blocking)
    told = ", ".join(f"{name} {count:,}" for name, count in newly.items())
    counts = (entry["units"], entry["would_pass"], entry["would_wait"])
    return (document["table"], document["version"], f"{entry['from']}-{entry['to']}", *counts, told, "; ".join(blocks))
