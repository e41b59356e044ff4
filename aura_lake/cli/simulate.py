"""`aura simulate`: records of a shop that is alive."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.simulate import LiveReport


def simulate(
    out: Annotated[Path | None, typer.Argument(help="The folder to write below; default landing/ in the lake.")] = None,
    days: Annotated[int, typer.Option(min=1, help="How many days.")] = 30,
    orders: Annotated[int, typer.Option(min=0, help="Orders in all.")] = 5_000,
    clicks: Annotated[int, typer.Option(min=0, help="Clicks in all.")] = 200_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    end: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last; default today.")
    ] = None,
    mess: Annotated[str, typer.Option(help="What goes wrong, by name, with commas; all, or none.")] = "none",
    live: Annotated[float, typer.Option(min=0.0, help="Then go on: seconds a simulated day takes; 0: do not.")] = 0.0,
    form: FormOption = Form.TABLE,
) -> None:
    """Write a shop's records: Debezium changes and Firehose clicks, with or without a mess.

    Example: [bold]aura simulate /tmp/shop --days 7 --mess redeliveries,late_clicks[/bold]
    """
    from aura_lake.simulate import SimulationPlan, mess_named
    from aura_lake.simulate import simulate as play

    folder = out or default_folder()
    plan = SimulationPlan(
        seed=seed, days=days, end=(end or datetime.now()).date(), orders=orders, clicks=clicks, mess=mess_named(mess)
    )
    if live > 0:
        _tell_live(_go_on(plan, folder, live), form)
        return
    with complaints().status(f"Simulating {days} days into {folder} …"):
        report = play(plan, folder)
    if form is Form.JSON:
        document = {"folder": str(folder), "files": len(report.files), "bytes": report.size}
        show_json({**document, "records": dict(report.records), "mess": dict(report.mess)})
        return
    show_rows(("table", "records"), sorted(report.records.items()), form, right=("records",))
    if form is Form.TABLE:
        console().print(f"{len(report.files):,} files, {report.size / 1e6:.1f} MB in {folder}.")
        if report.mess:
            told = ", ".join(f"{name} {count:,}" for name, count in report.mess.items())
            console().print(f"Mess, in records touched: {told}.")


def default_folder() -> Path:
    """Where the demo shop's contracts look."""
    from aura_lake.cli.opening import read_settings
    from aura_lake.errors import SettingsError

    settings = read_settings()
    given = settings.environ.get("AURA_MART_DATA")
    if given:
        return Path(given)
    if not settings.is_local:
        raise SettingsError(
            f"AURA_HOME={settings.home} is no folder to write to.", fix="Name a folder: aura simulate FOLDER."
        )
    return Path(settings.home) / "landing"


def _go_on(plan: object, folder: Path, seconds_per_day: float) -> LiveReport:
    import signal

    from aura_lake.simulate import SimulationPlan, simulate_live

    assert isinstance(plan, SimulationPlan)
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    complaints().print(f"The shop is alive in {folder}; Ctrl-C ends it.")
    return simulate_live(plan, folder, seconds_per_day=seconds_per_day, stop=stop)


def _tell_live(report: LiveReport, form: Form) -> None:
    if form is Form.JSON:
        show_json({"files": report.files, "hours": report.hours, "records": dict(report.records)})
        return
    show_rows(("table", "records"), sorted(report.records.items()), form, right=("records",))
    if form is Form.TABLE:
        console().print(f"{report.hours:,} hours went by in {report.files:,} files.")
