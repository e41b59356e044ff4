"""Every check was seen failing: the code is broken on purpose in a copy, and the suite must notice."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.sabotages import SABOTAGES, Sabotage

PROJECT = Path(__file__).resolve().parents[2]
COPIED = (
    "aura_lake",
    "assets",
    "sensors",
    "dbt",
    "shops",
    "tests",
    "definitions.py",
    "workspace.yaml",
    "pyproject.toml",
)


def chosen() -> list[Sabotage]:
    """All of them, or AURA_SABOTAGES of them picked by AURA_SEED."""
    count = int(os.environ.get("AURA_SABOTAGES", len(SABOTAGES)))
    return random.Random(int(os.environ.get("AURA_SEED", "0"))).sample(SABOTAGES, min(count, len(SABOTAGES)))


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_a_sabotage_still_has_its_place(sabotage: Sabotage) -> None:
    text = (PROJECT / sabotage.file).read_text()
    assert sabotage.before in text, f"{sabotage.file} changed: say anew how to sabotage it"


@pytest.mark.sabotage
@pytest.mark.parametrize("sabotage", chosen(), ids=lambda sabotage: sabotage.name)
def test_the_suite_notices(sabotage: Sabotage, tmp_path: Path, shared_data: Path) -> None:
    copy = tmp_path / "project"
    copy.mkdir()
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
        else:
            shutil.copy(source, copy / name)
    target = copy / sabotage.file
    target.write_text(target.read_text().replace(sabotage.before, sabotage.after))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *sabotage.caught_by]
    environment = {**os.environ, "PYTHONPATH": str(copy), "AURA_TEST_DATA": str(shared_data)}
    run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 1, f"{sabotage.name}: the tests did not fail ({run.returncode})\n{run.stdout[-2000:]}"
