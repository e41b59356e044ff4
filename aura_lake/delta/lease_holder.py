"""Who holds the apply lease, as people read it and as it stands in the lease."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

#: The lease's name in the lake.
NAME = "apply.lease"


@dataclass(frozen=True)
class Holder:
    """Who applies, and since when."""

    pid: int
    host: str
    since: str
    command: str

    @staticmethod
    def here(command: str | None = None) -> Holder:
        """This process."""
        words = command or " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
        return Holder(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"), words)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.command}), since {self.since}"


def read_holder(text: bytes) -> Holder | None:
    """The holder in a lease's text; None while it is being written."""
    try:
        document = json.loads(text)
        return Holder(**{name: document[name] for name in ("pid", "host", "since", "command")})
    except (ValueError, KeyError, TypeError):
        return None
