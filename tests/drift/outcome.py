"""What findings are worth, held against what was done to the rows: judged by the rows, not by their words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aura_lake.contracts.contract import Format
from aura_lake.drift.apply import patched_shop
from aura_lake.drift.detect import detect
from aura_lake.drift.finding import BAR, Finding, Happened, Stands
from aura_lake.drift.window import load, window_of
from tests.drift.generator import Change, Drift
from tests.drift.judged import judge
from tests.drift.shops_rows import FeedRows, with_row

#: The words for what became of a drift.
RIGHT, UNCLEAR, SILENT, WRONG = "right", "unclear", "silent", "wrong"

#: Kinds after which, healed, every row is as it would have been.
WHOLE = ("rename", "nested", "swap", "retype")


@dataclass(frozen=True)
class Outcome:
    """`became`: right, unclear, silent or wrong (with high confidence); `lost`: rows that were not judged."""

    became: str
    lost: int
    findings: tuple[Finding, ...]


def look(feed: FeedRows, rows: Sequence[dict[str, Any]]) -> list[Finding]:
    """What the detector finds in rows of a feed that it sees for the first time."""
    has_types = feed.shop.feeds[feed.feed].format is not Format.CSV
    contracts = feed.shop.readers(feed.feed)
    personal = [column.source for contract in contracts for column in contract.columns if column.personal]
    read = [load(json.dumps(row)) for row in rows] if has_types else list(rows)
    return detect(window_of(read, None, personal=personal, has_types=has_types), feed.shop, feed.feed)


def outcome(feed: FeedRows, drift: Drift) -> Outcome:
    """What became of a drift: the patches that are proposed are applied, and all rows judged under them."""
    found = look(feed, drift.rows)
    sure = [finding for finding in found if finding.confidence >= BAR]
    proposed = [f.patch for f in sure if f.stands is Stands.PROPOSED and f.patch is not None]
    records = [with_row(record, row) for record, row in zip(feed.records, drift.rows, strict=True)]
    clean = judge(feed.shop, feed.feed, feed.records)
    healed = judge(patched_shop(feed.shop, proposed), feed.feed, records)
    lost = sum(frame.height - healed[table].height for table, frame in clean.items())
    told = tuple(found)
    if any(not _is_true(finding, drift.changes) for finding in sure if finding.stands is not Stands.UNCLEAR):
        return Outcome(WRONG, lost, told)
    is_whole = all(frame.equals(healed[table].select(frame.columns)) for table, frame in clean.items())
    if all(change.kind in WHOLE for change in drift.changes):
        if is_whole:
            return Outcome(RIGHT, lost, told)
        is_named = all(any(_names(finding, change) for finding in sure) for change in drift.changes)
        breaks = any(f.stands is Stands.BREAKING for f in sure)
        if proposed and is_named and not breaks:
            return Outcome(WRONG, lost, told)  # all was proposed, and it does not heal
    elif all(any(_names(finding, change) for finding in sure) for change in drift.changes):
        return Outcome(RIGHT, lost, told)
    return Outcome(UNCLEAR if found else SILENT, lost, told)


def _is_true(finding: Finding, changes: Sequence[Change]) -> bool:
    """Whether a finding says what was done to its field, or a part of it."""
    return any(_names(finding, change) for change in changes)


def _names(finding: Finding, change: Change) -> bool:
    if change.kind in ("rename", "nested"):
        return finding.happened is Happened.RENAMED and (finding.field, finding.became) == (change.field, change.became)
    if change.kind == "swap":
        pair = {finding.field, finding.became}
        both = {change.field, change.became}
        # That each of the two has another type now is true as well, if it is called breaking.
        is_half = finding.stands is Stands.BREAKING and finding.field in both
        return is_half or (finding.happened is Happened.SWAPPED and pair == both)
    if change.kind == "retype":
        return finding.happened in (Happened.RETYPED, Happened.RESPELLED) and finding.field == change.field
    wanted = Happened.ADDED if change.kind == "new" else Happened.DROPPED
    return finding.happened is wanted and finding.field == change.field
