"""`aura quarantine replay` and `discard`: what becomes of the rows that wait."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.decisions import Decision
    from aura_lake.lake import Lake
    from aura_lake.steps.rejudge import Rejudged
    from aura_lake.steps.replay import Chosen

TableArgument = Annotated[str, typer.Argument(help="The silver table.")]
RuleOption = Annotated[str | None, typer.Option(help="Only rows that broke this rule.")]
PlaceOption = Annotated[
    list[str] | None, typer.Option("--place", help="Only the record at this place, as `show` names it; repeatable.")
]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who decides; default: the user.")]
HandOverOption = Annotated[
    bool, typer.Option("--hand-over", help="Where a stream or a run applies: decide, and let it carry it out.")
]


def replay(
    table: TableArgument,
    rule: RuleOption = None,
    place: PlaceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would pass; write nothing.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; kept with the decision.")] = None,
    who: WhoOption = None,
    hand_over: HandOverOption = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Judge rows that wait again, from their records in bronze, under the contract as it is now.

    Each enters at its place in order, never over a newer version. A place that was discarded waits again. Repeated,
    it does nothing. Example: [bold]aura quarantine replay orders --rule order_amount_is_positive --dry-run[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.replay import WHY_REPLAYED, decide_replay, try_replay

    lake = open_lake()
    chosen = _chosen(lake, table, rule, place)
    if dry_run:
        with complaints().status(f"Judging what waits in {table} …"):
            found = try_replay(lake, chosen)
        _tell(table, rule, found, None, form)
        return
    why = reason or WHY_REPLAYED
    _carry_out(
        lake, chosen, hand_over, form, lambda: decide_replay(lake, chosen, who=who or getpass.getuser(), why=why)
    )


def discard(
    table: TableArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why they are given up; kept for ever.")],
    rule: RuleOption = None,
    place: PlaceOption = None,
    who: WhoOption = None,
    hand_over: HandOverOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Give rows that wait up. They stay in bronze, counted as discarded, also when the table is rebuilt.

    Example: [bold]aura quarantine discard orders --rule order_amount_is_positive --reason "test orders"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.replay import decide_discard

    lake = open_lake()
    chosen = _chosen(lake, table, rule, place)
    count = chosen.units(lake).height
    if count and not yes:
        typer.confirm(f"Give up {count:,} rows of {table}, for the reason {reason!r}?", abort=True, err=True)
    by = who or getpass.getuser()
    _carry_out(lake, chosen, hand_over, form, lambda: decide_discard(lake, chosen, who=by, why=reason))


def _chosen(lake: Lake, table: str, rule: str | None, place: list[str] | None) -> Chosen:
    from aura_lake.steps.replay import Chosen

    return Chosen(lake.contract(table), rule, tuple(place or ()))


def _carry_out(lake: Lake, chosen: Chosen, hand_over: bool, form: Form, decide: Callable[[], Decision | None]) -> None:
    """Take the lease, decide, carry it out, and tell; without the lease nothing is written, or only the decision."""
    from aura_lake.delta.lease import ApplyLease
    from aura_lake.errors import LeaseHeld
    from aura_lake.steps.replay import apply

    table = chosen.contract.table
    with ExitStack() as stack:
        try:
            stack.enter_context(ApplyLease(lake, command="aura quarantine", wait_seconds=0))
        except LeaseHeld as held:
            if not hand_over:
                raise LeaseHeld(
                    held.what,
                    fix="Nothing was decided. With --hand-over it is, and whoever applies now carries it out.",
                ) from held
            decision: Decision | None = decide()
            _tell_handed_over(table, decision, held.what, form)
            return
        decision = decide()
        if decision is None:
            _tell_nothing(table, form)
            return
        with complaints().status(f"Judging what waits in {table} …"):
            done = apply(lake, chosen.contract)
    _tell(table, chosen.rule, None if done is None else done.rejudged, decision, form)


def _tell(table: str, rule: str | None, found: Rejudged | None, decision: Decision | None, form: Form) -> None:
    """What was found, or would be where there is no decision; `found` None: the whole table was judged anew."""
    document: dict[str, Any] = {"table": table, "rule": rule, "decision": None if decision is None else decision.number}
    if found is not None:
        verdicts: dict[str, int] = {}
        for (was, verdict), count in found.verdicts.items():
            if was in ("quarantined", "discarded"):
                verdicts[verdict] = verdicts.get(verdict, 0) + count
        document |= {
            "units": sum(verdicts.values()),
            "passing": found.passing,
            "verdicts": dict(sorted(verdicts.items())),
            "still_waiting_by_rule": dict(found.rules.most_common()),
        }
    if form is Form.JSON:
        show_json(document)
        return
    if form is Form.CSV:
        show_rows(tuple(document), [tuple(document.values())], form)
        return
    if found is None:
        console().print(f"The contract changed what the table is: {table} was judged anew as a whole.")
    else:
        _tell_counts(document, decision)
    if decision is None:
        console().print(f"[dim]Nothing was written. aura quarantine replay {table} does it.[/dim]")
    else:
        console().print(
            f"[green]✓[/green] decision {decision.number}: {decision.kind}. [dim]aura run publishes it.[/dim]"
        )


def _tell_counts(document: dict[str, Any], decision: Decision | None) -> None:
    would = decision is None
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in document["verdicts"].items()) or "none"
    passing = f" {document['passing']:,} {'would wait' if would else 'wait'} no more."
    console().print(
        f"{document['units']:,} rows of {document['table']} {'would be' if would else 'were'} judged again: {told}."
        + ("" if decision is not None and decision.kind == "discard" else passing)
    )
    rules = list(document["still_waiting_by_rule"].items())
    if rules:
        console().print("What still waits breaks:")
        show_rows(("rule", "units"), rules, Form.TABLE, right=("units",))


def _tell_nothing(table: str, form: Form) -> None:
    if form is Form.JSON:
        show_json({"table": table, "decision": None, "units": 0})
    else:
        complaints().print(f"Nothing waits in {table} that this concerns; nothing was decided.")


def _tell_handed_over(table: str, decision: Decision | None, holder: str, form: Form) -> None:
    if decision is None:
        _tell_nothing(table, form)
    elif form is Form.JSON:
        show_json({"table": table, "decision": decision.number, "handed_over": True})
    else:
        console().print(
            f"[green]✓[/green] decision {decision.number}: {decision.kind}, handed over. [dim]{holder}[/dim]"
        )
