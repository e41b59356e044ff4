"""The nightly upkeep as a job: every table of the lake, one after the other, under the lease."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator, Mapping, Sequence

from dagster import JobDefinition, OpExecutionContext, in_process_executor, job, op

from aura_lake.delta.documents import read_document
from aura_lake.delta.table import LakeTable
from aura_lake.delta.upkeep import keep_up
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.orchestration.instance import prune_runs, settle_dead_runs
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.steps.publish import MANIFEST

_GOLD = "gold."


def upkeep_job() -> JobDefinition:
    """The job `upkeep`."""

    @op(name="keep_tables_up", required_resource_keys={BENCH}, description="Compact, vacuum and checkpoint each table.")
    def keep_tables_up(context: OpExecutionContext) -> None:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, "upkeep") as voice, bench.applying(voice):
            pinned = pinned_versions(bench.lake)
            published = [name.removeprefix(_GOLD) for name in pinned if name.startswith(_GOLD)]
            compacted = 0
            for name, table in tables_of(bench, published):
                done = keep_up(table, pinned=pinned.get(name))
                compacted += done.files_after < done.files_before
                voice.say(
                    "progress", name, commits=done.commits, files_before=done.files_before,
                    files_after=done.files_after, vacuumed=done.vacuumed, seconds=round(done.seconds, 2),
                )  # fmt: skip
            settle_dead_runs(context.instance)
            voice.done(f"{compacted} tables compacted", runs_forgotten=prune_runs(context.instance))

    @job(name="upkeep", executor_def=in_process_executor, description="Keeps tables quick to open and to read.")
    def upkeep() -> None:
        keep_tables_up()

    return upkeep


def pinned_versions(lake: Lake) -> Mapping[str, int]:
    """The versions that people see, by table; their files stay whatever their age."""
    versions: Mapping[str, int] = (read_document(lake, MANIFEST) or {}).get("tables", {})
    return versions


def tables_of(bench: Workbench, models: Sequence[str]) -> Iterator[tuple[str, LakeTable]]:
    """Every Delta table of the lake by the name the published manifest gives it."""
    lake = bench.lake
    for feed in bench.shop.feeds:
        yield f"bronze.{feed}", lake.bronze(feed)
    for name, contract in bench.shop.contracts.items():
        yield f"silver.{name}_log", lake.log(contract)
        if is_folded(contract):
            yield f"silver.{name}", lake.current(contract)
            yield f"silver.{name}_history", lake.history(contract)
    yield "silver.order_touchpoints", lake.touchpoints()
    for model in models:
        yield f"{_GOLD}{model}", lake.gold(model)
