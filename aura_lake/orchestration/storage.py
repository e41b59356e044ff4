"""Dagster's SQLite storage with its connections kept open.

As it comes, Dagster makes an engine and opens a file for every event it stores, and a run of this graph
stores about 700: seven seconds of a run in which nothing is new. With the engines kept it is one. The files
are the same; either storage reads what the other wrote. Dagster is pinned, and a test of this file fails
where a newer one opens its connections in another way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

#: Files kept open: the index, the run that writes, and a few that the UI reads.
OPEN_FILES = 8

BUSY_TIMEOUT_SECONDS = 60


class KeptEventLogStorage(SqliteEventLogStorage):
    """The event log, one file a run and one index, each with an engine that stays."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    @property
    def supports_asset_checks(self) -> bool:
        """True: files of this version have the table. Dagster looks for it at every event."""
        return True

    def dispose(self) -> None:
        """Close every file."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()

    def delete_events(self, run_id: str) -> None:
        """Forget a run, and close its file first."""
        with self._db_lock:
            engine = self._engines.pop(run_id, None)
            if engine is not None:
                engine.dispose()
        super().delete_events(run_id)

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None)
        if engine is None:
            timeout = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = create_engine(
                self.conn_string_for_shard(shard), poolclass=QueuePool, pool_size=1, connect_args=timeout
            )
            event.listen(engine, "connect", _write_without_waiting)
        self._engines[shard] = engine
        while len(self._engines) > OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return engine


class LocalStorage(DagsterSqliteStorage):
    """Runs, events and ticks in SQLite files under `base_dir`, where Dagster itself puts them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = KeptEventLogStorage(str(Path(base_dir, "history", "runs")))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> LocalStorage:
        """As dagster.yaml says."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _write_without_waiting(connection: Any, record: Any) -> None:
    """No fsync for each event: what a power failure could take is what the UI says, never a row."""
    connection.execute("PRAGMA synchronous=NORMAL")
