"""What is said of runs: which steps failed, what happened, what to do. Never a row.

Our own errors hold no values and are told whole; of anybody else's only the kind is told, since engines
print the values they stumble over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from dagster import DagsterEvent, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.dagster_run import RunRecord

from aura_lake.lake import Lake
from aura_lake.people.cause import Cause, Level, Look
from aura_lake.people.incident import State
from aura_lake.steps.heartbeats import beat, leave_at_exit
from aura_lake.steps.look_for_causes import look_for_causes
from aura_lake.steps.tell_people import Told, read_incidents, tell_people

#: Runs that are looked at for steps that have succeeded since they failed.
LOOKED_AT_RUNS = 50

#: How sources of runs begin: a step that succeeds is no longer a cause, in whatever job it did.
STEPS, RUNS = "steps/", "runs/"


def failures_of(events: Sequence[DagsterEvent], message: str = "") -> dict[str, str]:
    """What failed in a run, by step; `message` is told where no step failed, as when its process died."""
    failures = {event.step_key or "-": failure_text(event) for event in events if event.is_step_failure}
    if not failures and message:
        failures[""] = message.splitlines()[0]
    return failures


def failure_text(event: DagsterEvent) -> str:
    """What a failed step says of itself."""
    data = event.step_failure_data
    told = data.user_failure_data
    if told is not None and told.description:
        return str(told.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    kind = error.cls_name if error is not None and error.cls_name else "an error"
    return f"{kind}; the run's log has the whole."


def failure_line(run_id: str, job: str, failures: Mapping[str, str]) -> str:
    """A failed run in one line."""
    steps = "; ".join(f"{step}: {says}" if step else says for step, says in failures.items()) or "no step says why"
    return f"Run {run_id[:8]} of {job} failed. {steps}"


def look_at_run(
    lake: Lake, run_id: str, job: str, failures: Mapping[str, str], done: Collection[str], *, is_over: bool = True
) -> Look:
    """The causes in a run, and what it shows to be well: `done`, the steps that succeeded. `is_over`: whether the run
    as a whole says that the job works, which one that failed in a step does too."""
    owner = lake.shop.owners.get("default") or f"team:{lake.shop.id}"
    causes = []
    for step, says in failures.items():
        causes.append(
            Cause(
                kind="run_failed",
                source=f"{STEPS}{step}" if step else f"{RUNS}{job}",
                place=step or job,
                id="step" if step else "process",
                level=Level.ERROR,
                owner=owner,
                says=f"{step or job} failed: {says}",
                first_seen_at=datetime.now(UTC),
                changed=f"Last in run {run_id[:8]} of the job {job}.",
                impact=("everything below it stays as it was",),
                command="aura run",
                event=run_id,
            )
        )
    covers = {f"{STEPS}{step}" for step in [*done, *failures] if step}
    if is_over and "" not in failures:
        covers.add(f"{RUNS}{job}")
    return Look(tuple(causes), frozenset(covers))


def look_at_gold(lake: Lake, reason: str | None) -> Look:
    """Whether all of gold is held back, because one of its own tests fails."""
    if reason is None:
        return Look((), frozenset({"gold"}))
    cause = Cause(
        kind="gold_held",
        source="gold",
        place="gold",
        id="tests",
        level=Level.CRITICAL,
        owner=lake.shop.owners.get("gold") or lake.shop.owners.get("default") or f"team:{lake.shop.id}",
        says=f"gold is not published: {reason}",
        first_seen_at=datetime.now(UTC),
        changed="Readers see what was published before.",
        impact=("every gold model",),
        command="aura run",
    )
    return Look((cause,), frozenset({"gold"}))


def look_and_tell(lake: Lake, instance: DagsterInstance) -> Told:
    """Look for everything that is wrong, also whether steps that failed have succeeded since; and tell people."""
    look = look_for_causes(lake).and_also(look_at_steps(lake, instance))
    return tell_people(lake, look)


def look_at_steps(lake: Lake, instance: DagsterInstance) -> Look:
    """Which steps that people know to have failed have succeeded since; asks Dagster only where there are some."""
    open_ones = [
        incident
        for incident in read_incidents(lake).values()
        if incident.cause.kind == "run_failed" and (incident.state is not State.RESOLVED or incident.is_dismissed)
    ]
    if not open_ones:
        return Look((), frozenset())
    since = {incident.cause.source: incident.seen_at for incident in open_ones}
    covers: set[str] = set()
    over = RunsFilter(statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
    for record in instance.get_run_records(over, limit=LOOKED_AT_RUNS):
        for source, ended in _ended_well(instance, record):
            if source in since and ended > since[source]:
                covers.add(source)
    return Look((), frozenset(covers))


def sensor_lives(lake: Lake, name: str, every_seconds: float) -> None:
    """A sign of life of a sensor. Its process says when it ends in order, so that only one that dies is missed."""
    leave_at_exit(lake, f"sensor {name}")
    beat(lake, f"sensor {name}", every_seconds=every_seconds)


def was_mended(instance: DagsterInstance, run: DagsterRun, failures: Mapping[str, str]) -> bool:
    """Whether every step that failed in a run has succeeded in a later one: a failure that is heard late, as after
    the daemon was away, is nobody's concern any more."""
    record = instance.get_run_record_by_id(run.run_id)
    if record is None:
        return False
    over = RunsFilter(statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
    later = [r for r in instance.get_run_records(over, limit=LOOKED_AT_RUNS) if r.storage_id > record.storage_id]
    well = {source for newer in later for source, _ in _ended_well(instance, newer)}
    return all((f"{STEPS}{step}" if step else f"{RUNS}{run.job_name}") in well for step in failures)


def _ended_well(instance: DagsterInstance, record: RunRecord) -> list[tuple[str, datetime]]:
    """What succeeded in a run, as sources, and when."""
    run = record.dagster_run
    ended = [
        (f"{STEPS}{step.step_key}", step.end_time)
        for step in instance.get_run_step_stats(run.run_id)
        if step.status is not None and step.status.value == "SUCCESS" and step.end_time
    ]
    if run.status is DagsterRunStatus.SUCCESS and record.end_time:
        ended.append((f"{RUNS}{run.job_name}", record.end_time))
    return [(source, datetime.fromtimestamp(at, UTC)) for source, at in ended]
