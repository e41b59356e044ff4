"""What a run says while it works: a line for each step that is done, and what it is at now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from aura_lake.cli.output import complaints

if TYPE_CHECKING:
    from rich.status import Status

_MARKS = {"done": "[green]✓[/green]", "failed": "[red]✗[/red]", "held": "[yellow]‖[/yellow]"}


class Event(Protocol):
    """A line about a step, as the orchestration says it."""

    @property
    def step(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def says(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


@contextmanager
def step_lines() -> Iterator[Callable[[Event], None]]:
    """A listener that prints to standard error, with a spinner on a terminal."""
    with complaints().status("Starting …") as status:
        yield _Lines(status)


class _Lines:
    def __init__(self, status: Status) -> None:
        self._status = status
        self._begun: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        from rich.markup import escape

        if event.state == "started":
            self._begun[event.step] = time.monotonic()
            self._status.update(f"{escape(event.step)} …")
            return
        if event.state == "progress":
            self._status.update(f"{escape(event.step)}: {escape(event.says)}")
            return
        seconds = time.monotonic() - self._begun.get(event.step, time.monotonic())
        mark = _MARKS.get(event.state, "[yellow]…[/yellow]")
        complaints().print(f"{mark} {escape(event.step):<28} {escape(event.says)} [dim]{seconds:.1f} s[/dim]")
