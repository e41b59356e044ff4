"""The whole live chain on this machine: PostgreSQL, Debezium, Kafka, `aura stream`, and a shop that is alive.

What is measured is what stands afterwards: each change's commit time is in its row, each table's commits have theirs,
and what people see is watched from outside.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.places import PROJECT, fresh

TABLES = "users,products,orders,order_items,payments"

#: Partitions of the topics: three of each table, and three of clicks.
LANES = 18

#: The manifest is looked at this often: what people see is known to so many seconds.
WATCH_SECONDS = 0.05

#: Everything has to come to rest within so long after the shop has ended.
REST_SECONDS = 240.0


@dataclass
class Seen:
    """What was seen of one run: lines of the stream (one a second), and when which versions were shown."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    shown: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    begun: float = 0.0
    ended: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


class LiveChain:
    """The servers, a fresh database with the shop in it, and its connector."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        self.home, self.environ = home, dict(environ)

    @property
    def lake(self) -> Path:
        """The home of the lake."""
        return Path(self.environ["AURA_HOME"])

    def aura(self, *words: str) -> None:
        """Run a command to its end."""
        ended = subprocess.run(
            _command(words), env=self.environ, capture_output=True, text=True, cwd=PROJECT, check=False
        )
        if ended.returncode:
            raise RuntimeError(f"aura {' '.join(words)} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")

    def begin(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """Run a command beside us; what it says stands in `log`."""
        with log.open("wb") as out:
            return subprocess.Popen(
                _command(words), env=self.environ, cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT
            )

    def live(self, rate: int, clicks: int, seconds: int) -> Seen:
        """Let the shop live for so long while `aura stream` follows it, then let everything come to rest."""
        seen = Seen()
        log = self.home / f"stream-{rate}.log"
        stream = self.begin("stream", "--format", "json", log=log)
        try:
            with self._watching(seen, log):
                self.aura("simulate", "--live", "--rate", "20", "--clicks", "60", "--for", "10")  # every topic is made
                self._await(
                    seen, stream, lambda: bool(seen.shown) and _rests(seen) and seen.lines[-1]["lanes"] == LANES
                )
                seen.begun = time.time()
                self.aura("simulate", "--live", "--rate", str(rate), "--clicks", str(clicks), "--for", str(seconds))
                seen.ended = time.time()
                self._await(seen, stream, lambda: _rests(seen) and seen.shown[-1][0] > seen.ended)
        finally:
            stream.send_signal(signal.SIGTERM)
            _, status, usage = os.wait4(stream.pid, 0)
            stream.returncode = os.waitstatus_to_exitcode(status)
        if stream.returncode:
            raise RuntimeError(f"aura stream ended with {stream.returncode}:\n{log.read_text()[-3000:]}")
        seen.cpu_seconds, seen.peak_mb = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        return seen

    def _await(self, seen: Seen, stream: subprocess.Popen[bytes], is_so: Any) -> None:
        deadline = time.monotonic() + REST_SECONDS
        while not is_so():
            if stream.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"aura stream did not come to rest within {REST_SECONDS:.0f} s: {seen.lines[-1:]}")
            time.sleep(0.5)

    @contextmanager
    def _watching(self, seen: Seen, log: Path) -> Iterator[None]:
        """Note what is shown, and the stream's lines, until the block ends."""
        over = threading.Event()

        def watch() -> None:
            manifest, told, read = self.lake / "gold" / "_manifest.json", "", 0
            while not over.wait(WATCH_SECONDS):
                text = manifest.read_text() if manifest.exists() else ""
                if text != told:
                    told = text
                    seen.shown.append((time.time(), json.loads(text)["tables"]))
                whole, _, _ = log.read_text()[read:].rpartition("\n")
                read += len(whole)
                seen.lines += [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

        thread = threading.Thread(target=watch, name="watch")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def live_chain() -> Iterator[LiveChain]:
    """A chain of its own, its shop opened and captured; everything is gone afterwards."""
    from aura_lake.services.stack import Stack

    home = fresh("live")
    stack = Stack.below(home / "services", dies_with_us=True).with_free_ports()
    stack.up(["postgres", "kafka", "connect"])
    try:
        stack.postgres.create_database("mart")
        told = {
            "AURA_HOME": str(home / "lake"),
            "AURA_SHOP": str(_own_shop(home)),
            "AURA_ENV": "live",
            "AURA_POSTGRES_URL": stack.postgres.dsn("mart"),
            "AURA_CONNECT_URL": stack.connect.url,
            "KAFKA_BROKERS": stack.kafka.bootstrap,
        }
        chain = LiveChain(home, {**os.environ, **told})
        chain.aura("simulate", "--live", "--for", "0")
        chain.aura("source", "connect", "postgres", "--tables", TABLES, "--yes")
        yield chain
    finally:
        stack.down()


def _own_shop(home: Path) -> Path:
    """A copy of the demo shop's contracts: the connector's configuration is written beside them."""
    import shutil

    return Path(shutil.copytree(PROJECT / "shops" / "aura_mart", home / "shop"))


def _rests(seen: Seen) -> bool:
    """Whether nothing waits any more: no lag over three lines, and no new batch in them."""
    last = seen.lines[-3:]
    return len(last) == 3 and not any(line["lag"] for line in last) and len({line["batches"] for line in last}) == 1


def _command(words: Sequence[str]) -> list[str]:
    return [str(Path(sys.executable).with_name("aura")), *words]
