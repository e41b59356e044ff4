"""`aura run`: the job `everything`, once, in this process, seen in the UI like any other run.

Definitions are loaded as Dagster loads them: the project's own definitions.py, so that assets a person adds
there run too.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from dagster import AssetKey, AssetSelection, Definitions, ExecuteInProcessResult

from aura_lake.delta.lease import Holder
from aura_lake.errors import LakeError, QueryError
from aura_lake.orchestration.alerts import failure_text
from aura_lake.orchestration.applying import applying
from aura_lake.orchestration.instance import PROCESS_TAG, open_instance, settle_dead_runs, this_process
from aura_lake.orchestration.jobs import EVERYTHING
from aura_lake.orchestration.telling import Listener, StepEvent, listening
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.settings import Settings

#: Run configuration that keeps Dagster's own lines about every step out of the terminal; the listener has ours.
QUIET_LOGS: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class RunOutcome:
    """What one run did.

    `failed`: by op, what happened and what to do; `done`: the ops that succeeded; `blocked`: tables that are not
    published, with the reason (`gold`: all of it, because a dbt test fails); `broken_checks`: those of severity
    ERROR; `settled`: runs found dead at the start.
    """

    success: bool
    run_id: str
    failed: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepEvent, ...] = ()
    blocked: Mapping[str, str] = field(default_factory=dict)
    broken_checks: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


def run_once(settings: Settings, select: str | None = None, on_event: Listener | None = None) -> RunOutcome:
    """Bring everything up to date, or what `select` chooses (Dagster's selection syntax).

    `on_event` hears a line a step while it runs. A failing step does not raise: it is in the outcome.
    Raises ContractError where the shop is wrong, QueryError where `select` chooses nothing.
    """
    heard: list[StepEvent] = []

    def hear(event: StepEvent) -> None:
        heard.append(event)
        if on_event is not None:
            on_event(event)

    defs = load_definitions(settings)
    chosen = None if select is None else _chosen(defs, select)
    bench = _bench(defs)
    with open_instance(settings) as instance, listening(hear):
        settled = settle_dead_runs(instance)
        with applying(bench.lake, on_wait=lambda holder: hear(_waiting(holder))):
            result = defs.resolve_job_def(EVERYTHING).execute_in_process(
                instance=instance,
                asset_selection=chosen,
                run_config=dict(QUIET_LOGS),
                tags={PROCESS_TAG: this_process()},
                raise_on_error=False,
            )
    return _outcome(result, heard, settled)


def load_definitions(settings: Settings) -> Definitions:
    """The project's definitions.py, read for these settings."""
    file = settings.project / "definitions.py"
    if not file.is_file():
        raise LakeError(f"{file}: there is no such file.", fix="Set AURA_PROJECT to a clone of the project.")
    spec = importlib.util.spec_from_file_location(f"aura_definitions_{uuid4().hex[:8]}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(settings.project) not in sys.path:
        sys.path.insert(0, str(settings.project))
    with _environment(settings):
        spec.loader.exec_module(module)
    defs = module.defs
    assert isinstance(defs, Definitions)
    return defs


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """The environment that gives these settings, while definitions.py reads it."""
    named = {
        **settings.environ,
        "AURA_PROJECT": str(settings.project),
        "AURA_HOME": settings.home,
        "AURA_STATE": str(settings.state),
        "AURA_SHOP": str(settings.shop),
        "AURA_WAREHOUSE": settings.warehouse,
        "AURA_ENV": settings.environment,
    }
    before = dict(os.environ)
    os.environ.update(named)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _waiting(holder: Holder | None) -> StepEvent:
    who = holder or "another process"
    return StepEvent("run", "waiting", f"waits for {who}, which applies changes to this lake")


def _bench(defs: Definitions) -> Workbench:
    bench = (defs.resources or {})[BENCH]
    assert isinstance(bench, Workbench)
    return bench


def _chosen(defs: Definitions, select: str) -> list[AssetKey]:
    graph = defs.resolve_asset_graph()
    keys = sorted(AssetSelection.from_string(select).resolve(graph))
    if not keys:
        raise QueryError(
            f"--select {select!r} chooses none of the {len(list(graph.get_all_asset_keys()))} assets.",
            fix="Name keys or groups, with what is above or below: 'group:gold', 'key:\"silver/orders\"+'.",
        )
    return keys


def _outcome(result: ExecuteInProcessResult, heard: list[StepEvent], settled: list[str]) -> RunOutcome:
    failed = {event.step_key or "-": failure_text(event) for event in result.all_events if event.is_step_failure}
    done = tuple(event.step_key or "-" for event in result.all_events if event.is_step_success)
    checks = result.get_asset_check_evaluations()
    broken = sorted(
        f"{check.asset_key.to_user_string()}: {check.check_name}" for check in checks
        if not check.passed and check.severity.value == "ERROR"
    )  # fmt: skip
    blocked: dict[str, str] = {}
    for event in heard:
        if event.state == "held" and (table := event.facts.get("table")):
            reason = event.says.removeprefix(f"{table} is not published: ")
            blocked[table] = f"{blocked[table]} {reason}" if table in blocked else reason
    return RunOutcome(result.success, result.run_id, failed, tuple(heard), blocked, tuple(broken), tuple(settled), done)
