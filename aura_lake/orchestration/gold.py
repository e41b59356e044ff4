"""How gold becomes assets: one op loads what silver changed, lets dbt build and test, and publishes.

The models are published together, so that readers see tables that belong together: choosing one of them
brings all up to date and reports the others beside it. A table that is held back holds exactly the models
below it, at their last good batch; checks say so, and never stop the rest.
"""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    TableColumn,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
    multi_asset,
)

from aura_lake.orchestration import describe
from aura_lake.orchestration.gold_lineage import gold_lineage
from aura_lake.orchestration.gold_models import GoldModels, ModelTest
from aura_lake.orchestration.gold_refresh import GoldRefresh, refresh_gold
from aura_lake.orchestration.manifest import fingerprint, read_project
from aura_lake.orchestration.reporting import report
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench

if TYPE_CHECKING:
    from aura_lake.warehouse.dbt_runner import TestResult

#: The check of every model that says whether what people see is the newest.
NOT_HELD = "publication_is_not_held"

_STATUS_FAILED = ("fail", "error")


def gold_assets(bench: Workbench) -> AssetsDefinition:
    """Every model of the dbt project that people see."""
    models = GoldModels(read_project(bench))

    @multi_asset(
        name="gold",
        specs=list(_specs(bench, models)),
        check_specs=[*_test_specs(models.tests()), *_held_specs(models)],
        can_subset=True,
        pool="gold",
        required_resource_keys={BENCH},
    )
    def build_gold(context: AssetExecutionContext) -> Iterator[Any]:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, "gold") as voice, bench.applying(voice):
            done = refresh_gold(bench, models, voice)
            facts = gold_facts(bench, models, done)
        yield from report(context, facts)
        chosen = {(check.asset_key, check.name) for check in context.selected_asset_check_keys}
        for result in gold_results(models, done):
            if (result.asset_key, result.check_name) in chosen:
                yield result

    return build_gold


def _specs(bench: Workbench, models: GoldModels) -> Iterator[AssetSpec]:
    shop = bench.shop
    for name, node in models.marts.items():
        tables, marts = models.reads(name)
        there = [table for table in tables if _has(bench, table)]
        yield AssetSpec(
            describe.gold_key(name),
            deps=[*map(describe.silver_key, there), *map(describe.gold_key, marts)],
            group_name="gold",
            kinds={"dbt", "delta", bench.settings.warehouse},
            description=" ".join(str(node["description"]).split()),
            owners=describe.owners(shop, shop.owners.get("gold")),
            tags={"aura/model": name},
            metadata={
                **describe.place(bench.settings, "gold", name),
                "dagster/column_schema": _schema(node, {}),
                "sql": f"dbt/{node['original_file_path']}",
            },
            code_version=models.code_versions[name],
            freshness_policy=describe.freshness(),
        )


def _has(bench: Workbench, table: str) -> bool:
    """Whether the shop fills a silver table that gold reads."""
    if table == "order_touchpoints":
        return "orders" in bench.shop.contracts
    return table.removesuffix("_history") in bench.shop.contracts


def _test_specs(tests: list[ModelTest]) -> Iterator[AssetCheckSpec]:
    for test in tests:
        severity = "warn" if test.is_warning else "block"
        yield AssetCheckSpec(
            test.name,
            asset=describe.gold_key(test.model),
            description=test.description,
            metadata={"severity": severity, "engine": "dbt"},
        )


def _held_specs(models: GoldModels) -> Iterator[AssetCheckSpec]:
    for name in models.marts:
        says = "What people see is what was last built; where a table above is held back, the last good batch stays."
        yield AssetCheckSpec(NOT_HELD, asset=describe.gold_key(name), description=says, metadata={"severity": "block"})


def gold_results(models: GoldModels, done: GoldRefresh) -> Iterator[AssetCheckResult]:
    """What gold's checks found: dbt's tests that ran, and whether each model is held back."""
    yield from _test_results(models.tests(), done)
    yield from _held_results(models, done)


def _test_results(tests: list[ModelTest], done: GoldRefresh) -> Iterator[AssetCheckResult]:
    """Results of the tests that ran; those of held models did not."""
    ran: Mapping[str, TestResult] = {test.name: test for test in done.tests}
    for test in tests:
        result = ran.get(test.name)
        if result is None or result.status == "skipped":
            continue
        yield AssetCheckResult(
            asset_key=describe.gold_key(test.model),
            check_name=test.name,
            passed=result.status == "pass",
            severity=AssetCheckSeverity.ERROR if result.status in _STATUS_FAILED else AssetCheckSeverity.WARN,
            description=f"{result.failures} rows break it." if result.failures else None,
            metadata={"rows": result.failures, "status": result.status, "seconds": round(result.seconds, 3)},
        )


def _held_results(models: GoldModels, done: GoldRefresh) -> Iterator[AssetCheckResult]:
    for name in models.marts:
        reason = done.held.get(name)
        yield AssetCheckResult(
            asset_key=describe.gold_key(name),
            check_name=NOT_HELD,
            passed=reason is None,
            severity=AssetCheckSeverity.ERROR,
            description=reason,
            metadata={"published_at": done.published_at or "never"},
        )


def gold_facts(bench: Workbench, models: GoldModels, done: GoldRefresh) -> dict[AssetKey, dict[str, Any]]:
    """What is told of the models that are not held back: rows, version, columns and their lineage."""
    shown = [name for name in models.marts if name not in done.held]
    if not shown:
        return {}
    state = bench.settings.state / "dbt"
    traced = gold_lineage(
        bench.gold.compiled_path, bench.settings.warehouse, state / "column_lineage.json", fingerprint(bench)
    )
    told = {}
    for name in shown:
        table = bench.lake.gold(name)
        files = table.files()
        types = dict(table.scan().collect_schema()) if table.exists else {}
        lineage = {
            column: [TableColumnDep(describe.silver_key(t), c) for t, c in deps if _has(bench, t)]
            for column, deps in traced.get(name, {}).items()
        }
        told[describe.gold_key(name)] = {
            **describe.counted(
                int(files["num_records"].sum()),
                written=done.written.get(name, 0),
                published_at=done.published_at,
                version=table.version,
                seconds=done.seconds_of.get(name),
            ),
            "dagster/column_schema": _schema(models.marts[name], {c: describe.type_name(t) for c, t in types.items()}),
            "dagster/column_lineage": TableColumnLineage({c: deps for c, deps in lineage.items() if deps}),
        }
    return told


def _schema(node: Mapping[str, Any], types: Mapping[str, str]) -> TableSchema:
    """The published columns in dbt's order; their types are known once they were published."""
    columns = [column for name, column in node["columns"].items() if not name.startswith("_")]
    return TableSchema(
        [TableColumn(c["name"], types.get(c["name"], "?"), description=c["description"] or None) for c in columns]
    )
