"""Where benchmarks keep what they generate and write."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def bench_home() -> Path:
    """The folder of all benchmarks: AURA_BENCH, else one in the machine's temporary folder."""
    return Path(os.environ.get("AURA_BENCH") or Path(tempfile.gettempdir()) / "aura-benchmarks")


def fresh(name: str) -> Path:
    """An empty scratch folder of that name."""
    folder = bench_home() / "scratch" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
