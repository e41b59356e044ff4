"""Dagster's storage with kept connections: the same files, read and written by either."""

from __future__ import annotations

from pathlib import Path

from dagster import DagsterInstance, asset, materialize
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from aura_lake.orchestration.instance import open_instance
from aura_lake.orchestration.storage import OPEN_FILES, KeptEventLogStorage
from tests.graph.tiny import CONTRACTS, settings_for


@asset
def one() -> None:
    """An asset to materialize."""


def runs_of(instance: DagsterInstance) -> list[str]:
    return [record.run_id for record in instance.fetch_materializations(one.key, limit=100).records]


def test_dagster_itself_reads_what_it_stored(tmp_path: Path) -> None:
    settings = settings_for(CONTRACTS, tmp_path / "lake", {})
    with open_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, KeptEventLogStorage)
        run = materialize([one], instance=instance).run_id
        logs = len(instance.all_logs(run))
    plain = DagsterSqliteStorage(str(settings.state / "dagster"))
    assert len(plain.event_log_storage.get_logs_for_run(run)) == logs
    assert [record.run_id for record in plain.event_log_storage.fetch_materializations(one.key, limit=5).records] == [
        run
    ]


def test_it_keeps_a_few_files_open_and_no_more(tmp_path: Path) -> None:
    with open_instance(settings_for(CONTRACTS, tmp_path / "lake", {})) as instance:
        runs = [materialize([one], instance=instance).run_id for _ in range(OPEN_FILES + 2)]
        storage = instance.event_log_storage
        assert isinstance(storage, KeptEventLogStorage)
        assert len(storage._engines) == OPEN_FILES
        assert set(runs_of(instance)) == set(runs)
        assert instance.all_logs(runs[0])


def test_a_forgotten_run_is_gone(tmp_path: Path) -> None:
    with open_instance(settings_for(CONTRACTS, tmp_path / "lake", {})) as instance:
        first, second = (materialize([one], instance=instance).run_id for _ in range(2))
        instance.delete_run(first)
        assert runs_of(instance) == [second]
