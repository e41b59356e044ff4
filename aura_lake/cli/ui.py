"""`aura ui`: the Dagster UI on this lake."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where it listens, on this machine alone.")] = 3_000,
) -> None:
    """Open the Dagster UI on this lake: lineage, checks, materializations, sensors.

    Example: [bold]aura ui --port 3001[/bold]
    """
    from aura_lake.cli.opening import read_settings
    from aura_lake.cli.output import complaints
    from aura_lake.orchestration.instance import dagster_home

    settings = read_settings()
    home = dagster_home(settings)
    complaints().print(f"The Dagster UI of {settings.home}: http://127.0.0.1:{port} (Ctrl-C ends it)")
    os.chdir(settings.project)
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    os.execve(sys.executable, command, {**settings.environ, "DAGSTER_HOME": str(home)})
