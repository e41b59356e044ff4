"""`aura status`: how far each table is."""

from __future__ import annotations

import typer

from aura_lake.cli.output import Form, FormOption, ago, console, show_json, show_rows

COLUMNS = ("table", "watermark", "lag", "waiting", "quarantined", "blocked", "age", "note")


def status(form: FormOption = Form.TABLE) -> None:
    """Per table: watermark, lag, waiting, quarantined, blocked, age.

    Lag counts batches that are still to judge, to fold and to publish. Exit code 1 where publication is
    held back. Example: [bold]aura status --format json[/bold]
    """
    from aura_lake.cli.opening import open_reader
    from aura_lake.ledger.status import read_status

    reader = open_reader()
    lines = read_status(reader)
    if form is Form.JSON:
        show_json([line.to_json() for line in lines])
    elif form is Form.CSV:
        documents = [line.to_json() for line in lines]
        show_rows(list(documents[0]) if documents else COLUMNS, [list(d.values()) for d in documents], form)
    else:
        rows = []
        for line in lines:
            lag = f"{line.to_judge}/{line.to_fold}/{line.to_publish}"
            waits = f"{line.held_back} changes wait for a value they left out" if line.held_back else ""
            note = line.held or ("never run" if line.watermark < 0 else waits)
            told = (line.waiting, line.quarantined, line.blocked, ago(line.age_seconds), note)
            rows.append((line.table, line.watermark, lag, *told))
        numbers = ("watermark", "lag", "waiting", "quarantined", "blocked", "age")
        show_rows(COLUMNS, rows, form, right=numbers, styles={"note": "red"})
        published = reader.manifest.get("published_at", "never")
        below = f"lag: batches to judge/fold/publish. Gold published {published[:19]}. {reader.settings.home}"
        console().print(f"[dim]{below}[/dim]")
        found = (reader.document("discovered.json") or {}).get("found", {})
        waiting = [name for name, each in sorted(found.items()) if each.get("state") == "waiting"]
        if waiting:
            names = ", ".join(waiting[:5]) + (f" and {len(waiting) - 5} more" if len(waiting) > 5 else "")
            console().print(f"No contract names {names}: they wait for you in [bold]aura discover[/bold].")
        drifted = sum(
            len((reader.document(f"drift/{feed}.json") or {}).get("open", ())) for feed in reader.digest.feeds
        )
        if drifted:
            what = "1 finding waits" if drifted == 1 else f"{drifted} findings wait"
            console().print(f"Fields changed at their producers; {what} for you in [bold]aura drift list[/bold].")
    if any(line.blocked or line.held for line in lines):
        raise typer.Exit(1)
