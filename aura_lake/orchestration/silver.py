"""How a silver table becomes assets: one op judges, folds, and reports log, state, history and quarantine."""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator
from typing import Any

import polars as pl
from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, AssetSpec, multi_asset

from aura_lake.contracts.contract import Contract, Shop
from aura_lake.contracts.verdicts import rejudged_units, standing_rows
from aura_lake.delta.table import LakeTable
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.orchestration import describe
from aura_lake.orchestration.quarantine import rule_counts
from aura_lake.orchestration.reporting import report
from aura_lake.orchestration.rule_checks import row_rule_results, row_rule_specs
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.settings import Settings
from aura_lake.steps.fold import FoldReport, fold, versions
from aura_lake.steps.judge import JudgeReport, judge


def silver_table(settings: Settings, shop: Shop, known: Contract) -> AssetsDefinition:
    """The assets of one table, made by one op whatever of them a run chooses."""
    table = known.table

    @multi_asset(
        name=f"silver_{table}",
        specs=list(_specs(settings, shop, known)),
        check_specs=row_rule_specs(known),
        can_subset=True,
        pool=f"silver_{table}",
        required_resource_keys={BENCH},
    )
    def refresh_table(context: AssetExecutionContext) -> Iterator[Any]:
        bench: Workbench = getattr(context.resources, BENCH)
        contract = bench.renew().shop.contracts[table]  # a patch may have been approved since this was loaded
        with telling(context, f"judge {table}") as voice, bench.applying(voice):
            judged = judge(bench.lake, contract, progress=voice.progress)
            if judged.carried_out is not None:
                voice.say("progress", judged.carried_out.says)
            voice.done(
                _verdicts(judged), batches=f"{judged.from_batch}..{judged.to_batch}", seconds=round(judged.seconds, 2)
            )
        folded = None
        if is_folded(contract):
            with telling(context, f"fold {table}") as voice, bench.applying(voice):
                folded = fold(bench.lake, contract)
                voice.done(
                    f"{folded.changes:,} changes of {folded.keys:,} keys",
                    batches=f"{folded.from_batch}..{folded.to_batch}", held_back=folded.held_back,
                    seconds=round(folded.seconds, 2),
                )  # fmt: skip
        yield from report(context, silver_facts(bench.lake, contract, judged, folded))
        chosen = {check.name for check in context.selected_asset_check_keys}
        yield from (result for result in row_rule_results(bench.lake, contract) if result.check_name in chosen)

    return refresh_table


def _specs(settings: Settings, shop: Shop, contract: Contract) -> Iterator[AssetSpec]:
    table, log = contract.table, describe.silver_key(f"{contract.table}_log")
    history = describe.silver_key(f"{table}_history")

    def spec(name: str, upstream: AssetKey, says: str, schema: Any) -> AssetSpec:
        return AssetSpec(
            describe.silver_key(name),
            deps=[upstream],
            group_name="silver",
            kinds={"delta", "polars"},
            description=says,
            owners=describe.owners(shop, contract.owner),
            tags={"aura/table": table, "aura/kind": contract.kind.value},
            metadata={**describe.place(settings, "silver", name), "dagster/column_schema": schema},
            code_version=contract.version,
            freshness_policy=describe.freshness(contract if name == table else None),
        )

    purpose = contract.description or f"The table {table}."
    yield spec(
        f"{table}_log",
        describe.bronze_key(contract.feed),
        f"Every record of {contract.feed} as the contract of {table} judges it, with its verdict.",
        describe.log_schema(contract),
    )
    if is_folded(contract):
        yield spec(
            f"{table}_history",
            log,
            f"Every version of every row of {table}, deleted ones too, and from when to when it held.",
            describe.table_schema(contract, history=True),
        )
    yield spec(table, history if is_folded(contract) else log, purpose, describe.table_schema(contract))
    yield spec(
        f"{table}_quarantine",
        log,
        f"The records that wait because they broke a rule of {table}, with position and rules; a view of the log.",
        describe.log_schema(contract),
    )


def silver_facts(
    lake: Lake, contract: Contract, judged: JudgeReport, folded: FoldReport | None, *, counted: bool = True
) -> dict[AssetKey, dict[str, Any]]:
    """What is told of a table's assets after judging and folding: rows, verdicts, watermarks, column lineage.

    `counted` is false where nothing may be read for it that grows with the table: versions are not counted then."""
    table, log = contract.table, lake.log(contract)
    log_key, history_key = describe.silver_key(f"{table}_log"), describe.silver_key(f"{table}_history")
    told = {
        log_key: {
            **describe.counted(
                _files_rows(log),
                read=judged.rows_in,
                watermark=judged.to_batch,
                judged_again=judged.carried_out.units if judged.carried_out else None,
                broken_rules=judged.rules or None,
                seconds=round(judged.seconds, 3),
                **(describe.in_shadow(judged.shadow) if judged.shadow else {}),
                **dict(sorted(judged.verdicts.items())),
            ),
            "dagster/column_lineage": describe.log_lineage(contract),
        },
        describe.silver_key(f"{table}_quarantine"): {
            **describe.counted(_standing(log, "quarantined"), new=judged.verdicts.get("quarantined", 0)),
            **(rule_counts(lake, contract) if counted else {}),
            "dagster/column_lineage": describe.same_columns(contract, log_key),
        },
    }
    if folded is None:
        told[describe.silver_key(table)] = {
            **describe.counted(_standing(log, "valid"), new=judged.verdicts.get("valid", 0), watermark=judged.to_batch),
            "dagster/column_lineage": describe.same_columns(contract, log_key),
        }
        return told
    facts = {
        "watermark": folded.to_batch,
        "changes": folded.changes,
        "keys": folded.keys,
        "held_back": folded.held_back,
        "seconds": round(folded.seconds, 3),
    }
    told[history_key] = {
        **(describe.counted(_versions(lake, contract), **facts) if counted else facts),
        "dagster/column_lineage": describe.same_columns(contract, log_key),
    }
    told[describe.silver_key(table)] = {
        **describe.counted(_files_rows(lake.current(contract)), **facts),
        "dagster/column_lineage": describe.same_columns(contract, history_key),
    }
    return told


def _versions(lake: Lake, contract: Contract) -> int:
    return int(versions(lake.history(contract), []).select(pl.len()).collect().item())


def _verdicts(judged: JudgeReport) -> str:
    if not judged.verdicts:
        return "nothing new"
    return ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(judged.verdicts.items()))


def _files_rows(table: LakeTable) -> int:
    """All rows of a table, from the Delta log alone."""
    return int(table.files()["num_records"].sum())


def _standing(log: LakeTable, outcome: str) -> int:
    """The rows of an outcome whose judgement counts; from the Delta log alone where none was judged twice."""
    files = log.files()
    if rejudged_units(log).is_empty() and "partition.outcome" in files.columns:
        return int(files.filter(pl.col("partition.outcome") == outcome)["num_records"].sum())
    return int(standing_rows(log, [outcome]).select(pl.len()).collect().item())
