"""Connections that run random SQL at the same time, and go on when the database dies under them."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress

import psycopg

from tests.services.random_sql import RandomSql, Statement, Transaction

#: Seconds between two transactions of a connection.
REST_SECONDS = 0.012

#: Seconds after which a connection that could not be made is tried again.
AGAIN_SECONDS = 0.1


class Writers:
    """So many connections, each with a seeded stream of its own. Use it in a `with` block, whose end waits for the
    transactions that are open. `seen` counts statements by kind, of transactions that were committed; and `refused`,
    `rolled back`, `lost` (the connection broke; whether its transaction stands only the database knows)."""

    def __init__(self, url: str, seed: str, connections: int) -> None:
        self._url = url
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._failed: list[BaseException] = []
        self.seen: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._work, args=(RandomSql(f"{seed}/{number}"),), name=f"writer-{number}")
            for number in range(connections)
        ]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    def _work(self, transactions: RandomSql) -> None:
        connection: psycopg.Connection | None = None
        try:
            for transaction in transactions:
                if self._stop.wait(REST_SECONDS):
                    return
                connection = connection or self._connect()
                if connection is None:
                    continue
                try:
                    self._run(connection, transaction)
                except psycopg.Error as error:
                    if connection.broken or connection.closed:
                        self._count("lost")
                        connection.close()
                        connection = None
                        continue
                    if not isinstance(error, psycopg.errors.IntegrityError | psycopg.OperationalError):
                        raise  # a mistake of the generator, which would go unseen for ever
                    self._count("refused")
                    with suppress(psycopg.OperationalError):
                        connection.rollback()
        except BaseException as error:  # raised again by the thread that waits for us
            self._failed.append(error)
        finally:
            if connection is not None:
                connection.close()

    def _connect(self) -> psycopg.Connection | None:
        try:
            return psycopg.connect(self._url, options="-c lock_timeout=1s -c statement_timeout=10s", connect_timeout=3)
        except psycopg.OperationalError:
            self._stop.wait(AGAIN_SECONDS)
            return None

    def _run(self, connection: psycopg.Connection, transaction: Transaction) -> None:
        for statement in transaction.statements:
            if statement.pause:
                self._stop.wait(statement.pause)
            _execute(connection, statement)
        if transaction.is_kept:
            connection.commit()
            self._count(*(statement.kind for statement in transaction.statements))
        else:
            connection.rollback()
            self._count("rolled back")

    def _count(self, *kinds: str) -> None:
        with self._lock:
            self.seen.update(kinds)


def _execute(connection: psycopg.Connection, statement: Statement) -> None:
    with connection.cursor() as cursor:
        if not statement.rows:
            cursor.execute(statement.sql.encode())
            return
        with cursor.copy(statement.sql.encode()) as copy:
            for row in statement.rows:
                copy.write_row(row)
