"""`aura approvals`: takes what people decide in Slack."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import complaints

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer(no_args_is_help=True, help="What people decide in Slack.")


@app.callback()
def _approvals() -> None:
    """What people decide in Slack."""


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Where it listens. Beyond this machine only behind something that ends TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = 3_100,
) -> None:
    """Answer the buttons of Slack's cards: approve, reject and snooze a patch; acknowledge or snooze an incident.

    Slack's Request URL (Interactivity) is https://your-host/slack/actions, forwarded to here. A call counts when Slack
    signed it (AURA_ALERT_SLACK_SIGNING_SECRET) within five minutes, once, from one of the `approvers` in shop.yaml, and
    about the patch as it was shown.

    Example: [bold]aura approvals serve --port 3100[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.errors import SettingsError
    from aura_lake.outside.approvals_server import PATH, ApprovalsServer
    from aura_lake.steps.alert_sinks import alert_settings
    from aura_lake.steps.answer_calls import Approvals
    from aura_lake.steps.drift_people import DriftPatches

    lake = open_lake()
    secret = alert_settings(lake).slack_signing_secret
    if not secret:
        raise SettingsError(
            "AURA_ALERT_SLACK_SIGNING_SECRET is not set: nobody's call could be told from Slack's.",
            fix="Set it to the signing secret of the Slack app (Basic Information).",
        )
    patches = DriftPatches(lake)
    approvals = Approvals(lake, secret, find=patches.find, decide=patches.decide)
    server = ApprovalsServer(
        approvals.answer, host=host, port=port, log=lambda line: complaints().print(line, markup=False, highlight=False)
    )
    complaints().print(f"Answers Slack's calls at http://{host}:{server.port}{PATH} (Ctrl-C ends it)")
    if not lake.shop.approvers:
        complaints().print("[yellow]shop.yaml names no approvers: every call is refused.[/yellow]")
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    listening = threading.Thread(target=server.serve, name="approvals")
    listening.start()
    try:
        stop.wait()
    finally:
        server.close()
        listening.join()
