"""An incident that is none, to see whether the sinks take it."""

from __future__ import annotations

from datetime import UTC, datetime

from aura_lake.lake import Lake
from aura_lake.people.cause import Cause, Level
from aura_lake.people.incident import Incident, State


def trial_incident(lake: Lake) -> Incident:
    """An incident of the highest level, for the shop's default owner; nothing keeps it."""
    now = datetime.now(UTC)
    cause = Cause(
        kind="test",
        source="test",
        place=f"the lake of {lake.shop.id}",
        id=f"test {now:%Y%m%d%H%M%S}",  # a sink that knows the last one takes this one as new
        level=Level.CRITICAL,
        owner=lake.shop.owners.get("default") or f"team:{lake.shop.id}",
        says="This is a test: nothing is wrong, and its end follows at once.",
        first_seen_at=now,
        command="aura alerts list",
    )
    return Incident(cause, State.OPEN, opened_at=now, seen_at=now)
