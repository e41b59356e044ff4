"""What all services are: something to prepare, a command to run, a way to tell that it answers."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from aura_lake.errors import ServiceError
from aura_lake.services.daemon import Daemon
from aura_lake.services.site import HOST, Site, is_taken


@dataclass(frozen=True)
class Missing:
    """A program that has to be there first. `apt`: Debian's package; `go`: what `go install` takes."""

    program: str
    why: str
    apt: str = ""
    brew: str = ""
    go: str = ""


@dataclass(frozen=True)
class Standing:
    """How a service is. `state`: running, silent (it runs and does not answer), died (it was started, nobody
    ended it, and it is gone) or stopped. What is not known of a process that is gone is null."""

    name: str
    state: str
    log: Path
    pid: int | None = None
    address: str | None = None
    memory_bytes: int | None = None
    started_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {**asdict(self), "log": str(self.log)}


class Service(ABC):
    """One server. `needs`: services without which it cannot start; `patience_seconds`: how long a start may take."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    patience_seconds: ClassVar[float] = 60
    ending: ClassVar[signal.Signals] = signal.SIGTERM
    #: Sent by the kernel when the program that began it dies, where the site asks for that.
    orphaned: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, site: Site) -> None:
        self.site = site
        self.daemon = Daemon(self.name, site.root / "run")

    @abstractmethod
    def missing(self) -> list[Missing]:
        """Programs that have to be installed before it can run."""

    @abstractmethod
    def fetch(self) -> None:
        """Bring what it needs into the cache; nothing where it is there."""

    @abstractmethod
    def prepare(self) -> None:
        """Write its configuration, and make its data folder where there is none."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command of the server's own process, in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it answers in its own protocol: an open port alone is no answer."""

    @property
    @abstractmethod
    def address(self) -> str:
        """How a client names it."""

    @property
    def port_names(self) -> tuple[str, ...]:
        """The names of its ports; the one that clients use first."""
        return (self.name,)

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.site.ports[self.name]

    @property
    def folder(self) -> Path:
        """Its data and configuration."""
        return self.site.folder(self.name)

    def launcher(self) -> list[str]:
        """Words before the command. They tie its life to ours where the site asks for that: util-linux does it
        between fork and exec, where Python code had better not run."""
        tie = self.site.program("setpriv") if self.site.dies_with_us else None
        return [tie, "--pdeathsig", self.orphaned.name.removeprefix("SIG")] if tie else []

    def environment(self) -> Mapping[str, str]:
        """The environment of its process."""
        return self.site.environ

    def begin(self) -> bool:
        """Whether it had to be started; it does not answer yet. Raises ServiceError where its port is another's."""
        record = self.daemon.running()
        if record:
            if record.address != self.address:
                raise ServiceError(
                    f"{self.name} runs already, at {record.address} and not at {self.address}.",
                    fix=f"aura services down {self.name}; then start it where you want it.",
                )
            return False
        lacking = self.missing()
        if lacking:
            raise ServiceError(
                f"{self.name} needs {', '.join(one.program for one in lacking)}, which is not on this machine.",
                fix="`aura services up` tells how to install it, and does where it can.",
            )
        for name in self.port_names:
            if is_taken(self.site.ports[name]):
                raise ServiceError(
                    f"{self.name} is to listen on port {self.site.ports[name]}, and another program does.",
                    fix="Give it another (--port NAME=PORT), or let free ones be found: aura services up --free-ports.",
                )
        self.fetch()
        self.prepare()
        self.daemon.begin([*self.launcher(), *self.command()], self.address, self.environment())
        return True

    def wait(self) -> None:
        """Return as soon as it answers; raises ServiceError with the end of its log where it does not."""
        self.daemon.wait_until(self.answers, self.patience_seconds)

    def start(self) -> None:
        """Start it, on the data it has, and wait until it answers. Nothing where it runs."""
        self.begin()
        self.wait()

    def stop(self) -> bool:
        """Whether there was something to stop. Asks first, kills after a while."""
        return self.daemon.end(self.ending)

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing flushed. `start` begins it again on the same data."""
        self.daemon.kill()

    def look(self) -> Standing:
        """How it is now."""
        record, log = self.daemon.record(), self.daemon.log_file
        if record is None:
            return Standing(self.name, "stopped", log)
        started_at = datetime.fromtimestamp(record.started_at, UTC).replace(microsecond=0)
        if self.daemon.running() is None:
            return Standing(self.name, "died", log, address=record.address, started_at=started_at)
        state = "running" if self.answers() else "silent"
        memory = record.identity.memory_bytes()
        return Standing(self.name, state, log, record.pid, record.address, memory, started_at)


def loopback(port: int) -> str:
    """`127.0.0.1:PORT`."""
    return f"{HOST}:{port}"
