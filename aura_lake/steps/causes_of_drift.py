"""What has happened to the form of a feed, as causes that people are told of, with the patch that waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aura_lake.contracts.rule_list import row_rules
from aura_lake.drift.finding import Finding, Stands
from aura_lake.people.cause import Cause, Level, Look, Proposal
from aura_lake.people.masking import MaskedRow
from aura_lake.steps.downstream import impact_of_tables
from aura_lake.steps.look_for_causes import Sight

SOURCE = "drift"


@dataclass(frozen=True)
class OpenFinding:
    """A finding that nobody has decided about. `waiting`: rows in quarantine because of it; `before`, `after`: a masked
    sample as it stands and as the patch would read it."""

    finding: Finding
    since: datetime
    waiting: int = 0
    first_bad: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[MaskedRow, ...] = ()


def drift_causes(sight: Sight, found: Iterable[OpenFinding]) -> Look:
    """A cause for each finding that asks for a person; what passes without loss is nobody's concern."""
    causes = [_cause(sight, each) for each in found if each.finding.stands is not Stands.NOTE]
    return Look(tuple(causes), frozenset({SOURCE}))


def _cause(sight: Sight, each: OpenFinding) -> Cause:
    finding, shop = each.finding, sight.lake.shop
    feed, patch = shop.feeds.get(finding.feed), finding.patch
    evidence = ", ".join(f"{name} {value}" for name, value in finding.evidence.items())
    return Cause(
        kind="drift",
        source=SOURCE,
        place=f"bronze.{finding.feed}",
        id=finding.id,
        level=_level(each),
        owner=sight.shop_owner if feed is None else sight.feed_owner(feed),
        says=finding.says,
        first_seen_at=each.since,
        count=each.waiting,
        rows=each.rows,
        first_bad=each.first_bad,
        changed=f"{finding.field} was {finding.happened.value}"
        + (f" to {finding.became}" if finding.became else "")
        + (f" ({evidence})." if evidence else "."),
        impact=impact_of_tables(sight.models, shop.readers(finding.feed)),
        command=f"aura drift {'show' if patch is None else 'approve'} {finding.id}",
        proposal=None
        if patch is None
        else Proposal(finding.id, patch.hash, finding.confidence, dict(each.before), dict(each.after)),
        explains=tuple(_explained(sight, finding)),
    )


def _level(each: OpenFinding) -> Level:
    """An error where rows wait for it or nothing reads the field any more, else a warning."""
    return Level.ERROR if each.waiting or each.finding.stands is Stands.BREAKING else Level.WARNING


def _explained(sight: Sight, finding: Finding) -> Iterable[str]:
    """Rows that wait by the rules of the columns concerned need not be told of beside the drift itself."""
    for place in finding.places:
        table, _, name = place.partition(".")
        contract = sight.lake.shop.contracts.get(table)
        for rule in row_rules(contract) if contract is not None else ():
            if rule.name.startswith(f"{name}_is_"):
                yield f"quarantine:silver.{table}:{rule.name}"
