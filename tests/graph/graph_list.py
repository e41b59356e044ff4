"""The graph of the demo shop as plain lists: assets with what they are made from, checks, jobs, automation.

python -m tests.graph.graph_list        writes golden.json anew; read the difference before you commit it
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from dagster import Definitions

from aura_lake.orchestration.run import load_definitions
from tests.graph.tiny import PROJECT, settings_for

GOLDEN = Path(__file__).with_name("golden.json")
MART = PROJECT / "shops" / "aura_mart"


def list_graph(defs: Definitions) -> dict[str, Any]:
    """Names only; everything in order."""
    graph = defs.resolve_asset_graph()
    checks: dict[str, list[str]] = {}
    for check in sorted(graph.asset_check_keys, key=lambda check: (check.asset_key, check.name)):
        checks.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    return {
        "assets": {
            key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": checks,
        "jobs": sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")),
        "schedules": {schedule.name: schedule.cron_schedule for schedule in defs.schedules or []},
        "sensors": sorted(sensor.name for sensor in defs.sensors or []),
    }


def main() -> None:
    """Write the golden list."""
    with tempfile.TemporaryDirectory() as folder:
        graph = list_graph(load_definitions(settings_for(MART, Path(folder), {})))
    GOLDEN.write_text(json.dumps(graph, indent=2) + "\n")


if __name__ == "__main__":
    main()
