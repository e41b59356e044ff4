"""The graph of Aura Lake: what exists. How each part is made stands in `aura_lake/orchestration`.

One code location for one lake; the environment (AURA_HOME, AURA_SHOP, …) says which.
"""

from __future__ import annotations

from pathlib import Path

from dagster import Definitions, in_process_executor

from assets.bronze import bronze_assets
from assets.discovery import discovery_assets
from assets.gold import gold_assets
from assets.silver import silver_assets, silver_checks
from aura_lake.orchestration.jobs import asset_jobs
from aura_lake.orchestration.quarantine import quarantine_jobs
from aura_lake.orchestration.snowflake_resource import warehouse_resources
from aura_lake.orchestration.stream import stream_job
from aura_lake.orchestration.upkeep_job import upkeep_job
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.settings import Settings
from sensors.alerts import people_are_told, run_failures
from sensors.discovery import unnamed_places
from sensors.kafka import topic_lag
from sensors.objects import new_objects
from sensors.schedules import schedules

settings = Settings.from_environment(cwd=Path(__file__).parent)
bench = Workbench.open(settings)

defs = Definitions(
    assets=[*bronze_assets(bench), *silver_assets(bench), *gold_assets(bench), *discovery_assets(bench)],
    asset_checks=silver_checks(bench),
    jobs=[*asset_jobs(), *quarantine_jobs(), upkeep_job(), stream_job()],
    schedules=schedules(bench),
    sensors=[new_objects(bench), topic_lag(bench), unnamed_places(bench), run_failures(bench), people_are_told(bench)],
    resources={BENCH: bench, **warehouse_resources(settings)},
    executor=in_process_executor,
)
