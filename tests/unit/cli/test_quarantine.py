"""What `aura quarantine` tells, and what it decides."""

from __future__ import annotations

from aura_lake.cli.opening import open_lake
from aura_lake.decisions import decisions
from aura_lake.delta.lease import ApplyLease
from aura_lake.steps.judge import judge
from tests.unit.cli.conftest import Shell


def waiting(aura: Shell) -> dict[str, int]:
    return {line["rule"]: line["units"] for line in aura.json("quarantine", "list")}


def mend(aura: Shell) -> None:
    """The contract without the rule that holds a row."""
    file = aura.folder / "shop" / "things.odcs.yaml"
    file.write_text(file.read_text().replace("size > 0", "size > -5"))


def test_each_group_has_its_producer_its_days_and_masked_samples(aura: Shell) -> None:
    broken, negative = sorted(aura.json("quarantine", "list"), key=lambda line: str(line["rule"]))
    assert (negative["producer"], sum(negative["by_day"].values())) == ("things", 1)
    (sample,) = negative["samples"]
    assert sample["place"] == "1.jsonl#2"
    assert sample["values"] == {"id": "a", "word": "aaaa", "size": "-1"}
    assert broken["samples"][0]["values"] == {}
    code, out, _ = aura("quarantine", "list")
    assert code == 0
    assert "1.jsonl#2" in out
    assert "bird" not in out


def test_a_dry_run_says_what_would_pass_and_why_the_rest_would_not(aura: Shell) -> None:
    mend(aura)
    found = aura.json("quarantine", "replay", "things", "--dry-run")
    assert (found["units"], found["passing"], found["decision"]) == (2, 1, None)
    assert found["verdicts"] == {"quarantined": 1, "valid": 1}
    assert found["still_waiting_by_rule"] == {"record_is_valid_json": 1}
    assert waiting(aura) == {"record_is_valid_json": 1, "size_is_positive": 1}
    assert decisions(open_lake()) == []


def test_a_replay_folds_and_says_what_publishes(aura: Shell) -> None:
    mend(aura)
    code, out, _ = aura("quarantine", "replay", "things", "--rule", "size_is_positive")
    assert code == 0
    assert "1 wait no more" in out
    assert "aura run publishes" in out
    assert waiting(aura) == {"record_is_valid_json": 1}
    lake = open_lake()
    words = lake.table("things").select("word").collect()["word"].to_list()
    assert sorted(words) == ["axe", "bird"]
    assert [decision.kind for decision in decisions(lake)] == ["replay", "activate"]
    code, _, err = aura("quarantine", "replay", "things", "--rule", "size_is_positive")
    assert (code, "Nothing waits" in err) == (0, True)


def test_a_discard_needs_a_reason_and_why_tells_it(aura: Shell) -> None:
    assert aura("quarantine", "discard", "things", "--yes")[0] == 2
    words = ("--place", "1.jsonl#2", "--reason", "a test order", "--who", "ann", "--yes")
    assert aura("quarantine", "discard", "things", *words)[0] == 0
    assert waiting(aura) == {"record_is_valid_json": 1}
    assert "discarded by ann" in aura("why", "b")[1].replace("\n", " ")
    (judgement,) = [j for j in aura.json("why", "b")["tables"][0]["records"][0]["judgements"] if j["stands"]]
    assert (judgement["verdict"], judgement["decided"]["why"]) == ("discarded", "a test order")
    (line,) = aura.json("ledger")["tables"]
    assert line["verdicts"] == {"discarded": 1, "quarantined": 1, "valid": 2}
    assert line["balanced"]


def test_while_another_process_applies_nothing_is_decided_unless_it_is_handed_over(aura: Shell) -> None:
    mend(aura)
    lake = open_lake()
    with ApplyLease(lake, command="aura stream"):
        code, _, err = aura("quarantine", "replay", "things")
        assert code == 1
        assert "aura stream" in err
        assert "--hand-over" in err
        assert decisions(open_lake()) == []
        code, out, _ = aura("quarantine", "replay", "things", "--hand-over")
        assert (code, "handed over" in out) == (0, True)
        assert waiting(aura) == {"record_is_valid_json": 1, "size_is_positive": 1}
    applier = open_lake()
    judge(applier, applier.contract("things"))
    assert waiting(aura) == {"record_is_valid_json": 1}
