"""Replay and discard: what waited enters at its place, once, whatever came meanwhile (cases 97, 98, 100, 101)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Contract, Kind, RowRule, Severity
from aura_lake.decisions import decisions
from aura_lake.delta.commit import Commit
from aura_lake.delta.watermarks import LOG
from aura_lake.errors import QueryError, SettingsError
from aura_lake.ledger.count import count
from aura_lake.steps.blocks import blocked_tables
from aura_lake.steps.concerns import ACTIVATE, DISCARD, REPLAY
from aura_lake.steps.replay import Chosen, apply, decide_discard, decide_replay, try_replay
from tests.changes import change, column, things
from tests.small_lake import SmallLake

POSITIVE = RowRule("size_is_positive", "size > 0")


def strict(**more: Any) -> Contract:
    """Changes whose size must be positive."""
    return things(row_rules=(POSITIVE,), **more)


def visits(*rules: RowRule, **more: Any) -> Contract:
    """Events told by their `id`."""
    columns = (column("id"), column("size", pl.Int64(), "integer"))
    return Contract("visits", Kind.EVENTS, "visits", columns, row_rules=rules, event_id=("id",), **more)


def replay(lake: SmallLake, rule: str | None = None, *places: str) -> bool:
    """Decide and carry out; whether anything waited."""
    decision = decide_replay(lake.lake, Chosen(lake.contract, rule, places), who="ann")
    apply(lake.lake, lake.contract)
    return decision is not None


def discard(lake: SmallLake, rule: str | None = None, *places: str) -> None:
    decide_discard(lake.lake, Chosen(lake.contract, rule, places), who="ann", why="it is a test")
    apply(lake.lake, lake.contract)


def judgements(lake: SmallLake) -> int:
    """Rows of the log, higher judgements included."""
    return int(lake.lake.log(lake.contract).scan().select(pl.len()).collect().item())


def judged(lake: SmallLake) -> pl.DataFrame:
    """What stands in the log, without what tells when it was written."""
    return lake.log().drop("log_batch", "judgement", "landed_at", "etag", "feed_batch")


def test_case_097_a_replay_enters_once_and_never_over_newer_truth(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict())
    lake.arrive("a.jsonl", change("c", 10, "k", "one", 1), change("u", 20, "k", "two", -2))
    lake.arrive("b.jsonl", change("u", 30, "k", "three", 3))
    assert lake.verdicts() == {"valid": 2, "quarantined": 1}
    mended = lake.under(things())
    assert replay(mended)
    assert mended.rows() == [("k", "three", 3)]
    assert mended.history("word") == [("one", 10, 20), ("two", 20, 30), ("three", 30, None)]
    rows = judgements(mended)
    assert not replay(mended), "nothing waits any more"
    mended.run()
    assert judgements(mended) == rows == 4
    assert mended.rebuild_is_equal()
    assert count(mended.lake).balanced


def test_case_097_a_replay_that_changes_nothing_writes_nothing_but_the_decision(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict()).arrive("a.jsonl", change("c", 10, "k", "one", -1))
    before = (judgements(lake), lake.lake.log(lake.contract).watermark(LOG))
    assert replay(lake)
    assert replay(lake)
    assert (judgements(lake), lake.lake.log(lake.contract).watermark(LOG)) == before
    assert len(decisions(lake.lake, REPLAY)) == 2


def test_case_098_replayed_under_a_mended_contract_it_equals_the_lake_that_always_had_it(tmp_path: Path) -> None:
    def arrive(lake: SmallLake) -> SmallLake:
        lake.arrive("a.jsonl", {"id": "1", "size": -1}, {"id": "2", "size": 2}, {"id": "3", "size": -3})
        return lake.arrive("b.jsonl", {"id": "4", "size": 4}, {"id": "1", "size": 1}, {"id": "3", "size": -3})

    waited = arrive(SmallLake(tmp_path / "waited", visits(POSITIVE)))
    assert waited.verdicts() == {"valid": 3, "quarantined": 3}
    mended = waited.under(visits())
    replay(mended)
    clean = arrive(SmallLake(tmp_path / "clean", visits()))
    assert mended.verdicts() == clean.verdicts() == {"valid": 4, "duplicate": 2}
    assert [id_ for id_, _ in mended.rows()] == [id_ for id_, _ in clean.rows()] == ["1", "2", "3", "4"]
    assert count(mended.lake).balanced


def test_case_098_a_duplicate_whose_valid_copy_breaks_a_new_rule_becomes_valid(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, visits())
    lake.arrive("a.jsonl", {"id": "1", "size": -1}, {"id": "2", "size": 2}).arrive("b.jsonl", {"id": "1", "size": 1})
    assert lake.verdicts() == {"valid": 2, "duplicate": 1}
    tightened = lake.under(visits(POSITIVE)).run()
    assert tightened.verdicts() == {"valid": 2, "quarantined": 1}
    assert tightened.rows() == [("1", 1), ("2", 2)]
    assert tightened.rebuild_is_equal()
    back = lake.under(visits()).run()
    assert back.verdicts() == {"valid": 2, "duplicate": 1}
    assert [decision.kind for decision in decisions(lake.lake)] == [ACTIVATE, ACTIVATE]


def test_case_100_an_event_without_a_key_is_chosen_by_its_place(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict())
    lake.arrive("a.jsonl", b"{not json", change("c", 10, "k", "one", 1), b"{nor this")
    places = ["a.jsonl#0", "a.jsonl#2"]
    discard(lake, None, places[0])
    assert lake.log()["verdict"].to_list() == ["discarded", "valid", "quarantined"]
    with pytest.raises(QueryError, match=r"nothing waits at 'a.jsonl#0'"):
        discard(lake, None, places[0])
    discard(lake, None, places[1])
    assert lake.verdicts() == {"discarded": 2, "valid": 1}
    replay(lake, None, places[1])
    assert lake.log()["verdict"].to_list() == ["discarded", "valid", "quarantined"], "named, it waits again"
    assert lake.rebuild_is_equal()
    assert lake.log()["verdict"].to_list() == ["discarded", "valid", "quarantined"]
    assert count(lake.lake).balanced


def test_case_101_a_replayed_change_splits_the_version_it_fell_into(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict())
    lake.arrive("b.jsonl", change("c", 10, "k", "one", 1), change("u", 30, "k", "three", 3), change("d", 40, "k"))
    lake.arrive("a.jsonl", change("u", 20, "k", "two", -2))
    assert lake.history("word") == [("one", 10, 30), ("three", 30, 40)]
    mended = lake.under(things())
    replay(mended, "size_is_positive")
    assert mended.history("word") == [("one", 10, 20), ("two", 20, 30), ("three", 30, 40)]
    assert mended.rows() == []
    assert mended.rebuild_is_equal()


def test_a_discarded_row_is_counted_and_stays_so_under_any_contract(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict())
    lake.arrive("a.jsonl", change("c", 10, "k", "one", 1), change("u", 20, "k", "two", -2))
    assert lake.lake.current(lake.contract).scan().collect()["_has_newer_in_quarantine"].to_list() == [True]
    discard(lake, "size_is_positive")
    assert lake.verdicts() == {"valid": 1, "discarded": 1}
    assert lake.reasons() == ["decision 0"]
    assert lake.lake.current(lake.contract).scan().collect()["_has_newer_in_quarantine"].to_list() == [False]
    mended = lake.under(things()).run()
    assert mended.verdicts() == {"valid": 1, "discarded": 1}
    assert mended.rebuild_is_equal()
    assert mended.verdicts() == {"valid": 1, "discarded": 1}
    ledger = count(mended.lake)
    assert ledger.balanced
    assert ledger.tables[0].verdicts == {"valid": 1, "discarded": 1}


def test_a_discard_needs_a_reason(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict()).arrive("a.jsonl", change("c", 10, "k", "one", -1))
    with pytest.raises(SettingsError, match="needs who took it and why"):
        decide_discard(lake.lake, Chosen(lake.contract), who="ann", why=" ")
    assert lake.verdicts() == {"quarantined": 1}


def test_a_trial_says_how_many_would_pass_and_writes_nothing(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict())
    lake.arrive(
        "a.jsonl",
        change("c", 10, "a", "one", -1),
        change("c", 11, "b", "two", -2),
        change("c", 12, "c", size="many"),  # type: ignore[arg-type]
    )
    mended = lake.under(things())
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    found = try_replay(mended.lake, Chosen(mended.contract))
    assert (found.units, found.passing, found.now("quarantined")) == (3, 2, 1)
    assert dict(found.rules) == {"size_is_a_whole_number": 1}
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before
    assert mended.verdicts() == {"quarantined": 3}


def test_a_block_ends_when_each_row_that_waits_passed_or_was_discarded(tmp_path: Path) -> None:
    blocking = things(row_rules=(replace(POSITIVE, severity=Severity.BLOCK),))
    lake = SmallLake(tmp_path, blocking)
    lake.arrive("a.jsonl", change("c", 10, "a", "one", -1), change("c", 11, "b", "two", -2))
    assert blocked_tables(lake.lake) == {"things": "2 rows wait that break size_is_positive."}
    discard(lake, None, "a.jsonl#0")
    assert blocked_tables(lake.lake) == {"things": "1 rows wait that break size_is_positive."}
    eased = lake.under(things(row_rules=(RowRule("size_is_positive", "size > -5", Severity.BLOCK),)))
    replay(eased)
    assert blocked_tables(eased.lake) == {}
    assert eased.verdicts() == {"valid": 1, "discarded": 1}


def test_a_contract_that_did_not_change_writes_nothing(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, strict()).arrive("a.jsonl", change("c", 10, "k", "one", -1))
    version = lake.lake.log(lake.contract).version
    lake.under(replace(strict(), owner="somebody", version="2.0.0", description="told anew")).run()
    assert lake.lake.log(lake.contract).version == version
    assert decisions(lake.lake) == []


def test_a_column_of_another_type_rewrites_the_table(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("a.jsonl", change("c", 10, "k", "one", 1), change("u", 20, "k", "two", 2))
    columns = (*things().columns[:2], column("size"), column("extra"))
    widened = lake.under(replace(things(), columns=columns)).run()
    assert widened.rows() == [("k", "two", "2", None)]
    assert [decision.kind for decision in decisions(lake.lake)] == [ACTIVATE]
    assert widened.rebuild_is_equal()


def test_a_row_whose_key_is_read_otherwise_leaves_its_old_key(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("a.jsonl", change("c", 10, "k", "one", 1), change("c", 11, "m", "two", 2))
    key = column("id", key_position=1, transform="word || '-' || id")
    renamed = lake.under(replace(things(), columns=(key, *things().columns[1:]))).run()
    assert renamed.rows() == [("one-k", "one", 1), ("two-m", "two", 2)]
    assert renamed.rebuild_is_equal()


class Killed(BaseException):
    """The process is gone."""


Decide = Callable[[SmallLake], object]

DECIDED: dict[str, Decide] = {
    REPLAY: lambda lake: decide_replay(lake.lake, Chosen(lake.contract), who="ann"),
    DISCARD: lambda lake: decide_discard(lake.lake, Chosen(lake.contract), who="ann", why="it is a test"),
}


@pytest.mark.parametrize(
    ("kind", "mended"),
    [(REPLAY, things()), (DISCARD, strict(columns=(*things().columns, column("more"))))],
    ids=["replay", "discard and a new column"],
)
def test_dying_before_or_after_any_commit_and_going_on_is_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, mended: Contract
) -> None:
    def begun(folder: Path) -> SmallLake:
        lake = SmallLake(folder, strict())
        lake.arrive("a.jsonl", change("c", 10, "k", "one", 1), change("u", 20, "k", "two", -2))
        lake.arrive("b.jsonl", change("u", 30, "k", "three", 3), change("c", 31, "m", "four", -4))
        return lake.under(mended)

    alone = begun(tmp_path / "alone")
    DECIDED[kind](alone)
    alone.run()
    met: list[str] = []
    publish = Commit.publish

    def dying(commit: Commit, *given: Any, **named: Any) -> int:
        place = "/".join(commit.table.uri.split("/")[-2:])
        for when in ("before", "after"):
            if f"{when} {place}" not in met:
                met.append(f"{when} {place}")
                if when == "after":
                    publish(commit, *given, **named)
                raise Killed
        return publish(commit, *given, **named)

    killed = begun(tmp_path / "killed")
    monkeypatch.setattr(Commit, "publish", dying)
    monkeypatch.setattr(Commit, "delete_file", lambda *_: None)
    is_decided = False
    for _ in range(20):
        try:
            is_decided = is_decided or bool(decisions(killed.lake, kind)) or bool(DECIDED[kind](killed))
            killed.run()
            break
        except Killed:
            killed = killed.under(mended)
    assert {"after bronze/decisions", "before silver/things_log", "after silver/things_log"} <= set(met)
    assert len(decisions(killed.lake, kind)) == 1
    assert judged(killed).equals(judged(alone))
    assert (killed.rows(), killed.history()) == (alone.rows(), alone.history())
    assert judgements(killed) == judgements(alone)
    assert killed.rebuild_is_equal()
