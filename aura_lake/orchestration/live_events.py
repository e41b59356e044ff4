"""What a live process tells Dagster of each micro-batch, written by a thread of its own.

An event costs some 20 ms of Dagster's storage; rows do not wait for it. Every event is of a commit that stands
already, so one that a killed process could not write any more is told by the next batch's numbers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetKey,
    AssetMaterialization,
    MaterializeResult,
    OpExecutionContext,
)

#: Events that may wait to be written; whoever brings more waits too, so that memory is bounded.
WAITING_EVENTS = 2_000


class LiveEvents:
    """Events of one rolling run; use it in a `with` block, whose end waits for the last one."""

    def __init__(self, context: OpExecutionContext) -> None:
        self._context = context
        self._queue: queue.Queue[AssetMaterialization | AssetCheckEvaluation | None] = queue.Queue(WAITING_EVENTS)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="live-events", daemon=True)
        self.written = 0

    def __enter__(self) -> LiveEvents:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()

    def materialized(self, told: Mapping[AssetKey, Mapping[str, Any]], batch: int) -> None:
        """These assets were made by the micro-batch of this number."""
        for key, facts in told.items():
            self._put(AssetMaterialization(asset_key=key, metadata={**facts, "micro_batch": batch}))

    def tell(self, result: Any, batch: int) -> None:
        """What an asset's op would have yielded."""
        if isinstance(result, MaterializeResult):
            assert result.asset_key is not None
            self.materialized({AssetKey.from_coercible(result.asset_key): result.metadata or {}}, batch)
        else:
            self.checked([result])

    def checked(self, results: Iterable[AssetCheckResult]) -> None:
        """These checks were judged."""
        for result in results:
            assert result.asset_key is not None
            assert result.check_name is not None
            self._put(
                AssetCheckEvaluation(
                    asset_key=result.asset_key,
                    check_name=result.check_name,
                    passed=result.passed,
                    severity=result.severity,
                    description=result.description,
                    metadata=result.metadata or {},
                )
            )

    def _put(self, event: AssetMaterialization | AssetCheckEvaluation) -> None:
        if self._error is not None:
            raise self._error
        self._queue.put(event)

    def _write(self) -> None:
        while (event := self._queue.get()) is not None:
            if self._error is not None:
                continue  # the reader of the queue must not block its writer, which raises the error
            try:
                # Checks too: its annotation forgets them (dagster 1.13).
                self._context.log_event(event)  # type: ignore[arg-type]
                self.written += 1
            except BaseException as error:  # told by the thread that works, at its next event
                self._error = error
