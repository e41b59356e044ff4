"""`aura`: the table of contents of the command line, and how its errors look."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Annotated

import typer

from aura_lake.cli import (
    alerts,
    approvals,
    contract,
    demo,
    discover,
    doctor,
    drift,
    init,
    ledger,
    quarantine,
    query,
    rebuild,
    run,
    services,
    simulate,
    source,
    status,
    stream,
    ui,
    why,
)
from aura_lake.errors import AuraError

app = typer.Typer(
    name="aura",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The lakehouse where no row disappears.",
    epilog="Try: [bold]aura demo[/bold]",
)

_FIRST, _LOOK, _WORK = "Begin", "Look", "Work"

app.command("demo", rich_help_panel=_FIRST)(demo.demo)
app.command("init", rich_help_panel=_FIRST)(init.init)
app.add_typer(contract.app, name="contract", rich_help_panel=_FIRST)
app.add_typer(source.app, name="source", rich_help_panel=_FIRST)
app.command("doctor", rich_help_panel=_FIRST)(doctor.doctor)
app.command("run", rich_help_panel=_WORK)(run.run)
app.command("stream", rich_help_panel=_WORK)(stream.stream)
app.command("rebuild", rich_help_panel=_WORK)(rebuild.rebuild)
app.command("simulate", rich_help_panel=_WORK)(simulate.simulate)
app.command("ui", rich_help_panel=_WORK)(ui.ui)
app.add_typer(services.app, name="services", rich_help_panel=_WORK)
app.command("status", rich_help_panel=_LOOK)(status.status)
app.command("ledger", rich_help_panel=_LOOK)(ledger.ledger)
app.command("why", rich_help_panel=_LOOK)(why.why)
app.command("query", rich_help_panel=_LOOK)(query.query)
app.add_typer(alerts.app, name="alerts", rich_help_panel=_LOOK)
app.add_typer(approvals.app, name="approvals", rich_help_panel=_WORK)
app.add_typer(discover.app, name="discover", rich_help_panel=_LOOK)
app.add_typer(quarantine.app, name="quarantine", rich_help_panel=_LOOK)
app.add_typer(drift.app, name="drift", rich_help_panel=_LOOK)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error came from.")] = False,
) -> None:
    """The lakehouse where no row disappears."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 when all went well, 1 where something is off, 2 for a wrong call, 130 for
    an interrupt. An error of ours is told as what and fix; `--debug`, anywhere, shows the traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in words
    if debug:
        given.remove("--debug")
    else:
        sys.excepthook = _tell_defect
    try:
        typer.main.get_command(app)(args=given, prog_name="aura")  # app() would put back its own excepthook
    except AuraError as error:
        if debug:
            raise
        _tell(error)
        sys.exit(1)
    except BrokenPipeError:  # the reader, such as `head`, has gone: there is nobody left to tell
        sys.stderr.close()
        sys.exit(1)


def _tell(error: AuraError) -> None:
    from rich.panel import Panel
    from rich.text import Text

    from aura_lake.cli.output import complaints

    text = Text(error.what)
    if error.fix:
        text.append("\n\n").append("Fix: ", style="bold").append(error.fix)
    title = type(error).__name__.removesuffix("Error")
    where = complaints()
    width = min(where.width, 100)
    where.print(Panel(text, title=title, title_align="left", border_style="red", width=width))


def _tell_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that is not ours: its message may hold a person's values, so only its place is told."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}" if trace else ""
    print(f"aura: a defect: {kind.__name__}{where}. Run it again with --debug to see all of it.", file=sys.stderr)
