"""fakesnow's server in a process of its own, for the length of a block."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running() -> Iterator[int]:
    """A server in a process of its own; its port. It ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-m", "tests.services.fakesnow_server", str(port)]
    with subprocess.Popen(command, cwd=root) as server:
        try:
            _wait_until_it_answers(server, port)
            yield port
        finally:
            server.kill()


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"fakesnow ended with exit code {server.returncode} before it answered.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"fakesnow did not answer on port {port} within {seconds} seconds.")
