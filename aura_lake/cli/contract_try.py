"""`aura contract try`: what another contract would have done with what lies in bronze."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.contracts.tally import Tally
    from aura_lake.steps.contract_trial import ContractTrial

_DAYS = ["%Y-%m-%d"]

#: The columns of the table of rules.
COLUMNS = ("rule", "severity", "before", "now", "newly", "no_longer", "first")


def try_contract(
    file: Annotated[Path, typer.Argument(help="The contract to try.", show_default=False)],
    since: Annotated[
        datetime | None, typer.Option(formats=_DAYS, help="Records that landed on this day or later (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAYS, help="Records that landed on this day or before (UTC).")
    ] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Judge what lies in bronze by another contract, beside the one that stands; nothing is written.

    By rule: how many rows break it under either contract, and where the first is that breaks it newly. Says whether
    publication would be held back.

    Example: [bold]aura contract try yesterday/orders.odcs.yaml --since 2026-01-31[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.contract_trial import try_contract as tried

    lake = open_lake()
    with complaints().status("Judging …") as status:
        trial = tried(
            lake,
            file.resolve(),
            since=_day(since),
            until=_day(until),
            progress=lambda records: status.update(f"Judging … {records:,} records"),
        )
    told = _document(trial)
    if form is Form.JSON:
        show_json(told)
    elif form is Form.CSV:
        show_rows(COLUMNS, rule_rows(told), form)
    else:
        _tell(trial, told)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def rule_rows(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rules of a document as rows of `COLUMNS`."""
    return [(name, *(count[column] for column in COLUMNS[1:])) for name, count in told["rules"].items()]


def tally_document(tally: Tally, severity_of: dict[str, str]) -> dict[str, Any]:
    """A tally as JSON, each rule with what breaking it does."""
    told = tally.to_json()
    told["rules"] = {name: {"severity": severity_of.get(name, "quarantine"), **c} for name, c in told["rules"].items()}
    return told


def _document(trial: ContractTrial) -> dict[str, Any]:
    from aura_lake.contracts.tally import severities

    severity_of = {**severities(trial.standing), **severities(trial.contract)}
    return {
        "table": trial.contract.table,
        "file": str(trial.contract.path),
        "records": trial.records,
        **tally_document(trial.tally, {name: severity.value for name, severity in severity_of.items()}),
        "would_block": trial.blocks,
        "blocks_now": trial.blocked_before,
        "table_rules": [
            {"rule": r.rule.name, "severity": r.rule.severity.value, "passed": r.passed, "says": r.says}
            for r in trial.table_rules
        ],
        "untried": list(trial.untried),
        "seconds": round(trial.seconds, 2),
    }


def _tell(trial: ContractTrial, told: dict[str, Any]) -> None:
    from rich.markup import escape

    out = console()
    rows = rule_rows(told)
    if rows:
        show_rows(COLUMNS, rows, Form.TABLE, right=("before", "now", "newly", "no_longer"))
    beside = "no contract that stands" if trial.standing is None else f"version {trial.standing.version}"
    out.print(f"{told['units']:,} units of {told['records']:,} records under {escape(told['file'])}, beside {beside}:")
    out.print(f"  {told['would_pass']:,} that wait would pass, {told['would_wait']:,} that pass would wait.")
    if told["changed_values"]:
        values = ", ".join(f"{name} {count:,}" for name, count in told["changed_values"].items())
        out.print(f"  Other values in rows that pass under both: {escape(values)}.")
    for result in told["table_rules"]:
        if not result["passed"]:
            out.print(f"  {result['severity']}: {result['rule']}: {escape(result['says'])}")
    if told["untried"]:
        out.print(f"  Not tried, for want of rows under the new columns: {', '.join(told['untried'])}.")
    for reason in told["would_block"]:
        out.print(f"[red]Publication would be blocked[/red]: {escape(reason)}.")
    if not told["would_block"]:
        before = " (it is, for these rows, under the contract that stands)" if told["blocks_now"] else ""
        out.print(f"[green]Publication would not be blocked[/green]{before}.")
