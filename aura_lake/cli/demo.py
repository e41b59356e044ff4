"""`aura demo`: a shop from its first record to an answer, told on the way."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, complaints, console, show_rows
from aura_lake.settings import Settings

if TYPE_CHECKING:
    from aura_lake.query.reader import Reader
    from aura_lake.simulate import SimulationReport

DAYS, SEED, ORDERS, CLICKS = 30, 7, 5_000, 200_000

#: Says beside the records which shop was simulated, so that the demo goes on with the same.
NOTE = "demo.json"


def demo(
    end: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the shop's last; default today.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders in all.")] = ORDERS,
    clicks: Annotated[int, typer.Option(min=1, help="Clicks in all.")] = CLICKS,
) -> None:
    """Simulate 30 days of a shop with everything that goes wrong, bring them to gold, and ask a question.

    Run again it finds nothing new, and says the same. Example: [bold]aura demo[/bold]
    """
    from aura_lake.cli.ledger import count_all
    from aura_lake.cli.ledger import tell as tell_ledger
    from aura_lake.cli.opening import open_lake, open_reader, read_settings
    from aura_lake.cli.progress import step_lines
    from aura_lake.cli.run import tell_trouble
    from aura_lake.orchestration.run import run_once

    begun = time.monotonic()
    settings = at_landing(read_settings())
    last = _plan_end(settings, end.date() if end else None)
    heading(1, f"{DAYS} days of a shop", f"seed {SEED}, ending {last}, with everything that goes wrong in records")
    _tell_simulation(simulate_into(settings, last, orders, clicks))
    heading(2, "From the records to gold", "bronze keeps every byte, silver judges every record, dbt builds gold")
    with step_lines() as hear:
        outcome = run_once(settings, on_event=hear)
    lake = open_lake(settings)
    reader = open_reader(settings)
    if not outcome.success:
        tell_trouble(outcome)
        tell_ledger(count_all(lake))
        raise typer.Exit(1)
    yesterday = last - timedelta(days=1)
    heading(3, f"Revenue of {yesterday} by device", "gold.fct_sales_revenue: the last click before each order")
    tell_revenue(reader, yesterday)
    heading(4, "The ledger", "every record that came in, counted again from the tables")
    found = count_all(lake)
    tell_ledger(found)
    heading(5, "What was quarantined, and why", "each row keeps its place; its bytes stand in bronze")
    _tell_quarantine(reader)
    heading(6, "The life of one row", "an order that one bad record touched")
    order = _tell_one_life(reader)
    _tell_next(order)
    console().print(f"[dim]{time.monotonic() - begun:.0f} s in all. The lake is {settings.home}[/dim]")
    if not tell_trouble(outcome) or not found.balanced:
        raise typer.Exit(1)


def heading(number: int, title: str, text: str) -> None:
    """The heading of a part."""
    console().print(f"\n[bold cyan]{number}. {title}[/bold cyan] [dim]{text}[/dim]")


def at_landing(settings: Settings) -> Settings:
    """Settings whose demo shop finds its records inside the lake, where nothing else is said."""
    landing = settings.environ.get("AURA_MART_DATA") or settings.uri("landing")
    return replace(settings, environ={**settings.environ, "AURA_MART_DATA": landing})


def _plan_end(settings: Settings, asked: date | None) -> date:
    """The day after the shop's last: as asked, or as before in this lake, or today."""
    import json

    from aura_lake.errors import SettingsError

    landing = settings.environ["AURA_MART_DATA"]
    note = (settings.state if "://" in landing else Path(landing)) / NOTE
    before = date.fromisoformat(json.loads(note.read_text())["end"]) if note.is_file() else None
    if before and asked and before != asked:
        raise SettingsError(
            f"{settings.home}: the demo shop in this lake ends {before}, and --end is {asked}.",
            fix="Leave --end out, or point AURA_HOME at an empty folder.",
        )
    last = asked or before or datetime.now(UTC).date()
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"end": last.isoformat()}))
    return last


