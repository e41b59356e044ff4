"""The contracts that hold are the files' with the approved patches; a process that is late to know writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from aura_lake.approvals import APPROVED, ROLLED_BACK
from aura_lake.contracts.digest import read_digest
from aura_lake.decisions import decide
from aura_lake.drift.patch import Patch, PatchRefused
from aura_lake.errors import ContractsMoved
from aura_lake.lake import Lake
from aura_lake.steps.carry_out import carry_out
from aura_lake.steps.judge import judge
from tests.changes import change, things
from tests.small_lake import SmallLake

SYNONYM = Patch("things", ({"op": "synonym", "field": "word", "also": "term"},))
CONTRARY = Patch("things", ({"op": "synonym", "field": "word", "also": "size"},))


def say(lake: Lake, kind: str, patch: Patch, hash_: str | None = None) -> None:
    facts = {"feed": "things", "id": "abcdef01", "hash": hash_ or patch.hash, "tables": ["things"], "from_batch": 0}
    decide(lake, kind, {**facts, "patch": patch.to_json()}, who="a tester", why="to see")


def renamed(lsn: int, key: str, term: str) -> dict[str, object]:
    record = change("c", lsn, key)
    return {**record, "after": {"id": key, "term": term, "size": 1}}


def test_an_approval_enters_with_the_next_judging_and_leaves_when_taken_back(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, things()).arrive("a", change("c", 1, "k", "one", 1), renamed(2, "l", "two"))
    assert small.rows() == [("k", "one", 1), ("l", None, 1)]
    before = small.lake
    assert before.is_current()
    say(before, APPROVED, SYNONYM)
    assert not before.is_current()
    assert before.shop == before.filed
    small.lake = before.renewed()
    small.contract = small.lake.contract("things")
    assert small.run().rows() == [("k", "one", 1), ("l", "two", 1)]
    assert small.rebuild_is_equal()
    say(small.lake, ROLLED_BACK, SYNONYM)
    small.lake = small.lake.renewed()
    small.contract = small.lake.contract("things")
    assert small.run().rows() == [("k", "one", 1), ("l", None, 1)]


def test_a_process_that_read_its_contracts_before_carries_nothing_out(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, things()).arrive("a", renamed(2, "l", "two"))
    stale = small.lake
    assert stale.is_current()
    say(stale, APPROVED, SYNONYM)
    with pytest.raises(ContractsMoved, match="nothing was written"):
        judge(stale, small.contract)
    now = stale.renewed()
    assert carry_out(now, now.contract("things"))[1] is not None


def test_decisions_of_other_kinds_leave_a_lake_current(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, things()).arrive("a", change("c", 1, "k", "one", 1))
    assert small.lake.renewed() is small.lake
    decide(small.lake, "discard", {"table": "others", "units": [], "batches": []}, who="a tester", why="to see")
    assert small.lake.renewed() is small.lake


def test_a_patch_that_does_not_go_with_the_files_any_more_is_named(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, things()).arrive("a", change("c", 1, "k", "one", 1))
    say(small.lake, APPROVED, CONTRARY)
    with pytest.raises(PatchRefused, match=r"abcdef01 does not go with the contracts .*aura drift rollback abcdef01"):
        _ = small.lake.renewed().shop


def test_an_approval_that_holds_another_patch_than_it_names_is_refused(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, things()).arrive("a", change("c", 1, "k", "one", 1))
    say(small.lake, APPROVED, SYNONYM, hash_="0" * 64)
    with pytest.raises(PatchRefused, match="holds another"):
        _ = small.lake.renewed().shop


def test_readers_that_know_contracts_by_their_digest_see_new_columns(tmp_path: Path) -> None:
    from tests.flow.shop_run import SHOPS, open_shop

    lake = open_shop(SHOPS / "rees46", tmp_path / "lake", {}).lake
    assert "ga_ref" not in read_digest(lake.settings).tables["clickstream"].columns
    operation = {"op": "column", "table": "clickstream", "column": "ga_ref", "field": "gaRef", "logical_type": "string"}
    patch = Patch("raw_events", ({**operation, "personal": False},))
    facts = {"feed": "raw_events", "id": "0a0a0a0a", "hash": patch.hash, "patch": patch.to_json(), "from_batch": 0}
    decide(lake, APPROVED, {**facts, "tables": ["clickstream"]}, who="a tester", why="to see")
    assert "ga_ref" in read_digest(lake.settings).tables["clickstream"].columns
