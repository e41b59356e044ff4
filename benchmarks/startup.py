"""Start-up: what a person waits for. `aura --help`, and `query`, `status` and `why` on the demo's lake; the demo.

The demo is run once, into a lake of its own, from installed to answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Case, Check, Report, measure
from benchmarks.places import PROJECT, bench_home, fresh
from benchmarks.stopwatch import Stopwatch

COMMAND_BAR_SECONDS, DEMO_BAR_SECONDS, DEMO_BAR_MB = 0.7, 90, 1_500
RUNS = 5
ANSWER = "select device_os, sum(net_revenue) as revenue from gold.fct_sales_revenue group by 1 order by 2 desc"


def run(scale: str, *, spark: bool) -> Report:
    """The demo once, then each command five times on its lake."""
    demo = measure([Case("aura demo", "benchmarks.startup:demo")], rounds=1)
    commands = {
        "aura --help": ["--help"],
        "aura status": ["status"],
        "aura query": ["query", ANSWER],
        "aura why": ["why", _an_order()],
    }
    cases = [Case(label, "benchmarks.startup:command", {"words": words}) for label, words in commands.items()]
    figures = measure(cases, rounds=1)
    checks = [Check(f"{figure.label}, wall s", figure.wall_seconds, COMMAND_BAR_SECONDS) for figure in figures]
    checks += [
        Check("aura demo, wall s", demo[0].wall_seconds, DEMO_BAR_SECONDS),
        Check("aura demo, peak MB", demo[0].peak_mb, DEMO_BAR_MB),
    ]
    return Report("From a command to its answer", [*demo, *figures], checks)


def demo(stopwatch: Stopwatch) -> dict[str, Any]:
    """`aura demo` into an empty home."""
    fresh("demo").rmdir()
    with stopwatch:
        _aura(["demo"])
    return {}


def command(stopwatch: Stopwatch, words: list[str]) -> dict[str, Any]:
    """One command on the demo's lake, after one that read its files into the machine's cache."""
    _aura(words)
    for _ in range(RUNS):
        with stopwatch:
            _aura(words)
    return {}


def _an_order() -> str:
    sql = "select order_id from gold.fct_orders order by ordered_at desc limit 1"
    answer = json.loads(_aura(["query", sql, "--format", "json"]))
    rows = answer["rows"] if isinstance(answer, dict) else answer
    first = rows[0]
    return str(first["order_id"] if isinstance(first, dict) else first[0])


def _aura(words: list[str]) -> str:
    command = Path(sys.executable).with_name("aura")
    ended = subprocess.run(
        [command, *words], env=_environment(), cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise RuntimeError(
            f"aura {words[0]} ended with {ended.returncode}:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
        )
    return ended.stdout


def _environment() -> Mapping[str, str]:
    """The environment without what would point the demo elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURA_")}
    return {
        **kept,
        "AURA_HOME": str(bench_home() / "scratch" / "demo"),
        "AURA_MART_DATA": str(bench_home() / "scratch" / "demo-landing"),
    }
