"""What each command prints, and with which code it ends."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from deltalake import DeltaTable

from aura_lake.cli import app as cli
from aura_lake.delta.documents import write_document
from aura_lake.errors import LakeError
from tests.changes import change, write_lines
from tests.unit.cli.conftest import Enter, Shell, write_shop

COMMANDS = [
    ("demo",),
    ("run",),
    ("status",),
    ("ledger",),
    ("why",),
    ("query",),
    ("init",),
    ("contract", "check"),
    ("quarantine", "list"),
    ("quarantine", "show"),
    ("quarantine", "replay"),
    ("quarantine", "discard"),
    ("rebuild",),
    ("simulate",),
    ("doctor",),
    ("ui",),
    ("alerts", "list"),
    ("alerts", "look"),
    ("alerts", "test"),
    ("alerts", "acknowledge"),
    ("alerts", "resolve"),
    ("approvals", "serve"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_with_an_example(aura: Shell, command: tuple[str, ...]) -> None:
    code, out, _ = aura(*command, "--help")

    assert code == 0
    assert "Example: " in out
    assert " ".join(["aura", *command]) in " ".join(out.split())


def test_the_list_of_commands_is_complete(aura: Shell) -> None:
    code, out, _ = aura("--help")

    assert code == 0
    assert all(command[0] in out for command in COMMANDS)


def test_status_tells_how_far_each_table_is(aura: Shell) -> None:
    (things,) = aura.json("status")

    assert things["watermark"] == 0
    assert (things["quarantined"], things["to_judge"], things["to_fold"]) == (2, 0, 0)
    code, out, _ = aura("status")
    assert code == 0
    assert "things" in out


def test_status_ends_with_1_where_publication_is_held(aura: Shell) -> None:
    from aura_lake.cli.opening import open_lake

    write_document(open_lake(), "gold/_manifest.json", {"tables": {}, "held": {"things": "a rule blocks"}})

    code, out, _ = aura("status")
    assert code == 1
    assert "a rule blocks" in out


def test_the_ledger_balances_and_ends_with_0(aura: Shell) -> None:
    code, out, _ = aura("ledger")

    assert code == 0
    assert "Every row is accounted for" in out
    assert aura.json("ledger")["balanced"] is True


def test_the_ledger_off_by_a_row_ends_with_1_and_names_it(aura: Shell) -> None:
    DeltaTable(str(aura.folder / "lake" / "silver" / "things_log")).delete("word = 'axe'")

    code, out, _ = aura("ledger")
    assert code == 1
    assert "things, batch 0: 4 units in bronze, 3 with a verdict, off by +1 (1.jsonl#1 is missing in the log)" in out
    assert aura("ledger", "--format", "json")[0] == 1


def test_the_ledger_as_csv_has_a_line_a_batch(aura: Shell) -> None:
    _, out, _ = aura("ledger", "--format", "csv")

    (line,) = csv.DictReader(io.StringIO(out))
    assert (line["table"], line["units"], line["valid"], line["quarantined"], line["difference"]) == (
        "things",
        "4",
        "2",
        "2",
        "0",
    )


def test_why_tells_a_life_and_ends_with_1_where_there_is_none(aura: Shell) -> None:
    code, out, _ = aura("why", "a")
    assert code == 0
    assert "1.jsonl#1" in out
    assert "word=axe" in out

    code, out, _ = aura("why", "nobody")
    assert code == 1
    assert "Nothing in this lake is called that" in out


def test_query_answers_in_every_form(aura: Shell) -> None:
    sql = "select id, size, [1] as list from silver.things"

    assert aura.json("query", sql) == [{"id": "a", "size": 2, "list": [1]}]
    assert aura("query", sql, "--format", "csv")[1] == "id,size,list\na,2,1\n"
    assert "a" in aura("query", sql)[1]


def test_query_says_when_there_is_more(aura: Shell) -> None:
    code, out, err = aura("query", "select * from range(5)", "--limit", "2", "--format", "csv")

    assert (code, out) == (0, "range\n0\n1\n")
    assert "The first 2 rows; --limit 0 gives all." in err


def test_an_error_is_told_as_what_and_fix_without_a_traceback(aura: Shell) -> None:
    code, out, err = aura("query", "select * from nowhere")

    assert (code, out) == (1, "")
    assert "There is no table 'nowhere' in this lake." in err
    assert "Fix: The tables of this lake: bronze.things" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("--debug", "query", "drop table x"), ("query", "drop table x", "--debug")])
def test_debug_shows_where_an_error_came_from(aura: Shell, words: tuple[str, ...]) -> None:
    from aura_lake.errors import QueryError

    with pytest.raises(QueryError, match="Only SELECT"):
        cli.main(list(words))


def test_a_defect_tells_its_place_and_not_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("bob@example.org")
    except ValueError as error:
        cli._tell_defect(type(error), error, error.__traceback__)

    said = capsys.readouterr().err
    assert "ValueError in" in said
    assert "--debug" in said
    assert "bob" not in said


def test_a_wrong_call_ends_with_2(aura: Shell) -> None:
    assert aura("query")[0] == 2
    assert aura("nonsense")[0] == 2
    assert aura("status", "--format", "xml")[0] == 2


def test_an_interrupt_ends_with_130(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("aura_lake.cli.opening.open_reader", interrupted)
    assert aura("status")[0] == 130


def test_quarantine_lists_rules_and_shows_rows(aura: Shell) -> None:
    lines = aura.json("quarantine", "list")
    assert [(line["rule"], line["units"]) for line in lines] == [("record_is_valid_json", 1), ("size_is_positive", 1)]

    (row,) = aura.json("quarantine", "show", "things", "--rule", "size_is_positive")
    assert row["place"] == "1.jsonl#2"
    assert "raw" not in row
    (raw,) = aura.json("quarantine", "show", "things", "--rule", "record_is_valid_json", "--raw")
    assert raw["raw"] == "{"
    assert "size_is_positive" in aura("quarantine", "show", "things")[1]


def test_markup_in_the_records_is_shown_and_not_obeyed(aura: Shell) -> None:
    from aura_lake.cli.opening import open_lake
    from aura_lake.steps.land import land
    from aura_lake.steps.pipeline import refresh_silver

    write_lines(aura.folder / "things", "2.jsonl", [change("c", 9, "[red]x[/red]", "[/]", -1)])
    lake = open_lake()
    land(lake, lake.shop.feeds["things"])
    refresh_silver(lake, lake.contract("things"))

    code, out, _ = aura("quarantine", "show", "things", "--limit", "1", "--raw")
    assert code == 0
    assert "[red]x[/red]" in out
    assert "[red]x[/red]" in aura("why", "[red]x[/red]")[1]
    assert "[/]" in aura("query", "select word from silver.things_quarantine")[1]


def test_contract_check_tells_what_is_right_and_what_is_wrong(aura: Shell) -> None:
    code, out, _ = aura("contract", "check")
    assert code == 0
    assert "The shop small is right" in out

    file = aura.folder / "shop" / "things.odcs.yaml"
    file.write_text(file.read_text().replace("severity: quarantine", "severty: quarantine"))
    code, _, err = aura("contract", "check")
    assert code == 1
    assert "things.odcs.yaml:" in "".join(err.replace("│", "").split()), "however wide the frame is"
    assert "severty" in err


def test_rebuild_says_that_the_rows_are_equal(aura: Shell) -> None:
    assert aura.json("rebuild", "things") == [{"table": "things", "rows_before": 1, "rows_after": 1, "rows": "equal"}]
    assert aura("rebuild", "--all")[0] == 0
    assert aura("rebuild")[0] == 2


def test_doctor_finds_a_whole_shop_good_and_a_missing_feed_bad(aura: Shell) -> None:
    good = aura.json("doctor")
    assert {line["state"] for line in good} <= {"good", "odd"}

    import shutil

    shutil.rmtree(aura.folder / "things")
    code, out, _ = aura("doctor")
    assert code == 1
    assert "feed things" in out


def test_doctor_makes_nothing(tmp_path: Path, enter: Enter) -> None:
    write_shop(tmp_path)
    aura = enter(tmp_path)

    assert aura("doctor")[0] == 0
    assert not (tmp_path / "lake" / "secrets").exists()
    assert not (tmp_path / "lake" / "lake.json").exists()


def test_simulate_writes_a_shop(tmp_path: Path, aura: Shell) -> None:
    words = ("--days", "1", "--orders", "20", "--clicks", "50", "--end", "2026-01-02")
    report = aura.json("simulate", str(tmp_path / "out"), *words)

    assert report["files"] == len([path for path in (tmp_path / "out").rglob("*") if path.is_file()])
    assert report["records"]["clickstream"] == 50


def test_a_state_that_may_not_be_kept_costs_nothing_but_time(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURA_STATE", "/proc/aura-lake")

    assert aura("query", "select 1 as x", "--format", "csv")[1] == "x\n1\n"


def test_an_error_class_is_named_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    cli._tell(LakeError("The lake is [odd].", fix="Mend it."))

    said = capsys.readouterr().err
    assert "Lake" in said
    assert "The lake is [odd]." in said
    assert "Fix: Mend it." in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--postgres", "postgres://localhost/shop"), "are for a live shop"),
        (("--for", "5"), "are for a live shop"),
        (("--live", "--kafka", "localhost:9092"), "Clicks alone are no shop"),
        (("--live", "FOLDER", "--postgres", "postgres://localhost/shop"), "not in both"),
        (("--live", "--postgres", "postgres://localhost/shop", "--mess", "gremlins"), "no mess called 'gremlins'"),
        (("--live", "--postgres", "shop at home"), "The address of the database cannot be read."),
    ],
)
def test_words_of_a_live_shop_that_do_not_go_together_are_named(
    tmp_path: Path, aura: Shell, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.delenv("AURA_POSTGRES_URL", raising=False)
    code, _, complaints = aura("simulate", *(str(tmp_path) if word == "FOLDER" else word for word in words))

    assert code == 1
    assert says in " ".join(complaints.replace("│", " ").split())


def test_a_live_shop_in_a_folder_goes_on_until_its_time_is_over(tmp_path: Path, aura: Shell) -> None:
    words = ("--days", "1", "--orders", "20", "--clicks", "50", "--end", "2026-01-02")
    report = aura.json("simulate", str(tmp_path / "out"), *words, "--live", "--day", "0.024", "--for", "0.5")

    assert report["hours"] > 0
    assert report["files"] == len([path for path in (tmp_path / "out").rglob("*") if path.is_file()])
