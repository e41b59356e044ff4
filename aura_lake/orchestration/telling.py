"""How a step tells what it does: to Dagster's log, to whoever listens in this process, and as errors.

Every hop says the same fields. A row is never said: rows are customers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from dagster import AssetCheckExecutionContext, AssetExecutionContext, Failure, OpExecutionContext, RetryRequested

from aura_lake.errors import AuraError, Transient
from aura_lake.orchestration.instance import remember_process

#: Progress of long work is said this often.
PROGRESS_SECONDS = 5.0

#: A transient error is tried again this often, waiting 2, 4 and 8 seconds.
MAX_RETRIES = 3

Context = AssetExecutionContext | OpExecutionContext | AssetCheckExecutionContext


@dataclass(frozen=True)
class StepEvent:
    """One line about a step. `state`: started, waiting, progress, done, held, retried or failed."""

    step: str
    state: str
    says: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[StepEvent], None]

_listener: ContextVar[Listener | None] = ContextVar("aura_listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Hear every step that runs in this process inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Telling:
    """The voice of one step."""

    def __init__(self, context: Context, step: str) -> None:
        self._context, self._step = context, step
        self._last = time.monotonic()

    def say(self, state: str, says: str, **facts: Any) -> None:
        """One line, to the run's log and to the listener."""
        said = " ".join([says, *(f"{name}={value}" for name, value in facts.items())])
        log = self._context.log
        (log.warning if state in ("waiting", "held", "retried") else log.info)(f"{self._step}: {said}")
        hear = _listener.get()
        if hear is not None:
            hear(StepEvent(self._step, state, says, facts))

    def progress(self, done: int, total: int) -> None:
        """How far the step is; said every few seconds only."""
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            self.say("progress", f"{done:,} of {total:,}")

    def done(self, says: str, **facts: Any) -> None:
        """The step's result."""
        self.say("done", says, **facts)


@contextmanager
def telling(context: Context, step: str) -> Iterator[Telling]:
    """A voice for a step, whose errors become Dagster's.

    Transient ones ask for a retry; others fail the step for good, with what happened and what to do.
    """
    remember_process(context.instance, context.run)
    voice = Telling(context, step)
    voice.say("started", "begins")
    try:
        yield voice
    except Transient as error:
        if context.retry_number < MAX_RETRIES:
            voice.say("retried", str(error))
            raise RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=2 << context.retry_number) from error
        voice.say("failed", str(error), fix=error.fix)
        raise _failure(error) from error
    except AuraError as error:
        voice.say("failed", error.what, fix=error.fix)
        raise _failure(error) from error


def _failure(error: AuraError) -> Failure:
    return Failure(
        description=str(error),
        metadata={"error": type(error).__name__, "what": error.what, "fix": error.fix or "-"},
        allow_retries=False,
    )
