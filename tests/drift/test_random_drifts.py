"""Random drifts on the rows of three shops: what is proposed is right, or it is not proposed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from aura_lake.contracts.contract import Format
from tests.drift.generator import KINDS, Drift, Impossible, drift
from tests.drift.outcome import RIGHT, SILENT, UNCLEAR, WRONG, look, outcome
from tests.drift.shops_rows import FeedRows

#: Drifts of the fast test, and of the long one.
FEW, MANY = 35, 1_000


def drifts(feeds: list[FeedRows], count: int, first_seed: int) -> Iterator[tuple[FeedRows, Drift]]:
    """So many drifts, each kind and each feed in turn."""
    seed, made = first_seed, 0
    while made < count:
        feed, kind = feeds[seed % len(feeds)], KINDS[seed // len(feeds) % len(KINDS)]
        has_types = feed.shop.feeds[feed.feed].format is not Format.CSV
        seed += 1
        try:
            yield feed, drift(kind, feed.rows, feed.fields, seed, has_types=has_types)
        except Impossible:
            continue
        made += 1


def test_rows_that_did_not_drift_give_no_finding(feeds: list[FeedRows]) -> None:
    assert {feed.name: look(feed, feed.rows) for feed in feeds} == {feed.name: [] for feed in feeds}


def test_a_few_random_drifts_are_proposed_rightly_or_not_at_all(feeds: list[FeedRows]) -> None:
    table = confusion(feeds, FEW, first_seed=0)
    assert sum(table.values()) == FEW
    assert of(table, WRONG) == 0, told(table)
    assert of(table, RIGHT) >= 0.7 * FEW, told(table)


@pytest.mark.slow
def test_a_thousand_random_drifts_are_proposed_rightly_or_not_at_all(feeds: list[FeedRows]) -> None:
    table = confusion(feeds, MANY, first_seed=10_000)
    print("\n" + told(table))
    single = sum(n for (kind, _), n in table.items() if kind in ("rename", "retype"))
    rest = MANY - single
    assert of(table, WRONG) == 0, told(table)
    assert of(table, RIGHT, ("rename", "retype")) >= 0.9 * single, told(table)
    assert of(table, RIGHT) - of(table, RIGHT, ("rename", "retype")) >= 0.6 * rest, told(table)


def confusion(feeds: list[FeedRows], count: int, first_seed: int) -> Counter[tuple[str, str]]:
    """How many drifts of a kind became what; a row that is lost is a failure at once."""
    table: Counter[tuple[str, str]] = Counter()
    for feed, made in drifts(feeds, count, first_seed):
        found = outcome(feed, made)
        changes = [vars(change) for change in made.changes]
        assert found.lost == 0, f"{feed.name}: {found.lost} rows lost by {changes}"
        if found.became == WRONG:
            findings = [(f.happened.value, f.field, f.became, f.stands.value, f.confidence) for f in found.findings]
            print(f"{feed.name}: {json.dumps(changes)}: {findings}")
        table[made.kind, found.became] += 1
    return table


def of(table: Counter[tuple[str, str]], became: str, kinds: tuple[str, ...] = KINDS) -> int:
    """How many drifts of these kinds became that."""
    return sum(table[kind, became] for kind in kinds)


def told(table: Counter[tuple[str, str]]) -> str:
    """The confusion table, for people."""
    columns = (RIGHT, UNCLEAR, SILENT, WRONG)
    lines = [f"{'drift':<10}" + "".join(f"{name:>10}" for name in ("made", *columns))]
    for kind in KINDS:
        counts = [table[kind, name] for name in columns]
        lines.append(f"{kind:<10}" + "".join(f"{n:>10}" for n in (sum(counts), *counts)))
    return "\n".join(lines)
