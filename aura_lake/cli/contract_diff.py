"""`aura contract diff`: what another contract changes, and what that reaches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.contracts.contract import Contract
    from aura_lake.contracts.difference import Change
    from aura_lake.settings import Settings

_STYLES = {"breaking": "red", "widening": "yellow", "safe": "green"}


def diff(
    old: Annotated[Path, typer.Argument(help="A contract or a folder of them; with --installed the new one.")],
    new: Annotated[Path | None, typer.Argument(help="The contract or folder it is to become.")] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Compare with the shop as it holds now, approved patches included.")
    ] = False,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 1 where a change is that heavy: breaking or widening.")
    ] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Each change from one contract to another: breaking, widening or safe, and what it reaches downstream.

    A file that lies in no shop is read in the place of the contract that AURA_SHOP has for its table.

    Example: [bold]aura contract diff --installed orders.odcs.yaml --fail-on breaking[/bold]
    Example: [bold]aura contract diff shops/aura_mart ../branch/shops/aura_mart --format json[/bold]
    """
    from aura_lake.cli.opening import read_settings
    from aura_lake.contracts.difference import Weight, changes_between
    from aura_lake.errors import ContractError

    if (new is None) is not installed:
        raise typer.BadParameter("Name two contracts, or one and --installed.")
    if fail_on not in (None, Weight.BREAKING, Weight.WIDENING):
        raise typer.BadParameter("--fail-on is breaking or widening.")
    settings = read_settings()
    after = _contracts(settings, old if new is None else new)
    before = _installed(settings) if new is None else _contracts(settings, old)
    if not (old if new is None else new).is_dir():
        before = {table: contract for table, contract in before.items() if table in after}
    elif not old.is_dir():
        raise ContractError(f"{old} is a file and {new} a folder.", fix="Compare two files or two folders.")
    changes = changes_between(before, after)
    told = _told(settings, changes)
    if form is Form.JSON:
        show_json({"changes": told, "counts": {w.value: sum(c.weight is w for c in changes) for w in Weight}})
    elif form is Form.CSV:
        show_rows(tuple(told[0]) if told else (), [tuple(each.values()) for each in told], form)
    else:
        _show(told)
    heavy = {Weight.BREAKING} if fail_on == Weight.BREAKING else {Weight.BREAKING, Weight.WIDENING}
    if fail_on is not None and any(change.weight in heavy for change in changes):
        raise typer.Exit(1)


def _contracts(settings: Settings, place: Path) -> dict[str, Contract]:
    from aura_lake.contracts.beside import contracts_at

    return contracts_at(place, settings.shop, settings.environment, settings.environ)[1]


def _installed(settings: Settings) -> dict[str, Contract]:
    from aura_lake.cli.opening import open_lake

    return dict(open_lake(settings).shop.contracts)


def _told(settings: Settings, changes: list[Change]) -> list[dict[str, Any]]:
    from aura_lake.drift.reach import made_from
    from aura_lake.orchestration.kept import read_kept
    from aura_lake.steps.downstream import impact_of_table, models_from

    models = models_from(settings.project)
    lineage = read_kept(settings.state / "column_lineage.json").get("models", {})
    told = []
    for change in changes:
        reaches = made_from([(change.table, name) for name in change.columns], models, lineage)
        if change.is_whole:
            reaches = [f"silver.{change.table}", *impact_of_table(models, change.table)]
        what = {"table": change.table, "what": change.what, "weight": change.weight.value, "says": change.says}
        told.append({**what, "reaches": reaches})
    return told


def _show(told: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    for each in told:
        style = _STYLES[each["weight"]]
        says = escape(f"{each['table']}.{each['what']}: {each['says']}")
        console().print(f"[{style}]{each['weight']:<8}[/{style}]  {says}")
        if each["reaches"]:
            console().print(f"[dim]          reaches {escape(', '.join(each['reaches']))}[/dim]")
    counts = {weight: sum(each["weight"] == weight for each in told) for weight in _STYLES}
    console().print(", ".join(f"{count} {weight}" for weight, count in counts.items()) if told else "Nothing changes.")
