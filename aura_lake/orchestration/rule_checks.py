"""A contract's rules as asset checks: what each found, in counts.

They report and never stop anything: a broken rule of severity block is an ERROR here, and what holds
publication back is `blocked_tables`, read by whoever publishes.
"""

# No `from __future__ import annotations`: Dagster looks at the annotation of `context` itself.

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    multi_asset_check,
)

from aura_lake.contracts.contract import Contract, Severity, Shop
from aura_lake.contracts.rule_list import counts_by_rule, row_rules
from aura_lake.lake import Lake
from aura_lake.orchestration import describe
from aura_lake.orchestration.telling import telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.steps.blocks import check_table_rules, spent_budget, waiting_by_rule, warned_by_rule

#: The check of a contract's error budget.
BUDGET = "error_budget_is_kept"


def row_rule_specs(contract: Contract) -> list[AssetCheckSpec]:
    """One check for each rule a record can break, and one for the error budget."""
    key = describe.silver_key(contract.table)
    specs = [
        AssetCheckSpec(rule.name, asset=key, description=rule.description, metadata={"severity": rule.severity.value})
        for rule in row_rules(contract)
    ]
    if contract.error_budget is not None:
        says = f"Of no day's records more than {contract.error_budget:.2%} wait in quarantine."
        specs.append(AssetCheckSpec(BUDGET, asset=key, description=says, metadata={"severity": "block"}))
    return specs


def row_rule_results(lake: Lake, contract: Contract) -> Iterator[AssetCheckResult]:
    """How many rows of the table as it stands break each rule: waiting ones, or warned ones that passed."""
    key = describe.silver_key(contract.table)
    waiting = counts_by_rule(contract, waiting_by_rule(lake, contract))
    warned = counts_by_rule(contract, warned_by_rule(lake, contract))
    for rule in row_rules(contract):
        found = warned[rule.name] if rule.severity is Severity.WARN else waiting[rule.name]
        yield AssetCheckResult(
            asset_key=key,
            check_name=rule.name,
            passed=found == 0,
            severity=_severity(rule.severity),
            description=f"{found} rows break it." if found else "No row breaks it.",
            metadata={"rows": found, "severity": rule.severity.value},
        )
    if contract.error_budget is not None:
        day, bad, judged = spent_budget(lake, contract) or ("-", 0, 0)
        yield AssetCheckResult(
            asset_key=key,
            check_name=BUDGET,
            passed=judged == 0 or bad / judged <= contract.error_budget,
            severity=AssetCheckSeverity.ERROR,
            metadata={"worst_day": day, "quarantined": bad, "judged": judged, "budget": contract.error_budget},
        )


def table_rule_checks(shop: Shop, contract: Contract) -> AssetChecksDefinition | None:
    """One op that judges a contract's table rules after every table they look at; None where it has none."""
    rules = contract.table_rules
    if not rules:
        return None
    key = describe.silver_key(contract.table)
    specs = [
        AssetCheckSpec(
            rule.name,
            asset=key,
            description=rule.description or None,
            additional_deps=_other_tables(shop, contract, rule.references),
            metadata={"severity": rule.severity.value},
        )
        for rule in rules
    ]

    @multi_asset_check(
        name=f"silver_{contract.table}_table_rules",
        specs=specs,
        can_subset=True,
        required_resource_keys={BENCH},
    )
    def judge_rules(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, f"check {contract.table}") as voice:
            results = check_table_rules(bench.lake, contract, rules)
            voice.done(f"{sum(not r.passed for r in results)} of {len(results)} table rules are broken")
        chosen = {check.name for check in context.selected_asset_check_keys}
        for result in results:
            if result.rule.name in chosen:
                yield AssetCheckResult(
                    asset_key=key,
                    check_name=result.rule.name,
                    passed=result.passed,
                    severity=_severity(result.rule.severity),
                    description=result.says,
                    metadata={
                        "rows": result.rows,
                        "offenders": result.offenders,
                        "severity": result.rule.severity.value,
                    },
                )

    return judge_rules


def _other_tables(shop: Shop, contract: Contract, references: str | None) -> Sequence[AssetKey]:
    table = (references or "").partition(".")[0]
    return [describe.silver_key(table)] if table in shop.contracts and table != contract.table else []


def _severity(severity: Severity) -> AssetCheckSeverity:
    return AssetCheckSeverity.ERROR if severity is Severity.BLOCK else AssetCheckSeverity.WARN
