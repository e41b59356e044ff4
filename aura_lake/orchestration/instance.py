"""Dagster's own home in the state folder, and the truth about runs whose process died.

A run killed by SIGKILL stays STARTED in Dagster's storage for ever, holds its pools, and looks like a run
in progress to sensors. Every run remembers its process; the next one settles those whose process is gone.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from aura_lake.errors import LakeError
from aura_lake.settings import Settings

TEMPLATE = Path(__file__).parent / "dagster.yaml"

#: The run's process as `host:pid:started`.
PROCESS_TAG = "aura/process"

IN_PROGRESS = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)

#: Runs kept whatever their age, and days the others are kept.
KEEP_RUNS, KEEP_DAYS = 200, 30


def dagster_home(settings: Settings) -> Path:
    """The folder to use as DAGSTER_HOME, made with its dagster.yaml where it was absent."""
    home = settings.state / "dagster"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            temporary = home / f"dagster.yaml.{os.getpid()}.tmp"
            shutil.copyfile(TEMPLATE, temporary)
            temporary.replace(home / "dagster.yaml")
    except OSError as error:
        raise LakeError(
            f"{home}: Dagster's home cannot be written: {os.strerror(error.errno or 0)}.",
            fix="Point AURA_STATE at a folder you may write to.",
        ) from error
    return home


def open_instance(settings: Settings) -> DagsterInstance:
    """Dagster's storage of this lake: what the UI shows. dagster.yaml reads DAGSTER_HOME, as every command of
    Dagster does, so that a lake may be moved."""
    home = str(dagster_home(settings))
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = home
    try:
        return DagsterInstance.from_config(home)
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def this_process() -> str:
    """This process, told apart from a later one with the same number."""
    return _identity(os.getpid())


def remember_process(instance: DagsterInstance, run: DagsterRun) -> None:
    """Write this process on the run, however it was launched."""
    me = this_process()
    if run.tags.get(PROCESS_TAG) != me:
        standing = instance.get_run_by_id(run.run_id)
        if standing is not None and standing.tags.get(PROCESS_TAG) != me:
            instance.add_run_tags(run.run_id, {PROCESS_TAG: me})


def settle_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark runs of this machine failed whose process is gone, and free their pools; their ids."""
    settled = []
    for run in instance.get_runs(RunsFilter(statuses=list(IN_PROGRESS))):
        process = run.tags.get(PROCESS_TAG, "")
        if process.startswith(f"{socket.gethostname()}:") and not _lives(process):
            instance.report_run_failed(
                run, f"The process {process} ended without a word; the next run goes on from its commits."
            )
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            settled.append(run.run_id)
    return settled


def runs_in_progress(instance: DagsterInstance) -> Sequence[DagsterRun]:
    """Runs that wait or work now; dead ones are settled first."""
    settle_dead_runs(instance)
    return instance.get_runs(RunsFilter(statuses=list(IN_PROGRESS)))


def prune_runs(instance: DagsterInstance) -> int:
    """Forget old runs, which cost 200 KB each; the newest stay, and with them what the UI says of assets."""
    before = datetime.now(UTC) - timedelta(days=KEEP_DAYS)
    newest = {record.dagster_run.run_id for record in instance.get_run_records(limit=KEEP_RUNS)}
    old = instance.get_run_records(RunsFilter(created_before=before))
    doomed = [r.dagster_run for r in old if r.dagster_run.run_id not in newest and r.dagster_run.is_finished]
    for run in doomed:
        instance.delete_run(run.run_id)
    return len(doomed)


def _identity(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def _started(pid: int) -> str:
    """When a process began, in ticks since boot (proc(5), field 22); `dead` for one that only waits to be
    buried; empty where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "dead" if fields[0] == "Z" else fields[19]


def _lives(process: str) -> bool:
    pid = int(process.split(":")[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _identity(pid) == process