def simulate_into(settings: Settings, end: date, orders: int, clicks: int) -> SimulationReport:
    """Write the shop's records where its contracts look; on S3 by way of the state folder."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from aura_lake.simulate import MESSES, SimulationPlan, simulate

    plan = SimulationPlan(seed=SEED, days=DAYS, end=end, orders=orders, clicks=clicks, mess=frozenset(MESSES))
    landing = settings.environ["AURA_MART_DATA"]
    is_remote = "://" in landing
    folder = settings.state / "landing" if is_remote else Path(landing)
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("day {task.completed:.0f}"),
        TimeElapsedColumn(),
        console=complaints(),
        transient=True,
    )
    with bar:
        task = bar.add_task("days", total=DAYS)
        report = simulate(plan, folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    if is_remote:
        _upload(settings, folder, landing, report.files)
    return report


def _upload(settings: Settings, folder: Path, landing: str, files: tuple[str, ...]) -> None:
    """Put files into S3 under the same names, those that stand there excepted."""
    from concurrent.futures import ThreadPoolExecutor

    from aura_lake.outside.s3_environment import s3_settings
    from aura_lake.outside.s3_session import bucket_and_prefix, region_of, session_for

    s3 = s3_settings(settings.environ)
    session = session_for(s3)
    client = session.client("s3", endpoint_url=s3.endpoint_url, region_name=region_of(session, s3))
    bucket, prefix = bucket_and_prefix(landing)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    standing = {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}
    missing = [n for n in files if standing.get(f"{prefix}/{n}") != (folder / n).stat().st_size]
    with complaints().status(f"Uploading {len(missing):,} objects to {landing} …"), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.upload_file(str(folder / name), bucket, f"{prefix}/{name}"), missing))


def _tell_simulation(report: SimulationReport) -> None:
    records = ", ".join(f"{count:,} {table}" for table, count in sorted(report.records.items()))
    mess = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in report.mess.items())
    console().print(f"{len(report.files):,} objects, {report.size / 1e6:.0f} MB: {records}.")
    console().print(f"Among them: {mess}.")


def tell_revenue(reader: Reader, day: date) -> None:
    """Yesterday's net revenue by device, and the question of iOS against Android."""
    from aura_lake.query.run import answer

    found = answer(
        reader,
        f"""
        select
            coalesce(device_os, 'no click known') as device,
            count(distinct order_id) as orders,
            sum(quantity) as items,
            sum(net_revenue) as net_revenue,
            any_value(currency) as currency,
            round(100 * sum(net_revenue) / sum(sum(net_revenue)) over (), 1) as percent
        from gold.fct_sales_revenue
        where order_date = date '{day.isoformat()}'
        group by all
        order by net_revenue desc
        """,
    )
    rows = [(*row[:3], f"{row[3]:,.2f}", *row[4:]) for row in found.rows]
    show_rows(found.columns, rows, Form.TABLE, right=("orders", "items", "net_revenue", "percent"))
    by_device = {row[0]: row[3] for row in found.rows}
    if by_device.get("iOS") and by_device.get("Android"):
        times = by_device["iOS"] / by_device["Android"]
        console().print(
            f"iOS brought [bold]{by_device['iOS']:,.2f}[/bold], Android [bold]{by_device['Android']:,.2f}[/bold]: "
            f"{times:.2f} times as much."
        )


def _tell_quarantine(reader: Reader) -> None:
    from aura_lake.ledger.inbox import Inbox

    lines = Inbox(reader).waiting()
    rows = [(line.table, line.rule.replace("_", " "), f"{line.units:,}") for line in lines]
    show_rows(("table", "rule that is broken", "rows"), rows, Form.TABLE, right=("rows",))


def _tell_one_life(reader: Reader) -> str | None:
    """The life of an order that has a quarantined record and is all the same in gold; its id."""
    from aura_lake.cli.why import tell
    from aura_lake.ledger.why import why
    from aura_lake.query.run import answer

    sql = """
        select orders.order_id
        from silver.orders_quarantine as waiting
        inner join silver.orders as orders on waiting.order_id = orders.order_id
        inner join silver.orders_history as history on orders.order_id = history.order_id
        where orders.order_status <> 'cancelled'
        group by orders.order_id
        order by count(distinct waiting.ordinal), count(*) desc, orders.order_id
        limit 1
    """
    rows: list[tuple[Any, ...]] = answer(reader, sql).rows
    if not rows:
        rows = answer(reader, "select order_id from silver.orders order by ordered_at desc limit 1").rows
    if not rows:
        return None
    order = str(rows[0][0])
    tell(why(reader, order), brief=True)
    return order


def _tell_next(order: str | None) -> None:
    console().print("\n[bold]Next:[/bold]")
    for command, text in (
        ("make ui", "the graph of this run: lineage, checks, materializations"),
        (f"aura why {order or 'KEY'}", "all of that row's life"),
        ("aura init my_shop --from FOLDER", "contracts for your own records, drafted from them"),
    ):
        console().print(f"  [bold]{command:<48}[/bold] [dim]{text}[/dim]")
