"""Decisions of people and reconcilers: records of their own, in bronze.

A rebuild reads bronze, so what was decided has to stand there too: who, when, why, and what exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

import polars as pl

from aura_lake.delta.commit import Commit
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import CommitConflict, SettingsError, WatermarkError
from aura_lake.lake import Lake
from aura_lake.layouts import BRONZE

#: The feed of decisions; no server of a contract may have its name.
DECISIONS = "decisions"

#: Decisions that let a lane of a topic go on: past offsets that are gone (`feed`, `lane`, `from`, `to`), and in a
#: topic that was made anew under the old name (`feed`, `topic`, `topic_id`).
ACCEPT_GAP, ACCEPT_TOPIC = "accept_gap", "accept_topic"

#: The source's log began anew (`feeds`, `after`: the time, ISO 8601, behind which changes belong to the new one).
NEW_EPOCH = "new_epoch"

#: Keys that a source no longer has, and of whose deletes nothing was seen (`table`, `source`, `request`, `lsn`,
#: `vanished`: how many).
SWEPT = "swept"

#: How often a decision is written again when another one is written at the same time.
ATTEMPTS = 10


@dataclass(frozen=True)
class Decision:
    """One decision: its number, what it is, who took it when and why, and its facts."""

    number: int
    kind: str
    who: str
    why: str
    at: datetime
    facts: Mapping[str, Any]


def decide(lake: Lake, kind: str, facts: Mapping[str, Any], *, who: str, why: str) -> Decision:
    """Write a decision. Raises SettingsError where nobody or no reason is named."""
    if not who.strip() or not why.strip():
        raise SettingsError(
            f"A decision ({kind}) needs who took it and why.", fix="Give --reason, and --who where USER is not set."
        )
    at = datetime.now(UTC)
    text = json.dumps({"kind": kind, "who": who, "why": why, "at": at.isoformat(), "facts": dict(facts)})
    lake.claim(lake.hash_key)
    table = lake.bronze(DECISIONS)
    for attempt in range(ATTEMPTS):
        number = table.watermark(LANE) + 1
        try:
            with Commit(table) as commit:
                commit.add(_row(number, at, text.encode()))
                commit.publish({LANE: (number - 1, number)}, metadata={"decision": kind})
            return Decision(number, kind, who, why, at, dict(facts))
        except (CommitConflict, WatermarkError):
            if attempt == ATTEMPTS - 1:
                raise
            table.refresh()
    raise AssertionError("unreachable")


def decisions(lake: Lake, *kinds: str) -> list[Decision]:
    """The decisions of these kinds (of all, where none is named), oldest first."""
    table = lake.bronze(DECISIONS)
    if not table.exists:
        return []
    known = _KNOWN.get(lake)
    if known is None or known[0] != table.version:
        known = _KNOWN[lake] = (table.version, _read(table))
    return [decision for decision in known[1] if not kinds or decision.kind in kinds]


#: The decisions of a lake that were read last, with the version they were read of: many steps ask, few write.
_KNOWN: WeakKeyDictionary[Lake, tuple[int, list[Decision]]] = WeakKeyDictionary()


def _read(table: LakeTable) -> list[Decision]:
    found = []
    for number, value in table.scan().select("batch", "value").collect().sort("batch").iter_rows():
        told = json.loads(value)
        at = datetime.fromisoformat(told["at"])
        found.append(Decision(number, told["kind"], told["who"], told["why"], at, told["facts"]))
    return found


def _row(number: int, at: datetime, value: bytes) -> pl.DataFrame:
    given = {
        "row_kind": "record",
        "lane": DECISIONS,
        "batch": number,
        "landed_at": at,
        "landed_date": at.date(),
        "topic": DECISIONS,
        "partition": 0,
        "offset": number,
        "etag": DECISIONS,
        "timestamp": at,
        "value": value,
        "value_size": len(value),
    }
    return pl.DataFrame([{name: given.get(name) for name in BRONZE.columns}], schema=dict(BRONZE.columns))
