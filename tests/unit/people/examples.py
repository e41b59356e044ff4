"""Causes and incidents for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aura_lake.people.cause import Cause, Level, Look, Proposal
from aura_lake.people.incident import Incident, State
from aura_lake.people.masking import MaskedRow

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

ROWS = tuple(
    MaskedRow(f"2026/03/02/{n}.jsonl#{n}", ("order_amount_is_positive",), {"order_id": "a-99", "order_amount": "-3.50"})
    for n in range(3)
)


def cause(**more: Any) -> Cause:
    """Rows of orders that wait."""
    given: dict[str, Any] = {
        "kind": "quarantine",
        "source": "quarantine",
        "place": "silver.orders",
        "id": "order_amount_is_positive",
        "level": Level.WARNING,
        "owner": "team:data-platform",
        "says": "12 rows of orders wait in quarantine: order_amount_is_positive.",
        "first_seen_at": NOW,
        "count": 12,
        "rows": ROWS,
        "first_bad": ROWS[0].place,
        "changed": "3 batches brought such rows.",
        "impact": ("gold.fct_orders", "gold.fct_sales_revenue"),
        "command": "aura quarantine replay orders --rule order_amount_is_positive --dry-run",
    }
    return Cause(**{**given, **more})


def drift(**more: Any) -> Cause:
    """A field that has another name, and the patch that would read it."""
    proposal = Proposal("p-7", "4b" * 32, 0.97, {"device_os": "null"}, {"device_os": "iOS"})
    given: dict[str, Any] = {
        "kind": "drift",
        "source": "drift",
        "place": "bronze.aura_clickstream",
        "id": "p-7",
        "level": Level.ERROR,
        "says": "device_os is gone from aura_clickstream, and platform_os is new.",
        "count": 4210,
        "changed": "device_os vanished with batch 41, platform_os appeared with it; 98 % of its values are known.",
        "proposal": proposal,
        "command": "aura drift approve p-7",
    }
    return cause(**{**given, **more})


def seen(*causes: Cause, covers: str = "quarantine") -> Look:
    """A look that found these."""
    return Look(causes, frozenset(covers.split()))


def incident(given: Cause | None = None, **more: Any) -> Incident:
    """An open incident."""
    return Incident(**{"cause": given or cause(), "state": State.OPEN, "opened_at": NOW, "seen_at": NOW, **more})
