"""The apply lease of this process: taken once, whoever asks inside it gets it too.

A run that `aura run` drives holds the lease from its beginning; one that Dagster launches takes it op by op.
Both go through here, so that an op inside the first does not wait for its own process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aura_lake.delta.lease import ApplyLease, Holder
from aura_lake.lake import Lake

_guard = threading.RLock()
_held: dict[str, ApplyLease] = {}


@contextmanager
def applying(
    lake: Lake, on_wait: Callable[[Holder | None], None] | None = None, wait_seconds: float | None = None
) -> Iterator[ApplyLease]:
    """Apply changes to this lake: no other process does so inside the block. Waits, after naming the holder; no
    longer than `wait_seconds`, then it raises LeaseHeld.

    The lease is handed to the block: whoever applies for long asks it now and then whether it is still ours (`check`);
    on S3 a process that stood still for a while has lost it.
    """
    home = lake.settings.home
    with _guard:
        if home in _held:
            yield _held[home]
            return
        with ApplyLease(lake, on_wait=on_wait, wait_seconds=wait_seconds) as lease:
            _held[home] = lease
            try:
                yield lease
            finally:
                del _held[home]
