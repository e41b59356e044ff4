"""Redis, which hands out work when runs are spread over processes (Celery)."""

from __future__ import annotations

import socket
from typing import ClassVar

from aura_lake.services.service import Missing, Service, loopback
from aura_lake.services.site import HOST

#: The line of releases that is tried: Debian 12's.
VERSION = "7"


class Redis(Service):
    """A server that keeps what it holds in a file when it ends."""

    name: ClassVar[str] = "redis"
    patience_seconds: ClassVar[float] = 30

    @property
    def url(self) -> str:
        """What clients are given."""
        return f"redis://{loopback(self.port)}/0"

    @property
    def address(self) -> str:
        """The same."""
        return self.url

    def missing(self) -> list[Missing]:
        """The server's program."""
        if self.site.program("redis-server"):
            return []
        return [Missing("redis-server", "hands out work to Celery's workers", apt="redis-server", brew="redis")]

    def fetch(self) -> None:
        """Nothing: the system's packages have it."""

    def prepare(self) -> None:
        """Its settings. A path in double quotes may hold blanks."""
        (self.folder / "redis.conf").write_text(
            f'bind {HOST}\nport {self.port}\nunixsocket ""\ndaemonize no\ndir "{self.folder}"\n'
            f"appendonly {'yes' if self.site.is_durable else 'no'}\n"
        )

    def command(self) -> list[str]:
        """The server, in the foreground."""
        return [self.site.program("redis-server") or "redis-server", str(self.folder / "redis.conf")]

    def answers(self) -> bool:
        """Whether it answers PING with PONG; while it still reads its file it answers otherwise."""
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as wire:
                wire.sendall(b"PING\r\n")
                return wire.recv(64).startswith(b"+PONG")
        except OSError:
            return False
