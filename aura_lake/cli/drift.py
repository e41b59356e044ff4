"""`aura drift`: fields that changed, the patches that would read them, and what people decide of these."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.decisions import Decision
    from aura_lake.lake import Lake
    from aura_lake.steps.drift_kept import Drift

app = typer.Typer(no_args_is_help=True, help="Fields that changed at their producers, and what to do about it.")

_Id = Annotated[str, typer.Argument(help="The finding, as `aura drift list` names it.")]
_Why = Annotated[str, typer.Option("--reason", help="Why; kept for ever.")]
_Who = Annotated[str | None, typer.Option("--who", help="Who decides; default: the user.")]
_HandOver = Annotated[
    bool, typer.Option("--hand-over", help="Where another process applies, let it carry this out with its next turn.")
]

#: The columns of `aura drift list`.
COLUMNS = ("id", "feed", "says", "stands", "confidence", "state", "waiting", "since", "hash")


@app.callback()
def _drift() -> None:
    """Fields that changed at their producers, and what to do about it."""


@app.command("list")
def list_drifts(
    everything: Annotated[bool, typer.Option("--all", help="Decided and noted ones too.")] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """What drifted and waits for a decision.

    Example: [bold]aura drift list[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.drift_kept import drifts

    found = [drift for drift in drifts(open_lake()) if everything or drift.is_open or drift.state == "snoozed"]
    if form is Form.JSON:
        show_json([_document(drift) for drift in found])
        return
    rows = [_row(drift) for drift in found]
    if form is Form.CSV or rows:
        show_rows(COLUMNS, rows, form, right=("confidence", "waiting"), styles={"stands": "yellow"})
    if form is Form.TABLE:
        told = (
            f"aura drift show {found[0].id} tells all of the first."
            if rows
            else "[green]Nothing waits for a decision.[/green]"
        )
        console().print(f"[dim]{told}[/dim]")


@app.command()
def show(drift: _Id, form: FormOption = Form.TABLE) -> None:
    """One finding: its evidence, its patch, the patch tried on every row that it concerns, and what it reaches.

    Example: [bold]aura drift show 91aa635e[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.drift_decide import drift_named
    from aura_lake.steps.drift_people import sample

    lake = open_lake()
    found = drift_named(lake, drift)
    before, after = sample(lake, found) if found.is_open else ({}, {})
    tried = {"trials": _trials(lake, found), "sample": {"before": before, "after": after}}
    document = {**_document(found), **tried, "reaches": _reaches(lake, found)}
    if form is Form.TABLE:
        _tell(document)
    else:
        show_json(document)


@app.command()
def approve(
    drift: _Id,
    hash: Annotated[
        str | None, typer.Option("--hash", help="The hash of the patch you saw, at least 8 digits; asked for else.")
    ] = None,
    reason: _Why = "The proposal is right.",
    who: _Who = None,
    hand_over: _HandOver = False,
) -> None:
    """Let a finding's patch hold: rows that waited for it are judged again at once, and enter at their place.

    The approval names the hash of one patch; where the patch has changed since, nothing is decided.

    Example: [bold]aura drift approve 91aa635e --hash 8f31c2aa[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps import drift_decide

    lake = open_lake()
    found = drift_decide.drift_named(lake, drift)
    if hash is None and found.finding.patch is not None:
        _tell({**_document(found), "reaches": _reaches(lake, found)})
        typer.confirm(f"Approve the patch {found.finding.patch.hash[:12]}?", abort=True, err=True)
        hash = found.finding.patch.hash
    _decide_and_apply(
        lake, lambda: drift_decide.approve(lake, found, hash or "", who=who or getpass.getuser(), why=reason), hand_over
    )


@app.command()
def rollback(drift: _Id, reason: _Why, who: _Who = None, hand_over: _HandOver = False) -> None:
    """Take an approved patch back: its rows are judged as they were before. It may be approved again.

    Example: [bold]aura drift rollback 91aa635e --reason "the tracker is mended"[/bold]
    """
    from aura_lake.cli.opening import read_settings
    from aura_lake.lake import Lake
    from aura_lake.steps.drift_decide import roll_back

    lake = Lake(read_settings())  # its contracts may not go with what was approved: that is what this is for
    _decide_and_apply(lake, lambda: roll_back(lake, drift, who=who or getpass.getuser(), why=reason), hand_over)


@app.command()
def reject(drift: _Id, reason: _Why, who: _Who = None) -> None:
    """Do not take a finding's patch. It comes again only if it becomes another.

    Example: [bold]aura drift reject 91aa635e --reason "these are two different ids"[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps import drift_decide

    lake = open_lake()
    found = drift_decide.drift_named(lake, drift)
    _say(drift_decide.reject(lake, found, who=who or getpass.getuser(), why=reason))


@app.command()
def snooze(
    drift: _Id,
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=24 * 90, help="For how long.")] = 24.0,
    reason: _Why = "Later.",
    who: _Who = None,
) -> None:
    """Be left alone with a finding for a while. Its rows go on waiting.

    Example: [bold]aura drift snooze 91aa635e --hours 48[/bold]
    """
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps import drift_decide

    lake = open_lake()
    found = drift_decide.drift_named(lake, drift)
    _say(drift_decide.snooze(lake, found, hours, who=who or getpass.getuser(), why=reason))


def _decide_and_apply(lake: Lake, decide: Any, hand_over: bool) -> None:
    """Decide where the lease is free and carry it out; where another process applies, only with `--hand-over`."""
    from aura_lake.delta.lease import ApplyLease
    from aura_lake.errors import LeaseHeld
    from aura_lake.steps.drift_decide import apply_decision

    try:
        with ApplyLease(lake, wait_seconds=0):
            decision = decide()
            _say(decision)
            for table, done in apply_decision(lake, decision).items():
                again = None if done is None else done.rejudged
                if again is None:
                    complaints().print(f"{table}: judged anew.")
                else:
                    complaints().print(
                        f"{table}: {again.units:,} units judged again, {again.changed:,} are others now."
                    )
            complaints().print("[dim]aura run brings it to gold.[/dim]")
    except LeaseHeld as held:
        if not hand_over:
            raise LeaseHeld(f"Nothing was decided. {held.what}", fix="Wait, or give --hand-over.") from None
        _say(decide())
        complaints().print(f"{held.what} It carries this out with its next turn.")


def _say(decision: Decision) -> None:
    complaints().print(f"[green]✓[/green] decision {decision.number}: {decision.kind} {decision.facts['id']}")


def _document(drift: Drift) -> dict[str, Any]:
    decided = drift.decided
    told = {
        "state": drift.state.value,
        "decided_by": None if decided is None else decided.who,
        "decided_at": None if decided is None else decided.at.isoformat(),
        "decided_because": None if decided is None else decided.why,
        "waiting": drift.waiting,
    }
    return {**drift.to_json(), **told}


def _row(drift: Drift) -> tuple[Any, ...]:
    finding = drift.finding
    hash_ = "" if finding.patch is None else finding.patch.hash[:12]
    since = f"{drift.first_seen_at:%Y-%m-%d %H:%M}"
    told = (finding.stands.value, f"{finding.confidence:.3f}", drift.state.value, drift.waiting, since, hash_)
    return (drift.id, finding.feed, finding.says, *told)


def _trials(lake: Lake, drift: Drift) -> dict[str, Any]:
    """The patch tried on every unit it concerns; as it was tried when it was found, where it is no longer open."""
    from dataclasses import asdict

    from aura_lake.steps.drift_trial import trials

    if not drift.is_open:
        return {table: asdict(trial) for table, trial in drift.trials.items()}
    return {table: asdict(trial) for table, trial in trials(lake, drift.finding, drift.from_batch, None)}


def _reaches(lake: Lake, drift: Drift) -> list[str]:
    from aura_lake.drift.apply import patched
    from aura_lake.drift.reach import reaches
    from aura_lake.orchestration.kept import read_kept
    from aura_lake.steps.downstream import models_of

    patch, standing = drift.finding.patch, lake.filed.readers(drift.finding.feed)
    if patch is None:
        return [f"silver.{place}" for place in drift.finding.places]
    lineage = read_kept(lake.settings.state / "column_lineage.json").get("models", {})
    return reaches(standing, patched(standing, patch), patch.fields, models_of(lake), lineage)


def _tell(told: dict[str, Any]) -> None:
    import json

    from rich.markup import escape

    out = console()
    out.print(f"[bold]{told['id']}[/bold] {told['feed']}: {escape(told['says'])}")
    out.print(f"  {told['stands']}, confidence {told['confidence']:.3f}, {told['state']}")
    out.print("  evidence   " + escape(", ".join(f"{name} {value}" for name, value in told["evidence"].items())))
    for candidate in told["candidates"]:
        out.print(f"  perhaps    {escape(candidate['says'])} ({candidate['confidence']}, {candidate['source']})")
    if told["patch"] is not None:
        out.print(f"  patch      {told['hash']}")
        for operation in told["patch"]["operations"]:
            out.print("             " + escape(json.dumps(operation, ensure_ascii=False)))
    for table, trial in told["trials"].items():
        broken = ", ".join(f"{rule} {count:,}" for rule, count in sorted(trial["still_break"].items()))
        waits = f"{trial['waiting']:,} of {trial['units']:,} units wait"
        tried = f", {trial['passing']:,} would pass" + (f"; the others break {broken}" if broken else "")
        out.print(f"  {table:<10} {waits}{tried if told['patch'] is not None else ''}")
    for name, row in told.get("sample", {}).items():
        if row:
            out.print(f"  {name:<10} " + escape(", ".join(f"{column}={value}" for column, value in row.items())))
    if told.get("reaches"):
        out.print("  reaches    " + escape(", ".join(told["reaches"])))
    if told["decided_by"]:
        out.print(
            f"  decided by {escape(told['decided_by'])} at {told['decided_at']}: {escape(told['decided_because'])}"
        )
