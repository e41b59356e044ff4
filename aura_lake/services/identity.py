"""Which process a pid means: a number is given again when its process has gone, a birth is not."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """One process for all time. `born` tells it from an earlier or later holder of the same pid."""

    pid: int
    born: str

    @staticmethod
    def of(pid: int) -> Identity | None:
        """The process that has this pid now; None where there is none, or only its corpse waits to be fetched."""
        born = _born_by_proc(pid) if (_PROC / "self").exists() else _born_by_ps(pid)
        return Identity(pid, born) if born else None

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def memory_bytes(self) -> int | None:
        """Memory of the process and all it began; None where it has gone."""
        if not self.is_alive:
            return None
        mine, *others = [_memory_bytes(pid) for pid in (self.pid, *(child.pid for child in self.descendants()))]
        return None if mine is None else mine + sum(size for size in others if size is not None)

    def descendants(self) -> tuple[Identity, ...]:
        """The processes that it and its children began and that still run, the oldest first."""
        children: dict[int, list[int]] = {}
        for pid, parent in _parents():
            children.setdefault(parent, []).append(pid)
        found, waiting = [], [self.pid]
        while waiting:
            below = sorted(children.get(waiting.pop(0), ()))
            waiting += below
            found += [one for pid in below if (one := Identity.of(pid))]
        return tuple(found)


def _born_by_proc(pid: int) -> str | None:
    """Boot and clock tick at which it began (proc(5): field 3 is the state, field 22 the start)."""
    fields = _proc_fields(pid)
    if not fields or fields[0] in "ZX":
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[19]}"


def _proc_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second holds the program's name, blanks and all."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _born_by_ps(pid: int) -> str | None:
    state, _, started = _ps("-o", "stat=,lstart=", "-p", str(pid)).strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _memory_bytes(pid: int) -> int | None:
    """Resident memory; on Linux pages that processes share count once, in parts ("proportional set size")."""
    if (_PROC / "self").exists():
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # gone, or another user's
            return None
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
    told = _ps("-o", "rss=", "-p", str(pid)).strip()
    return int(told) * 1024 if told else None


def _parents() -> list[tuple[int, int]]:
    """(pid, pid of its parent) of every process of the machine."""
    if (_PROC / "self").exists():
        pids = [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]
        return [(pid, int(fields[1])) for pid in pids if (fields := _proc_fields(pid))]
    lines = (line.split() for line in _ps("-A", "-o", "pid=,ppid=").splitlines())
    return [(int(pid), int(parent)) for pid, parent in lines]


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
