"""`aura alerts`: what is wrong, who was told, and who has it in hand."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.people.incident import Incident

app = typer.Typer(no_args_is_help=True, help="What is wrong, who was told, and who has it in hand.")

Key = Annotated[str, typer.Argument(help="The incident's key, or its beginning.")]
Who = Annotated[str | None, typer.Option("--who", help="Who you are; default: the user.")]


@app.callback()
def _alerts() -> None:
    """What is wrong, who was told, and who has it in hand."""


@app.command("list")
def list_incidents(
    all_: Annotated[bool, typer.Option("--all", help="Also those that are over; they are kept for a week.")] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """The incidents that stand, as of the last look; the worst first.

    `aura alerts look` looks anew. Example: [bold]aura alerts list --all[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.people.incident import State
    from aura_lake.steps.tell_people import read_incidents

    found = [i for i in read_incidents(open_lake()).values() if all_ or i.state is not State.RESOLVED]
    found.sort(key=lambda incident: (-incident.cause.level.rank, incident.opened_at))
    if form is Form.JSON:
        show_json([incident.to_json() for incident in found])
        return
    columns = ("key", "level", "state", "where", "what", "count", "owner", "since", "told", "not_told")
    rows = [_row(incident) for incident in found]
    if rows or form is Form.CSV:
        show_rows(columns, rows, form, right=("count",), styles={"level": "red", "not_told": "yellow"})
    else:
        console().print("[green]Nothing is wrong that anybody has looked at.[/green]")


@app.command()
def look(form: FormOption = Form.TABLE) -> None:
    """Look for everything that is wrong now, and tell people.

    `aura run`, `aura stream` and the sensors do so by themselves. From cron, on another machine, this is the watchdog
    of all of them. Exit code 1 while something is wrong, or somebody could not be told.

    Example: [bold]aura alerts look[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.orchestration.alerts import look_and_tell
    from aura_lake.orchestration.instance import open_instance
    from aura_lake.people.incident import State
    from aura_lake.steps.tell_people import read_incidents

    lake = open_lake()
    with open_instance(lake.settings) as instance:
        told = look_and_tell(lake, instance)
    standing = [i for i in read_incidents(lake).values() if i.state is not State.RESOLVED]
    if form is Form.TABLE:
        console().print(f"{len(told.opened)} opened, {len(told.resolved)} resolved, {len(standing)} stand.")
        for incident in standing:
            console().print(f"  {incident.key[:8]} {incident.cause.says}", highlight=False, markup=False)
    else:
        columns = ("opened", "resolved", "standing", "told", "is_busy")
        show_rows(columns, [(len(told.opened), len(told.resolved), len(standing), told.taken, told.is_busy)], form)
    _tell_untold(told.untold)
    if standing or told.untold:
        raise typer.Exit(1)


@app.command("test")
def try_sinks(form: FormOption = Form.TABLE) -> None:
    """Send a test incident to every sink that is set, and its end behind it.

    Exit code 1 where one does not take it. Example: [bold]aura alerts test[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.errors import AlertRefused, AlertUnavailable
    from aura_lake.people.incident import Action
    from aura_lake.steps.alert_sinks import alert_settings, sinks_of
    from aura_lake.steps.try_alert import trial_incident

    lake = open_lake()
    settings = alert_settings(lake)
    sinks, incident, rows = sinks_of(lake, settings), trial_incident(lake), []
    for sink in sinks:
        said = "took it"
        try:
            for action in (Action.TRIGGER, Action.RESOLVE):
                sink.send(action, incident)
        except (AlertUnavailable, AlertRefused) as error:
            said = str(error)
        rows.append((sink.channel.name, sink.channel.level.value, said))
    show_rows(("sink", "from_level", "answer"), rows, form)
    if not sinks:
        complaints().print("No sink is set: docs/alerts.md lists the variables.")
    if not sinks or any(row[2] != "took it" for row in rows):
        raise typer.Exit(1)


@app.command()
def acknowledge(key: Key, who: Who = None) -> None:
    """Say that you have an incident in hand: nobody else is told of it.

    Example: [bold]aura alerts acknowledge 3f9c[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.tell_people import acknowledge_incident

    done = acknowledge_incident(open_lake(), key, who or getpass.getuser())
    complaints().print(f"[green]✓[/green] {done.key} is in hand: {done.cause.says}", highlight=False)


@app.command()
def resolve(key: Key, who: Who = None) -> None:
    """Say that an incident is over. Where it is not, it stays quiet until it is gone, and may come again then.

    Incidents resolve themselves when their cause is gone. Example: [bold]aura alerts resolve 3f9c[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.tell_people import resolve_incident

    done = resolve_incident(open_lake(), key, who or getpass.getuser())
    complaints().print(f"[green]✓[/green] {done.key} is resolved: {done.cause.says}", highlight=False)


def _row(incident: Incident) -> tuple[Any, ...]:
    cause, notices = incident.cause, incident.notices
    told = [f"{sink} {notice.told}" for sink, notice in sorted(notices.items()) if notice.told]
    not_told = [f"{sink}: {notice.error}" for sink, notice in sorted(notices.items()) if notice.error]
    state = "snoozed" if incident.snoozed_until else incident.state.value
    since = cause.first_seen_at.replace(microsecond=0)
    what = f"{cause.kind} {cause.id}"
    return (
        incident.key[:8],
        cause.level.value,
        state,
        cause.place,
        what,
        cause.count,
        cause.owner,
        since,
        told,
        not_told,
    )


def _tell_untold(untold: dict[str, str]) -> None:
    for sink, why in untold.items():
        complaints().print(f"[yellow]{sink} was not told, and will be:[/yellow] {why}", highlight=False)
