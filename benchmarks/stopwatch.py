"""CPU seconds, wall seconds and peak memory of a stretch of work, child processes included.

Linux only: everything is read from `/proc`.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Lap:
    """What one stretch took."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float  #: this process's own peak plus that of its children


class Stopwatch:
    """`with stopwatch: work()` adds a lap. What stands before the block is not measured, though its memory is."""

    def __init__(self) -> None:
        self.laps: list[Lap] = []
        self._started = (0.0, 0.0)
        self._children_peak = 0
        self._stop = threading.Event()
        self._sampler: threading.Thread | None = None

    def __enter__(self) -> Stopwatch:
        _forget_peak()
        self._children_peak = 0
        self._stop.clear()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        self._started = (_cpu_seconds(), time.monotonic())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cpu, wall = _cpu_seconds() - self._started[0], time.monotonic() - self._started[1]
        self._stop.set()
        assert self._sampler is not None
        self._sampler.join()
        self.laps.append(Lap(cpu, wall, (_own_peak_bytes() + self._children_peak) / 1e6))

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._children_peak = max(self._children_peak, sum(_resident_bytes(p) for p in _descendants(os.getpid())))


def _cpu_seconds() -> float:
    """Of this process, of its children that ended, and of those that live (to a clock tick)."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(_stat_cpu_seconds(pid) for pid in _descendants(os.getpid()))
    return time.process_time() + ended.ru_utime + ended.ru_stime + alive


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    pending = [pid]
    while pending:
        for children in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            try:
                below = [int(word) for word in children.read_text().split()]
            except OSError:  # it ended meanwhile
                continue
            found.extend(below)
            pending.extend(below)
    return found


def _stat_cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its ended children (proc(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def _forget_peak() -> None:
    """Let the kernel's high-water mark of this process begin anew (proc(5), clear_refs)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except PermissionError:  # then the peak is that of the whole process, which is never lower
        return


def _own_peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
