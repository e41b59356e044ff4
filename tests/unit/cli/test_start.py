"""Commands that look start at once, because they import little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.cli.conftest import Shell

#: Each costs more than all the time there is.
HEAVY = {"dagster", "polars", "pyarrow", "pandas", "dbt", "sqlglot", "boto3", "dataframely"}

LOADED = """
import sys
from aura_lake.cli.app import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words",
    [["--help"], ["status"], ["query", "select * from silver.things"], ["why", "a"]],
    ids=lambda words: words[0],
)
def test_a_command_that_looks_imports_nothing_heavy(aura: Shell, words: list[str]) -> None:
    assert aura("status")[0] == 0  # keeps the digest of the contracts
    ended = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    loaded = set(ended.stderr.strip().splitlines()[-1].strip("[]").replace("'", "").split(", "))
    assert "typer" in loaded
    assert not loaded & HEAVY
