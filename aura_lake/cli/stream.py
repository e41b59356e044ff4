"""`aura stream`: the live path, from a message to gold within seconds."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from aura_lake.orchestration.live_numbers import LiveLine


def stream(
    seconds: Annotated[float | None, typer.Option("--for", help="End after so many seconds; default: never.")] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Follow every feed: land what comes, judge it, and publish gold, micro-batch by micro-batch.

    Several may run on one lake: all land, sharing the partitions; one applies, and another takes over when it
    dies. SIGTERM and Ctrl-C end it after the micro-batch it is at; SIGKILL loses nothing. With --format json
    each second is a JSON object on standard output.

    Example: [bold]aura stream[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.orchestration.stream import Session, follow

    lake = open_lake()
    session = Session()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            follow(lake.settings, session)
        except BaseException as error:  # raised again by the main thread, below
            failed.append(error)

    def end(_number: int, _frame: FrameType | None) -> None:
        session.stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    worker = threading.Thread(target=work, name="stream")
    worker.start()
    until = None if seconds is None else time.monotonic() + seconds
    try:
        _show(worker, session.numbers.line, until, session.stop, form)
    finally:
        session.stop.set()
        worker.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    if failed:
        raise failed[0]


def _show(
    worker: threading.Thread, line_now: Callable[[], LiveLine], until: float | None, stop: threading.Event, form: Form
) -> None:
    """A line a second until the worker ends; on a terminal it is written over."""
    told: set[str] = set()
    is_terminal = complaints().is_terminal and form is Form.TABLE
    while worker.is_alive():
        worker.join(1.0)
        if until is not None and time.monotonic() >= until:
            stop.set()
        line = line_now()
        for lane, reason in line.stopped.items():
            if lane not in told:
                told.add(lane)
                complaints().print(f"[red]{lane} is not read on:[/red] {reason}", highlight=False)
        if form is Form.JSON:
            print(json.dumps(_as_json(line)), flush=True)
        elif is_terminal:
            sys.stderr.write("\r\x1b[2K" + _as_text(line))
            sys.stderr.flush()
        else:
            print(_as_text(line), file=sys.stderr, flush=True)
    if is_terminal:
        sys.stderr.write("\n")


def _as_text(line: LiveLine) -> str:
    age = "-" if line.gold_age_seconds is None else f"{line.gold_age_seconds:.1f} s"
    text = (
        f"{line.records_per_second:>9,.0f} records/s  lag {line.lag:,}  gold {age} old  "
        f"{line.quarantined:,} quarantined  {line.records:,} in {line.batches:,} batches  "
        f"{line.role} ({line.doing}, {line.lanes} lanes)"
    )
    return text if line.trouble is None else f"{text}  waits: {line.trouble}"


def _as_json(line: LiveLine) -> dict[str, object]:
    return {
        "at": time.time(),
        "records_per_second": round(line.records_per_second, 1),
        "lag": line.lag,
        "gold_age_seconds": None if line.gold_age_seconds is None else round(line.gold_age_seconds, 3),
        "quarantined": line.quarantined,
        "records": line.records,
        "batches": line.batches,
        "role": line.role,
        "doing": line.doing,
        "lanes": line.lanes,
        "stopped": dict(line.stopped),
        "trouble": line.trouble,
    }
