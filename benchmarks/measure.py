"""Runs cases in fresh interpreters, one after the other in rounds, and takes medians.

In rounds, because a machine is never equally busy for long: what stands in one table was measured
side by side.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROUNDS = 3

#: Nothing may run longer.
TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Case:
    """A function `target(stopwatch, **arguments)`, which measures itself and returns what else it saw."""

    label: str
    target: str  #: "benchmarks.landing:aura"
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """Medians over all laps of a case. `facts`: what its last run saw, such as the rows it wrote."""

    label: str
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    laps: int
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One bar: `seen` must be at most `bar`."""

    what: str
    seen: float
    bar: float

    @property
    def holds(self) -> bool:
        """Whether the bar is kept."""
        return self.seen <= self.bar


@dataclass(frozen=True)
class Report:
    """What a benchmark found."""

    title: str
    figures: Sequence[Figure]
    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()


class CaseFailed(RuntimeError):
    """A case that ended with an error; its output is the message."""


def measure(cases: Sequence[Case], rounds: int = ROUNDS) -> list[Figure]:
    """The figure of each case, in the order given. Raises CaseFailed."""
    laps: dict[str, list[dict[str, float]]] = {case.label: [] for case in cases}
    facts: dict[str, dict[str, Any]] = {}
    for number in range(rounds):
        for case in cases:
            print(f"  round {number + 1} of {rounds}: {case.label}", file=sys.stderr, flush=True)
            answer = _run(case)
            laps[case.label].extend(answer["laps"])
            facts[case.label] = answer["facts"]
    return [_figure(case.label, laps[case.label], facts[case.label]) for case in cases]


def prepare(case: Case) -> None:
    """Run a case for what it leaves behind, in a process of its own, so that its memory is gone afterwards."""
    print(f"  prepare: {case.label}", file=sys.stderr, flush=True)
    _run(case)


def _run(case: Case) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.child", case.target, json.dumps(dict(case.arguments))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if ended.returncode != 0:
        raise CaseFailed(f"{case.label} ended with {ended.returncode}:\n{ended.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def _figure(label: str, laps: Sequence[Mapping[str, float]], facts: Mapping[str, Any]) -> Figure:
    def median(name: str) -> float:
        return statistics.median(lap[name] for lap in laps)

    return Figure(label, median("cpu_seconds"), median("wall_seconds"), median("peak_mb"), len(laps), facts)


def table(report: Report) -> str:
    """The report as plain text."""
    names = sorted({name for figure in report.figures for name in figure.facts})
    head = ["", "CPU s", "wall s", "peak MB", *names]
    rows = [
        [
            f.label,
            f"{f.cpu_seconds:.2f}",
            f"{f.wall_seconds:.2f}",
            f"{f.peak_mb:.0f}",
            *(_cell(f.facts.get(n)) for n in names),
        ]
        for f in report.figures
    ]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [report.title, ""]
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    lines.append("")
    for check in report.checks:
        word = "holds " if check.holds else "BROKEN"
        lines.append(f"{word}  {check.what}: {check.seen:,.2f} (at most {check.bar:g})")
    lines.extend(report.notes)
    return "\n".join(lines) + "\n"


def write_json(report: Report, path: Path) -> None:
    """The report for a program to read."""
    document = {
        "title": report.title,
        "figures": [asdict(figure) for figure in report.figures],
        "checks": [{**asdict(check), "holds": check.holds} for check in report.checks],
        "notes": list(report.notes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str("" if value is None else value)
