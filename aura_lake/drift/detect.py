"""From a window of a feed and its contracts to findings: a pure function.

Renames are looked for first, since a field that is gone and one that is new may be one; then exchanges, since they
look like two changed types; then forms and values; what is left is new, or gone.
"""

from __future__ import annotations

from aura_lake.contracts.contract import Shop
from aura_lake.drift.apply import patched
from aura_lake.drift.comings import find_gone, find_new
from aura_lake.drift.finding import BAR, Candidate, Finding, Stands
from aura_lake.drift.look import Look
from aura_lake.drift.patch import PatchRefused
from aura_lake.drift.renames import find_renames
from aura_lake.drift.retypes import find_retypes
from aura_lake.drift.schema_change import SchemaChange
from aura_lake.drift.swaps import find_swaps
from aura_lake.drift.values import find_values
from aura_lake.drift.window import Window

#: Fewer records than these, before or after, say nothing.
LEAST = 20


def detect(window: Window, shop: Shop, feed: str, schema: SchemaChange | None = None) -> list[Finding]:
    """What happened to the fields of a feed, the surest first; nothing where nothing did.

    `shop`: the contracts that hold, with what was approved before. A patch that the contracts refuse is not
    proposed: its finding is unclear, with the reason.
    """
    look = Look(shop, feed, window, schema)
    if not look.contracts or len(window.before) < LEAST or len(window.after) < LEAST:
        return []
    found = [
        *find_renames(look),
        *find_swaps(look),
        *find_retypes(look),
        *find_values(look),
        *find_new(look),
        *find_gone(look),
    ]
    return sorted((_kept(finding, look) for finding in found), key=lambda f: (-f.confidence, f.field))


def _kept(finding: Finding, look: Look) -> Finding:
    if finding.patch is None:
        return finding
    if finding.stands is Stands.PROPOSED and finding.confidence < BAR:
        return finding.at_most(Stands.UNCLEAR)
    try:
        patched(look.contracts, finding.patch)
    except PatchRefused as refused:
        unclear = finding.at_most(Stands.UNCLEAR)
        without = tuple(Candidate(c.says, c.confidence, None, c.source) for c in unclear.candidates)
        return Finding(**{**vars(unclear), "candidates": without, "says": f"{finding.says} {refused.what}"})
    return finding
