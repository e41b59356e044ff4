"""`aura services`: PostgreSQL, Kafka, Connect, a schema registry, S3 and Redis on this machine, without Docker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.services.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Real servers on this machine, without Docker.")

COLUMNS = ("name", "state", "pid", "address", "memory", "started")

_TROUBLE = {
    "died": "has gone, and nobody stopped it; aura services up starts it on its data.",
    "silent": "runs and does not answer.",
}

Names = Annotated[
    list[str] | None,
    typer.Argument(help="postgres, kafka, registry, s3, redis, connect; with what they need. Default: all."),
]


OnlyOption = Annotated[str | None, typer.Option(help="The same as naming them, with commas.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Install what is missing without asking.")]


@app.command("up")
def up(
    names: Names = None,
    only: OnlyOption = None,
    port: Annotated[list[str] | None, typer.Option(help="A port, as kafka=29092; may be given again.")] = None,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Ports that nobody has now.")] = False,
    yes: YesOption = False,
) -> None:
    """Start them, and wait until each answers; what runs already is left as it is.

    What is missing is installed: with apt-get where you are root on Debian, by Maven and Go into ~/.cache. They
    listen on 127.0.0.1, ask for no password, and keep their data in the lake's state folder. The ports are kept
    for the next time.

    Example: [bold]aura services up kafka postgres --port kafka=29092[/bold]
    """
    from aura_lake.services.environment import DATABASE, write_environment

    wanted = _names(names, only)
    stack = _open(_ports(port or []), free_ports=free_ports)
    _install_what_is_missing(stack, wanted, is_agreed=yes)
    begun = time.monotonic()
    stack.fetch(wanted)
    stack.up(wanted)
    started = [service.name for service in stack.chosen(wanted)]
    if "postgres" in started:
        stack.postgres.create_database(DATABASE)
    _tell_what_next(stack, started, str(write_environment(stack, started)))
    complaints().print(f"[dim]{len(started)} services answer after {time.monotonic() - begun:.1f} s.[/dim]")


@app.command("install")
def install(names: Names = None, only: OnlyOption = None, yes: YesOption = False) -> None:
    """Install and fetch all that `up` would, and start nothing: for images, and before going offline.

    Java services are started once for practice: Java notes which classes they need, and later starts take half
    the time. Exit code 1 where something has to be installed by hand.

    Example: [bold]aura services install --yes[/bold]
    """
    wanted = _names(names, only)
    stack = _open()
    _install_what_is_missing(stack, wanted, is_agreed=yes)
    stack.fetch(wanted)
    for name in (service.name for service in stack.chosen(wanted)):
        console().print(f"{name}: all it needs is here")


@app.command("status")
def status(form: FormOption = Form.TABLE) -> None:
    """State, process, address and memory of each.

    running: it answers; silent: its process runs and it does not answer; died: it was started, nobody stopped it,
    and it has gone; stopped. Exit code 0 only where something was started and all of that runs.

    Example: [bold]aura services status --format json[/bold]
    """
    from aura_lake.cli.output import ago

    found = _open().look()
    if form is Form.JSON:
        show_json([standing.to_json() for standing in found])
    else:
        rows = []
        for one in found:
            memory = None if one.memory_bytes is None else f"{one.memory_bytes / 1e6:.0f} MB"
            age = None if one.started_at is None else f"{ago(time.time() - one.started_at.timestamp())} ago"
            rows.append((one.name, one.state, one.pid, one.address, memory, age))
        show_rows(COLUMNS, rows, form, right=("pid", "memory", "started"))
    begun = [one for one in found if one.state != "stopped"]
    if not begun:
        complaints().print("Nothing was started; aura services up does.")
    for one in begun:
        if one.state != "running":
            complaints().print(f"[red]{one.name} {_TROUBLE[one.state]}[/red] Its log: {one.log}")
    if not begun or any(one.state != "running" for one in begun):
        raise typer.Exit(1)


_WHAT = {
    "died": "has gone without being stopped; aura services up starts it on its data.",
    "silent": "does not answer.",
}


@app.command("down")
def down(names: Names = None) -> None:
    """Stop what `up` started, and nothing else: all, or those named with those that need them. Data stays.

    Example: [bold]aura services down connect[/bold]
    """
    stopped = _open().down(names or [])
    console().print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing ran.")


def _names(names: Sequence[str] | None, only: str | None) -> list[str]:
    given = [*(names or []), *([only] if only else [])]
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def _ports(given: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in given:
        name, _, number = text.partition("=")
        if not number.isdigit() or not 0 < int(number) < 65_536:
            raise typer.BadParameter(f"{text!r} is not NAME=PORT, such as kafka=29092.", param_hint="--port")
        found[name.strip()] = int(number)
    return found


def _open(ports: dict[str, int] | None = None, *, free_ports: bool = False) -> Stack:
    """The services of this lake: those of another have a state folder of their own."""
    from rich.markup import escape

    from aura_lake.cli.opening import read_settings
    from aura_lake.services.stack import Stack

    settings = read_settings()
    stack = Stack.below(
        settings.state / "services",
        ports,
        environ=settings.environ,
        tell=lambda line: complaints().print(escape(line)),
    )
    return stack.with_free_ports() if free_ports else stack


def _install_what_is_missing(stack: Stack, names: Sequence[str], *, is_agreed: bool) -> None:
    from aura_lake.errors import ServiceError
    from aura_lake.services.installing import how_by_hand, plan_installation, run_installation

    missing = stack.missing(names)
    if not missing:
        return
    plan = plan_installation(missing, stack.site)
    console().print("Missing on this machine:")
    for one in missing:
        how = f". Install it by hand: {how_by_hand(one)}" if one in plan.by_hand else ""
        console().print(f"  {one.program}: {one.why}{how}", soft_wrap=True)
    if plan.commands:
        for command in plan.commands:
            console().print(f"  {' '.join(command)}", soft_wrap=True)
        if not is_agreed:
            typer.confirm("Run these commands?", abort=True)
        with complaints().status("Installing …"):
            run_installation(plan, stack.site)
    still = [one.program for one in stack.missing(names)]
    if still:
        raise ServiceError(
            f"Not installed: {', '.join(still)}.",
            fix="Install what is told above, or name only services that do without: aura services up kafka postgres.",
        )


def _tell_what_next(stack: Stack, started: Sequence[str], file: str) -> None:
    rows = [(one.name, one.address) for one in stack.services if one.name in started]
    show_rows(("service", "address"), rows, Form.TABLE)
    is_chain = {"postgres", "kafka", "connect"} <= set(started)
    for command, why in ((f"source {file}", "where they are, for this shell"), *(_NEXT if is_chain else ())):
        console().print(f"[dim]# {why}[/dim]")
        console().print(command, soft_wrap=True, markup=False)


#: The demo shop, live (docs/live.md).
_NEXT = (
    ("aura simulate --live --for 0", "opens the demo shop in the database"),
    ("aura source connect postgres --tables users,products,orders,order_items,payments", "captures its changes"),
    ("aura simulate --live &", "the shop lives"),
    ("aura stream", "from message to gold within seconds"),
)
