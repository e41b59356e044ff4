"""The live shop on the terminal: a line a second, and what it did at the end."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from aura_lake.cli.output import Form, console, show_json, show_rows

if TYPE_CHECKING:
    from aura_lake.steps.live_shop import LiveCounts, LiveRequest

_VERBS = ("inserted", "updated", "deleted")


def run_until_stopped(request: LiveRequest, form: Form) -> None:
    """Run the shop until its time is over, SIGTERM or Ctrl-C; its lines go to standard error, its totals out."""
    from aura_lake.steps.live_shop import run_live_shop

    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    lines = _Lines()
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        counts = run_live_shop(request, stop, lines.tell)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    tell_totals(counts, form)


def tell_totals(counts: LiveCounts, form: Form) -> None:
    """What the shop did."""
    tables = sorted({table for table, _ in counts.rows})
    rows = {table: {verb: counts.rows[table, verb] for verb in _VERBS} for table in tables}
    if form is Form.JSON:
        show_json(
            {
                "seconds": round(counts.seconds, 3),
                "committed": counts.committed,
                "rolled_back": counts.rolled_back,
                "rows": rows,
                "clicks": dict(sorted(counts.clicks.items())),
                "mess": dict(sorted(counts.mess.items())),
            }
        )
        return
    show_rows(("table", *_VERBS), [(table, *rows[table].values()) for table in tables], form, right=_VERBS)
    if form is not Form.TABLE:
        return
    console().print(
        f"{counts.committed:,} transactions were committed and {counts.rolled_back:,} rolled back "
        f"in {counts.seconds:.1f} s; {counts.clicks.total():,} clicks were sent."
    )
    if counts.mess:
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.mess.items()))
        console().print(f"Mess: {told}.")


class _Lines:
    """A line a second of what happened since the last one."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._transactions = self._clicks = 0

    def tell(self, counts: LiveCounts) -> None:
        """Write the line."""
        passed = max(counts.seconds - self._seconds, 1e-3)
        transactions, clicks = counts.transactions, counts.clicks.total()
        text = (
            f"{counts.seconds:>6,.0f} s  {(transactions - self._transactions) / passed:>7,.1f} transactions/s  "
            f"{(clicks - self._clicks) / passed:>7,.1f} clicks/s  {counts.rows.total():,} rows in "
            f"{counts.committed:,} transactions, {counts.rolled_back:,} rolled back, {clicks:,} clicks"
        )
        if counts.behind_seconds > 1:
            text += f"  {counts.behind_seconds:.1f} s behind"
        print(text, file=sys.stderr, flush=True)
        self._seconds, self._transactions, self._clicks = counts.seconds, transactions, clicks
