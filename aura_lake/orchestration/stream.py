"""`aura stream`: the live path as one rolling Dagster run, an hour each, in which every micro-batch shows.

The run is executed in a thread, so that the process's signals and its line on the terminal stay the command's.
"""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

import sys
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from dagster import Failure, JobDefinition, OpExecutionContext, in_process_executor, job, op

from aura_lake.errors import AuraError
from aura_lake.orchestration.instance import PROCESS_TAG, open_instance, prune_runs, settle_dead_runs, this_process
from aura_lake.orchestration.live_events import LiveEvents
from aura_lake.orchestration.live_loop import LiveLoop, Pace
from aura_lake.orchestration.live_numbers import LiveNumbers
from aura_lake.orchestration.run import QUIET_LOGS, load_definitions
from aura_lake.orchestration.telling import StepEvent, listening, telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.settings import Settings

STREAM = "stream"

#: Silver's thread gives up Python's lock hundreds of times a batch, and each time waits so long for one that builds
#: gold in plain Python; with the default of 5 ms the two take three times as long together.
SWITCH_SECONDS = 0.0005

#: A run is left, and the next begun, after this long: what the UI has to load of one stays small.
RUN_SECONDS = 3600.0


@dataclass
class Session:
    """One live process: when to stop, its numbers, and its pace."""

    stop: threading.Event = field(default_factory=threading.Event)
    numbers: LiveNumbers = field(default_factory=LiveNumbers)
    pace: Pace = field(default_factory=Pace)
    run_seconds: float = RUN_SECONDS
    runs: list[str] = field(default_factory=list)


_session: ContextVar[Session | None] = ContextVar("aura_stream_session", default=None)


def stream_job() -> JobDefinition:
    """The job `stream`: follows the feeds for an hour. `aura stream` runs it again and again."""

    @op(
        name="follow_feeds",
        required_resource_keys={BENCH},
        description="Lands what comes, and brings it to gold micro-batch by micro-batch.",
    )
    def follow_feeds(context: OpExecutionContext) -> None:
        bench: Workbench = getattr(context.resources, BENCH).renew()
        session = _session.get() or Session()
        with telling(context, "stream") as voice, LiveEvents(context) as events:
            loop = LiveLoop(bench, events, voice, session.numbers, session.pace)
            loop.run(session.stop, time.monotonic() + session.run_seconds)
            line = session.numbers.line()
            voice.done(f"{line.records:,} records in {line.batches:,} micro-batches", events=events.written)

    @job(
        name=STREAM,
        executor_def=in_process_executor,
        description="The live path: from a message to published gold within seconds. `aura stream` runs it.",
    )
    def stream() -> None:
        follow_feeds()

    return stream


def follow(settings: Settings, session: Session) -> None:
    """Run the job again and again until the session is stopped. Raises what made a run fail, in our own words where
    it is an error of ours."""
    sys.setswitchinterval(SWITCH_SECONDS)
    defs = load_definitions(settings)
    with open_instance(settings) as instance, listening(_nobody):
        settle_dead_runs(instance)
        while not session.stop.is_set():
            token = _session.set(session)
            try:
                result = defs.resolve_job_def(STREAM).execute_in_process(
                    instance=instance,
                    run_config=dict(QUIET_LOGS),
                    tags={PROCESS_TAG: this_process()},
                    raise_on_error=True,
                )
            except Failure as failure:
                if isinstance(failure.__cause__, AuraError):
                    raise failure.__cause__ from None
                raise
            finally:
                _session.reset(token)
            session.runs.append(result.run_id)
            prune_runs(instance)


def _nobody(event: StepEvent) -> None:
    """The live line shows the numbers; single steps are not told."""
