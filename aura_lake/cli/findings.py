"""How findings look: a line each, and below it the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aura_lake.cli.output import Form, console, show_rows

if TYPE_CHECKING:
    from aura_lake.source.findings import Finding

_COLORS = {"ok": "[green]ok[/green]", "warn": "[yellow]warn[/yellow]", "refuse": "[red]refuse[/red]"}


def show_findings(findings: Sequence[Finding], form: Form) -> None:
    """A line a finding, and below it the fix where there is one."""
    if form is not Form.TABLE:
        rows = [(one.subject, one.check, one.level.value, one.says, one.fix) for one in findings]
        show_rows(("subject", "check", "level", "says", "fix"), rows, form)
        return
    from rich.markup import escape

    width = max((len(f"{one.subject} {one.check}") for one in findings), default=0)
    for one in findings:
        what = f"{escape(one.subject)} [bold]{escape(one.check)}[/bold]" + " " * (
            width - len(f"{one.subject} {one.check}")
        )
        level = _COLORS[one.level.value] + " " * (6 - len(one.level.value))
        console().print(f"{level} {what}  {escape(one.says)}", soft_wrap=True)
        if one.fix and one.level != "ok":
            console().print(f"       {'':<{width}}  [bold]Fix:[/bold] {escape(one.fix)}", soft_wrap=True)
