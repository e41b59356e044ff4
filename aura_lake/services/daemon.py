"""One server's process: begun in a session of its own, found again by its pid file, ended by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from aura_lake.errors import ServiceError
from aura_lake.services.identity import Identity

#: How often somebody looks whether a server answers, or has gone.
_GLANCE_SECONDS = 0.05

#: Processes begun by this very program: their corpses have to be fetched, or they stay in the process table.
_children: dict[Identity, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Record:
    """What the pid file says. `started_at` is in seconds since 1970, `born` as in `Identity`."""

    pid: int
    born: str
    address: str
    started_at: float

    @property
    def identity(self) -> Identity:
        """The process that was begun."""
        return Identity(self.pid, self.born)


class Daemon:
    """The process of the server `name`, whose pid file and log lie in `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.pid_file = folder / f"{name}.pid"
        self.log_file = folder / f"{name}.log"

    def begin(self, command: Sequence[str], address: str, environ: Mapping[str, str]) -> Record:
        """The process, begun and recorded; whether it will answer is not known yet.

        It has a session of its own: neither Ctrl-C nor the end of the terminal reaches it. The log of the run
        before is kept as `NAME.log.1`.
        """
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("wb") as log, _heeding_interrupts():
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, start_new_session=True
            )
        identity = Identity.of(process.pid)
        if identity is None:
            process.wait()
            raise ServiceError(f"{self.name} ended as soon as it was started.{self.last_words()}")
        _children[identity] = process
        record = Record(identity.pid, identity.born, address, time.time())
        draft = self.pid_file.with_suffix(".pid.part")
        draft.write_text(json.dumps(asdict(record)) + "\n")
        draft.replace(self.pid_file)
        return record

    def record(self) -> Record | None:
        """What was last begun and not ended by us; None where nothing was. A pid file that cannot be read is named."""
        try:
            text = self.pid_file.read_text()
        except FileNotFoundError:
            return None
        try:
            return Record(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ServiceError(
                f"{self.pid_file} is not a pid file of ours: {error}.",
                fix=f"Look for a running {self.name}, end it, and delete the file.",
            ) from error

    def running(self) -> Record | None:
        """The record of the process, where that very process still runs; a pid given to another program is not it."""
        record = self.record()
        return record if record and _is_alive(record.identity) else None

    def wait_until(self, answers: Callable[[], bool], patience_seconds: float) -> None:
        """Return as soon as it answers. Raises ServiceError with the log's end where it dies or stays silent."""
        begun = time.monotonic()
        while not answers():
            waited = time.monotonic() - begun
            if self.running() is None:
                raise ServiceError(f"{self.name} ended {waited:.1f} s after its start.{self.last_words()}")
            if waited > patience_seconds:
                raise ServiceError(f"{self.name} does not answer after {waited:.0f} s.{self.last_words()}")
            time.sleep(_GLANCE_SECONDS)

    def end(self, asking: signal.Signals = signal.SIGTERM, patience_seconds: float = 20) -> bool:
        """Whether there was a process to end. It is asked first; after `patience_seconds` it is killed."""
        record = self.running()
        if record is not None:
            family = (record.identity, *record.identity.descendants())
            _signal(record.identity, asking)
            if not _gone([record.identity], patience_seconds):
                for one in family:
                    _signal(one, signal.SIGKILL)
            if not _gone(family, patience_seconds):
                raise ServiceError(f"{self.name}: process {record.pid} does not even end when it is killed.")
        self.pid_file.unlink(missing_ok=True)
        return record is not None

    def kill(self) -> None:
        """End it, and all it began, as a power cut would: at once, without asking. The pid file stays, as it would."""
        record = self.running()
        if record is None:
            raise ServiceError(f"{self.name} does not run, so it cannot be killed.")
        family = (record.identity, *record.identity.descendants())
        for one in family:
            _signal(one, signal.SIGKILL)
        if not _gone(family, 20):
            raise ServiceError(f"{self.name}: process {record.pid} does not end when it is killed.")

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, as the end of an error's sentence."""
        try:
            text = self.log_file.read_bytes()[-20_000:].decode(errors="replace").rstrip()
        except FileNotFoundError:
            return f" It has no log at {self.log_file}."
        if not text:
            return f" Its log, {self.log_file}, is empty."
        return f" The end of {self.log_file}:\n" + "\n".join(text.splitlines()[-lines:])


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """Processes begun inside heed SIGINT, by which PostgreSQL is asked to end: a shell that put this program into
    the background had it ignored, and what is ignored is inherited."""
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not is_ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_alive(identity: Identity) -> bool:
    if identity.is_alive:
        return True
    child = _children.pop(identity, None)
    if child is not None:
        child.wait()
    return False


def _signal(identity: Identity, number: signal.Signals) -> None:
    """Send a signal to this process, and to no other that may have got its pid meanwhile."""
    if _is_alive(identity):
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


def _gone(identities: Sequence[Identity], patience_seconds: float) -> bool:
    deadline = time.monotonic() + patience_seconds
    while any(_is_alive(one) for one in identities):
        if time.monotonic() > deadline:
            return False
        time.sleep(_GLANCE_SECONDS)
    return True
