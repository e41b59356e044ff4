"""`aura contract`: what another contract changes, would have done, and does in the shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aura_lake.cli.opening import open_lake
from aura_lake.contracts.beside import load_beside
from aura_lake.contracts.contract import Kind, Severity
from aura_lake.steps.land import land
from tests.changes import change, write_lines
from tests.unit.cli.conftest import Enter, Shell, write_shop


def other(aura: Shell, before: str, after: str, name: str = "other.odcs.yaml") -> str:
    """The contract of things with one thing otherwise, outside the shop."""
    text = (aura.folder / "shop" / "things.odcs.yaml").read_text()
    assert before in text
    file = aura.folder / name
    file.write_text(text.replace(before, after))
    return str(file)


def test_a_diff_weighs_each_change_and_names_what_it_reaches(aura: Shell) -> None:
    file = other(aura, "logicalType: integer", "logicalType: number, required: true")
    found = aura.json("contract", "diff", "--installed", file)
    assert found["counts"] == {"breaking": 2, "widening": 0, "safe": 0}
    required, retyped = sorted(found["changes"], key=lambda change: str(change["says"]))[::-1]
    assert (retyped["what"], retyped["reaches"]) == ("size", ["silver.things.size"])
    assert required["reaches"] == ["silver.things"]
    assert aura("contract", "diff", "--installed", file)[0] == 0
    code, out, _ = aura("contract", "diff", "--installed", file, "--fail-on", "breaking")
    assert code == 1
    assert "2 breaking, 0 widening, 0 safe" in out


def test_a_diff_of_equal_folders_passes_whatever_is_to_fail(aura: Shell) -> None:
    shop = str(aura.folder / "shop")
    code, out, _ = aura("contract", "diff", shop, shop, "--fail-on", "widening")
    assert (code, "Nothing changes." in out) == (0, True)


def test_a_change_to_a_canonical_column_reaches_gold(aura: Shell) -> None:
    project = Path(__file__).resolve().parents[3]
    text = (project / "shops" / "aura_mart" / "orders.odcs.yaml").read_text()
    for name, written in (("old", text), ("new", text.replace("physicalName: created_at", "physicalName: placed_at"))):
        folder = aura.folder / name
        folder.mkdir()
        (folder / "shop.yaml").write_text("id: small\n")
        users = (project / "shops" / "aura_mart" / "users.odcs.yaml").read_text()
        (folder / "users.odcs.yaml").write_text(users)
        (folder / "orders.odcs.yaml").write_text(written)
    found: Any = aura.json("contract", "diff", str(aura.folder / "old"), str(aura.folder / "new"))
    (change,) = found["changes"]
    assert (change["weight"], change["what"]) == ("breaking", "ordered_at")
    assert "silver.orders.ordered_at" in change["reaches"]
    assert any(place.startswith("gold.fct_orders") for place in change["reaches"])


def test_a_trial_says_by_rule_what_would_pass_and_what_would_wait(aura: Shell) -> None:
    found = aura.json("contract", "try", other(aura, "size > 0", "size < 2"))
    assert (found["records"], found["would_pass"], found["would_wait"]) == (4, 1, 1)
    rule = found["rules"]["size_is_positive"]
    assert (rule["before"], rule["now"], rule["newly"], rule["no_longer"]) == (1, 1, 1, 1)
    assert (rule["severity"], rule["first"]) == ("quarantine", "1.jsonl#1")
    assert found["rules"]["record_is_valid_json"]["now"] == 1
    assert (found["would_block"], found["blocks_now"]) == ([], [])
    assert aura.json("ledger")["tables"][0]["verdicts"] == {"quarantined": 2, "valid": 2}


def test_a_trial_says_whether_publication_would_be_blocked(aura: Shell) -> None:
    file = other(aura, "severity: quarantine", "severity: block")
    assert aura.json("contract", "try", file)["would_block"] == ["1 rows would wait that break size_is_positive"]
    code, out, _ = aura("contract", "try", file)
    assert (code, "Publication would be blocked" in out) == (0, True)
    later = aura.json("contract", "try", file, "--since", "2999-01-01")
    assert (later["records"], later["would_block"]) == (0, [])


def test_a_budget_that_the_day_breaks_blocks_and_other_values_are_counted(aura: Shell) -> None:
    text = (aura.folder / "shop" / "things.odcs.yaml").read_text()
    text = text.replace("value: cdc}", "value: cdc}\n      - {property: errorBudget, value: 0.1}")
    text = text.replace(
        "{name: word, logicalType: string}", "{name: word, transformLogic: upper(word), logicalType: string}"
    )
    file = aura.folder / "other.odcs.yaml"
    file.write_text(text)
    found = aura.json("contract", "try", str(file))
    assert found["changed_values"] == {"word": 2}
    assert "2 of 4 records of" in found["would_block"][0]


def test_a_trial_of_what_would_not_load_is_refused(aura: Shell) -> None:
    code, _, err = aura("contract", "try", other(aura, "size > 0", "weight > 0"))
    assert (code, "weight" in err) == (1, True)
    assert aura("contract", "try", str(aura.folder / "missing.odcs.yaml"))[0] == 1


def test_a_suggestion_holds_what_was_observed_and_loads_beside_the_shop(aura: Shell, enter: Enter) -> None:
    folder = aura.folder / "another"
    write_shop(folder)
    words = ["red", "green", "blue"]
    many = [change("c", 10 + at, f"k{at}", words[at % 3], at % 40 + 1) for at in range(300)]
    write_lines(folder / "things", "2.jsonl", many)
    shell = enter(folder)
    lake = open_lake()
    land(lake, lake.shop.feeds["things"])
    file = folder / "drafts" / "parts.odcs.yaml"
    assert shell("contract", "suggest", "things", "--table", "parts", "--out", str(file))[0] == 0
    contract = load_beside(folder / "shop", [file], "local", {}).contracts["parts"]
    assert (contract.kind, contract.key, contract.feed) == (Kind.CDC, ("id",), "things")
    assert contract.column("word").required
    rules = {rule.name: (rule.expression, rule.severity) for rule in contract.row_rules}
    warn = Severity.WARN
    assert rules["size_is_in_its_observed_range"] == ("size >= -1 and size <= 40", warn)
    words_seen = ("word in ('apple', 'axe', 'bird', 'blue', 'green', 'red')", warn)
    assert rules["word_is_an_observed_value"] == words_seen
    told = shell.json("contract", "suggest", "things")
    assert told["verdicts"] == {"quarantined": 1, "valid": 303}
    assert told["contract"].startswith("# Drafted by `aura contract suggest`")
    assert shell("contract", "suggest", "things", "--out", str(file))[0] == 1


def test_a_suggestion_for_a_feed_that_is_not_there_names_those_that_are(aura: Shell) -> None:
    code, _, err = aura("contract", "suggest", "orders")
    assert (code, "Its feeds: things." in err) == (1, True)


def test_a_trial_in_many_slices_counts_what_one_slice_does(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    file = other(aura, "size > 0", "size < 2")
    whole = aura.json("contract", "try", file)
    monkeypatch.setattr("aura_lake.steps.contract_trial.AT_ONCE", 1)
    sliced = aura.json("contract", "try", file)
    assert {**whole, "seconds": 0} == {**sliced, "seconds": 0}


def test_every_command_has_an_example(aura: Shell) -> None:
    for command in ("check", "import", "diff", "try", "suggest", "shadow"):
        assert "Example:" in aura("contract", command, "--help")[1]


def test_an_import_is_printed_or_written_over_what_stands(aura: Shell) -> None:
    file = aura.folder / "things.sql"
    columns = "word STRING NOT NULL, size INT <= 9"
    file.write_text(f"CREATE DATA CONTRACT all_things ON TABLE things ({columns}) ENFORCEMENT MODE BLOCK;")
    code, out, _ = aura("contract", "import", str(file))
    assert (code, "size_is_at_most_9" in out) == (0, True)
    shop = aura.folder / "shop"
    assert aura("contract", "import", str(file), "--into", str(shop))[0] == 1
    assert aura("contract", "import", str(file), "--into", str(shop), "--replace")[0] == 0
    contract = open_lake().contract("things")
    assert (contract.key, contract.is_enforced, contract.column("word").required) == (("id",), True, True)
    assert [rule.name for rule in contract.row_rules] == ["size_is_positive", "size_is_at_most_9"]
    file.write_text("CREATE DATA CONTRACT c ON TABLE things (\nsize MONEY);")
    code, _, err = aura("contract", "import", str(file))
    assert (code, "sql:2:" in err.replace("\n", ""), "'MONEY'" in err) == (1, True, True)
