"""Contracts in the shadow: judged beside the one that holds on new batches, counted, and without effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aura_lake.cli.opening import open_lake
from aura_lake.contracts.verdicts import standing_rows
from aura_lake.orchestration.silver import silver_facts
from aura_lake.steps.judge import JudgeReport, judge
from aura_lake.steps.land import land
from aura_lake.steps.shadow import shadows
from tests.changes import change, write_lines
from tests.unit.cli.conftest import Shell


def put_in_shadow(aura: Shell, before: str, after: str) -> Path:
    """A contract of things in the shadow, with one thing otherwise."""
    text = (aura.folder / "shop" / "things.odcs.yaml").read_text()
    file = aura.folder / "shop" / "shadow" / "things.odcs.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text.replace(before, after))
    return file


def bring(aura: Shell, name: str, *records: Any) -> JudgeReport:
    """Land one more object and judge it."""
    write_lines(aura.folder / "things", name, records)
    lake = open_lake()
    land(lake, lake.shop.feeds["things"])
    return judge(lake, lake.contract("things"))


def log_rows(aura: Shell) -> list[tuple[Any, ...]]:
    lake = open_lake()
    rows = standing_rows(lake.log(lake.contract("things")), ["valid", "quarantined"])
    return rows.select("object", "ordinal", "verdict", "broken_rules", "word", "size").collect().rows()


def test_a_shadow_counts_new_batches_and_changes_nothing(aura: Shell) -> None:
    put_in_shadow(aura, "size > 0, severity: quarantine", "size > 5, severity: block")
    before = sorted(map(str, log_rows(aura)))
    report = bring(aura, "2.jsonl", change("c", 9, "d", "dog", 3), change("c", 10, "e", "elk", 7))
    assert report.verdicts == {"valid": 2}
    assert report.shadow is not None
    assert (report.shadow.units, report.shadow.passing, report.shadow.waiting) == (2, 0, 1)
    assert set(before) < set(map(str, log_rows(aura)))
    bring(aura, "3.jsonl", change("c", 11, "f", "fox", 1))
    (found,) = aura.json("contract", "shadow")
    assert [(each["units"], each["would_wait"]) for each in found["batches"]] == [(2, 1), (1, 1)]
    assert found["total"]["rules"]["size_is_positive"]["newly"] == 2
    assert found["total"]["rules"]["size_is_positive"]["first"] == "2.jsonl#0"
    code, out, _ = aura("contract", "shadow", "--batches")
    assert (code, "1 rows would wait that break size_is_positive" in out) == (0, True)
    lake = open_lake()
    told = next(iter(silver_facts(lake, lake.contract("things"), report, None).values()))
    assert (told["shadow_would_pass"], told["shadow_would_wait"]) == (0, 1)


def test_a_copy_of_a_change_counts_under_neither_contract(aura: Shell) -> None:
    put_in_shadow(aura, "size > 0", "size > 50")
    report = bring(aura, "2.jsonl", change("c", 1, "a", "apple", 1), change("c", 9, "d", "dog", 60))
    assert report.shadow is not None
    assert (report.shadow.units, report.shadow.waiting) == (1, 0)


def test_another_shadow_begins_anew(aura: Shell) -> None:
    put_in_shadow(aura, "size > 0", "size > 5")
    bring(aura, "2.jsonl", change("c", 9, "d", "dog", 3))
    put_in_shadow(aura, "size > 0", "size > 50")
    bring(aura, "3.jsonl", change("c", 10, "e", "elk", 7))
    (found,) = aura.json("contract", "shadow")
    assert [(each["units"], each["would_wait"]) for each in found["batches"]] == [(1, 1)]


def test_a_shadow_that_does_not_load_stops_nothing_and_says_why(aura: Shell) -> None:
    put_in_shadow(aura, "size > 0", "weight > 0")
    report = bring(aura, "2.jsonl", change("c", 9, "d", "dog", 3))
    assert (report.verdicts, report.shadow) == ({"valid": 1}, None)
    (found,) = aura.json("contract", "shadow")
    assert "weight" in found["trouble"]
    code, out, _ = aura("contract", "shadow")
    assert (code, "is not judged in the shadow" in out) == (0, True)


def test_without_a_shadow_nothing_is_kept(aura: Shell) -> None:
    assert bring(aura, "2.jsonl", change("c", 9, "d", "dog", 3)).shadow is None
    assert aura.json("contract", "shadow") == []
    assert "Nothing stands in the shadow" in aura("contract", "shadow")[1]


def test_a_death_before_the_commit_counts_nothing_twice(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_shadow(aura, "size > 0", "size > 5")

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    write_lines(aura.folder / "things", "2.jsonl", [change("c", 9, "d", "dog", 3)])
    lake = open_lake()
    land(lake, lake.shop.feeds["things"])
    with monkeypatch.context() as patched:
        patched.setattr("aura_lake.delta.commit.Commit.publish", die)
        with pytest.raises(KeyboardInterrupt):
            judge(lake, lake.contract("things"))
    assert len(shadows(lake)[0]["batches"]) == 1
    lake = open_lake()
    assert judge(lake, lake.contract("things")).verdicts == {"valid": 1}
    (found,) = shadows(lake)
    assert [(each["units"], each["would_wait"]) for each in found["batches"]] == [(1, 1)]


def test_earlier_batches_are_kept_as_their_sum(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aura_lake.steps.shadow.KEPT", 1)
    put_in_shadow(aura, "size > 0", "size > 5")
    for at in range(3):
        bring(aura, f"{at + 2}.jsonl", change("c", 9 + at, f"d{at}", "dog", at + 4))
    (found,) = aura.json("contract", "shadow")
    assert (len(found["batches"]), found["earlier"]["units"], found["earlier"]["would_wait"]) == (1, 2, 2)
    total = found["total"]
    assert (total["units"], total["would_wait"], total["rules"]["size_is_positive"]["newly"]) == (3, 2, 2)
