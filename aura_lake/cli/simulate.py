"""`aura simulate`: records of a shop that is alive."""

from __future__ import annotations

import os
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
    clicks: Annotated[
        int | None,
        typer.Option(min=0, help="Clicks in all, 200,000; into Kafka: clicks a second, three times the rate."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    end: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last; default today.")
    ] = None,
    mess: Annotated[
        str | None, typer.Option(help="What goes wrong, by name, with commas; all, or none. Into PostgreSQL: all.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Go on: in PostgreSQL and Kafka, else in the folder.")] = False,
    day: Annotated[float, typer.Option(min=0.001, help="Live in a folder: seconds a simulated day takes.")] = 60.0,
    postgres: Annotated[
        str | None, typer.Option(help="Live: the shop's database, postgres://user@host/db. Default: AURA_POSTGRES_URL.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(help="Live: brokers that take the clicks, host:port. Default: KAFKA_BROKERS.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Live in PostgreSQL: transactions a second.")] = 20.0,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Live: end after so many seconds; 0: only open the shop.")
    ] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Write a shop's records: Debezium changes and Firehose clicks, with or without a mess.

    With --live and a database it is a real shop: SQL transactions, interleaved, some rolled back, some of many
    rows, and clicks in the topic aura.clickstream. SIGTERM and Ctrl-C end it when no transaction is open.

    Example: [bold]aura simulate /tmp/shop --days 7 --mess redeliveries,late_clicks[/bold]
    Example: [bold]aura simulate --live --postgres postgres://shop@localhost/aura_mart --kafka localhost:9092[/bold]
    """
    from aura_lake.simulate import SimulationPlan, mess_named
    from aura_lake.simulate import simulate as play

    database = postgres or (os.environ.get("AURA_POSTGRES_URL") if live and out is None else None)
    _check_words(live, out, postgres, kafka if database is None else None, seconds)
    if database is not None:
        _open_shop(
            database,
            kafka or os.environ.get("KAFKA_BROKERS"),
            rate,
            clicks,
            mess_named(mess or "all"),
            seed,
            seconds,
            form,
        )
        return
    folder = out or default_folder()
    plan = SimulationPlan(
        seed=seed,
        days=days,
        end=(end or datetime.now()).date(),
        orders=orders,
        clicks=200_000 if clicks is None else clicks,
        mess=mess_named(mess or "none"),
    )
    if live:
        _tell_live(_go_on(plan, folder, day, seconds), form)
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


def _check_words(
    live: bool, out: Path | None, postgres: str | None, stray_kafka: str | None, seconds: float | None
) -> None:
    """Raises SettingsError where options do not go together."""
    from aura_lake.errors import SettingsError

    if (postgres or stray_kafka or seconds is not None) and not live:
        raise SettingsError("--postgres, --kafka and --for are for a live shop.", fix="Add --live, or leave them out.")
    if postgres and out is not None:
        raise SettingsError(f"A live shop is in a database or in {out}, not in both.", fix="Give one of the two.")
    if stray_kafka:
        raise SettingsError(
            "Clicks alone are no shop: --kafka needs a database.", fix="Add --postgres postgres://user@host/db."
        )


def _open_shop(
    database: str,
    kafka: str | None,
    rate: float,
    clicks: int | None,
    mess: frozenset[str],
    seed: int,
    seconds: float | None,
    form: Form,
) -> None:
    from aura_lake.cli.live_shop import run_until_stopped
    from aura_lake.outside.postgres import read_address
    from aura_lake.steps.live_shop import LiveRequest

    address = read_address(database)
    request = LiveRequest(
        database=address,
        brokers=kafka,
        seed=seed,
        rate=rate,
        clicks=3 * rate if clicks is None else clicks,
        mess=mess,
        seconds=seconds,
        environ=dict(os.environ),
    )
    clicked = f"; clicks go to {kafka}" if kafka else "; nobody clicks, for there are no brokers (--kafka)"
    complaints().print(f"The shop is alive in {address}{clicked}. Ctrl-C ends it.", highlight=False)
    run_until_stopped(request, form)


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


def _go_on(plan: object, folder: Path, seconds_per_day: float, seconds: float | None) -> LiveReport:
    import signal

    from aura_lake.simulate import SimulationPlan, simulate_live

    assert isinstance(plan, SimulationPlan)
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    ending = threading.Timer(seconds or 0.0, stop.set)
    if seconds is not None:
        ending.start()
    complaints().print(f"The shop is alive in {folder}; Ctrl-C ends it.")
    try:
        return simulate_live(plan, folder, seconds_per_day=seconds_per_day, stop=stop)
    finally:
        ending.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_live(report: LiveReport, form: Form) -> None:
    if form is Form.JSON:
        show_json({"files": report.files, "hours": report.hours, "records": dict(report.records)})
        return
    show_rows(("table", "records"), sorted(report.records.items()), form, right=("records",))
    if form is Form.TABLE:
        console().print(f"{report.hours:,} hours went by in {report.files:,} files.")
